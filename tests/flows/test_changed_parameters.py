"""A changed parameter: what it touches runs again, nothing else, and no answer is paid for twice."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.build_dataset import build_dataset
from flows.console.options import load_config
from flows.console.plan import plan_run
from tasks.settings import BuildConfig
from tests.processes import UNCHECKED, Teacher, running_teacher, sets

BASE = {
    "run": "r",
    "shard_size": 4,
    "only": "[Prefill,Leetcode]",
    "subsets__Prefill__count": 6,
    "subsets__Leetcode__count": 6,
    **UNCHECKED,
    "verification__attempts": 2,
    "teachers__author__kind": "openai",
    "teachers__author__max_in_flight": 4,
    "teachers__reasoners__demo__kind": "openai",
    "post_training__reasoning__tries": 1,
    "sandbox__wall_s": 60,
}
SOURCING = {"seeds", "prompts", "questions"}
VERIFICATION = {"attempts", "verdicts", "triplets"}
CURATION = {"signatures", "examinations", "edges", "duplicates", "curated", "centroids", "placements"}
AFTER = {"placings", "responses", "grades", "candidates", "references", "release"}


@dataclass
class Made:
    """A run, and when which of its files was written."""

    store: Path
    teacher: Teacher
    asked: int = 0

    def answered(self) -> list[str]:
        """Keys of the requests that the teacher has answered; it turns some away at first."""
        return [str(request["key"]) for request in self.teacher.requests() if request["answered"]]

    def written(self) -> dict[str, int]:
        run = self.store / "r"
        files = [*run.glob("*/receipts/*.json"), run / "release/release.json"]
        return {str(path.relative_to(run)): path.stat().st_mtime_ns for path in files if path.exists()}

    def config(self, **changes: object) -> BuildConfig:
        url = self.teacher.url
        values = {**BASE, "teachers__author__base_url": url, "teachers__reasoners__demo__base_url": url, **changes}
        return load_config("demo", sets(store=self.store, **values)[1::2])

    def build(self, **changes: object) -> None:
        build_dataset(self.config(**changes))

    def plan(self, **changes: object) -> dict[str, tuple[int, int, int]]:
        """By stage: shards that would run again, calls that would be paid for, and those of which it is not known."""
        before, asked = self.written(), len(self.answered())
        found = plan_run(self.config(**changes))
        assert self.written() == before
        assert len(self.answered()) == asked
        return {
            str(name): (stage.again, stage.calls, stage.unknown) for name, stage in found.stages.items() if stage.again
        }

    def again(self, **changes: object) -> tuple[dict[str, list[str]], int]:
        """Run it with changes: the shards of each stage that ran again, and how many requests were made."""
        before, asked = self.written(), len(self.answered())
        self.build(**changes)
        redone: dict[str, list[str]] = {}
        for path, moment in self.written().items():
            if before.get(path) != moment:
                redone.setdefault(path.split("/")[0], []).append(Path(path).stem)
        return redone, len(self.answered()) - asked


@pytest.fixture(scope="module")
def base(prefect_here, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    with running_teacher(folder) as teacher:
        made = Made(folder / "store", teacher)
        made.build()
        made.asked = len(made.answered())
        yield made


@pytest.fixture
def made(base, tmp_path):
    """A copy of the run, with its answers."""
    for source, folders, files in os.walk(base.store):
        place = tmp_path / "store" / Path(source).relative_to(base.store)
        place.mkdir(parents=True, exist_ok=True)
        for name in files:
            shutil.copy2(Path(source) / name, place / name)
        folders.sort()
    return Made(tmp_path / "store", base.teacher)


def rows_of(made: Made, stage: str) -> list[dict[str, object]]:
    files = sorted((made.store / "r" / stage).glob("part-*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


@pytest.mark.parametrize(
    "changes",
    [
        {"shards_in_flight": 1, "teachers__author__max_in_flight": 2, "sandbox__slots": 1, "engine__kind": "threads"},
        {"teachers__author__base_url": "http://localhost:{port}/v1", "busy_wait_s": 1, "budget__tokens": 10_000_000},
    ],
    ids=["how much at once", "where it is asked, and for how much"],
)
def test_nothing_runs_again(made, changes):
    port = made.teacher.url.rpartition(":")[2].partition("/")[0]
    told = {key: str(value).replace("{port}", port) for key, value in changes.items()}
    assert made.plan(**told) == {}
    assert made.again(**told) == ({}, 0)


@pytest.mark.parametrize(
    ("changes", "stages"),
    [
        pytest.param({"release__title": "Another"}, {"release"}, marks=pytest.mark.slow),
        ({"curation__dedup__jaccard": 0.9}, CURATION | AFTER),
        ({"verification__gates__branch_coverage__reject_below": 0.95}, {"triplets"} | CURATION | AFTER),
        ({"sandbox__wall_s": 61}, {"verdicts", "triplets", "grades", "references"} | CURATION | AFTER),
        pytest.param({"post_training__held_out__share": 0.5}, AFTER, marks=pytest.mark.slow),
        ({"shard_size": 3}, {"prompts", "questions"} | VERIFICATION | CURATION | AFTER),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_it_touches_runs_again_without_a_request(made, changes, stages):
    redone, asked = made.again(**changes)
    assert redone.keys() <= stages
    assert redone.keys() >= stages - CURATION - AFTER
    assert "release" in redone
    assert asked == 0


def test_review_takes_rows_out_and_back_in_without_a_request(made, tmp_path, caplog):
    released = sorted(row["question_id"] for row in rows_of(made, "curated"))
    twins = [row["id"] for row in rows_of(made, "curated/rejects") if "duplicate" in row["reason"]]
    doubted = [row["question_id"] for row in rows_of(made, "curated") if row["split"] != "train"]
    gone = [*twins, *doubted, released[-1]][0]
    decided = {released[0]: "reject", gone: "accept", "Docs_00000099_I": "reject"}
    lines = [{"question_id": name, "decision": what, "note": "by hand"} for name, what in decided.items()]
    review = tmp_path / "review.jsonl"
    review.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    redone, asked = made.again(curation__review=review)
    assert asked == 0 or gone in json.dumps(made.teacher.requests()[-asked:])  # an accepted row is answered, as others
    assert redone.keys() <= {"duplicates", "curated"} | AFTER
    assert "release" in redone
    (reject,) = [row for row in rows_of(made, "curated/rejects") if row["id"] == released[0]]
    assert (reject["reason"], reject["evidence"]) == ("reviewed", "rejected in a review: by hand")
    (kept,) = [row for row in rows_of(made, "curated") if row["question_id"] == gone]
    assert kept["split"] == "train"
    assert kept["filter_reason"].startswith("accepted in a review: by hand")
    assert "no row Docs_00000099_I" in caplog.text
    assert made.again(curation__review=review) == ({}, 0)
    made.again()
    assert sorted(row["question_id"] for row in rows_of(made, "curated")) == released


def test_one_more_attempt_is_the_only_one_that_is_asked_for(made):
    planned = made.plan(verification__attempts=3)
    redone, asked = made.again(verification__attempts=3)
    assert planned.keys() == {"attempts"}
    again, calls, unknown = planned["attempts"]
    assert (again, unknown) == (len(redone["attempts"]), 0)
    assert 1 <= calls <= asked  # what a third attempt that passes leads to is not known before
    assert {shard[-2:] for shard in redone.get("attempts", [])} <= {"03"}
    assert {shard[-2:] for shard in redone.get("verdicts", [])} <= {"03"}
    assert not SOURCING & redone.keys()
    assert asked >= 1


def test_subset_that_is_added_is_the_only_one_that_is_asked_for(made, base):
    wider = {"only": "[Prefill,Leetcode,Codeforces]", "subsets__Codeforces__count": 3}
    assert made.plan(**wider) == {"seeds": (1, 0, 0), "prompts": (1, 0, 0), "questions": (1, 0, 3)}
    redone, asked = made.again(**wider)
    for stage in ("questions", "attempts", "verdicts", "triplets"):
        assert {shard[:10] for shard in redone[stage]} == {"part-00004"}
    every = made.answered()
    assert asked >= 3
    assert len({*every[: base.asked], *every[-asked:]}) == base.asked + asked


@pytest.mark.slow
def test_shards_of_a_larger_run_do_not_leak_into_a_smaller_one(made, base):
    made.again(shard_size=2)
    assert len(list((made.store / "r/questions").glob("part-*.parquet"))) == 6
    redone, asked = made.again()
    assert asked == 0
    assert redone
    for stage in ("prompts", "questions", "attempts", "verdicts", "triplets", "curated", "grades"):
        mine, first = (run.store / "r" / stage for run in (made, base))
        shards = [path.name for path in mine.glob("receipts/*.json")]
        assert sorted(shards) == sorted(path.name for path in first.glob("receipts/*.json"))
        assert len(list(mine.rglob("*.parquet"))) == 2 * len(shards), "rows and rejects of each, and no others"
        if stage not in ("verdicts", "grades"):  # these say how long it took
            files = {path.name: path.read_bytes() for path in mine.glob("*.parquet")}
            assert files == {path.name: path.read_bytes() for path in first.glob("*.parquet")}
