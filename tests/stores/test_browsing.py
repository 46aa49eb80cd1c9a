"""A run on an object store is looked at, decided on, and seen to change, as one in a folder is."""

from __future__ import annotations

import json

from tasks.artifacts import Outcome
from tasks.models import Reject, RejectReason, Triplet
from tasks.run import StageName
from tests.browsing.serving import served
from tests.kpis.runs import ALL, finished


def test_rows_decisions_and_changes_on_an_object_store(bucket, tmp_path):
    run = finished(f"s3://{bucket}/runs", cache=str(tmp_path / "answers.sqlite"))
    with served(run, tmp_path) as site, site.client() as client:
        assert 'data-total="4"' in client.get("/").text
        assert "Attempt 1" in client.get(f"/row?id={ALL[0]}").text
        answer = client.post("/review", json={"id": ALL[0], "decision": "reject"}, headers=site.writes)
        assert answer.status_code == 200
        (line,) = (run.store.find("r", "review.jsonl") or b"").splitlines()
        assert json.loads(line)["question_id"] == ALL[0]
        assert site.desk.reviews.place == f"s3://{bucket}/runs/r/review.jsonl"
        gone = [Reject(id=one, subset="Docs", reason=RejectReason.WEAK_TESTS, evidence="e") for one in ALL]
        run.stage(StageName.TRIPLETS).run_shard("part-00000", Triplet, ["anew"], lambda: Outcome(4, [], gone))
        assert site.desk.index.refresh()
        assert "weak tests" in client.get("/").text
        assert not site.desk.index.refresh()
