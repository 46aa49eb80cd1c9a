"""Pause and resume as the UI does them: what is under way is finished, nothing else is started, no answer is lost."""

from __future__ import annotations

import time
from collections import Counter

import httpx

from tests.flows.test_resume import answered
from tests.flows.worker import LIGHT, ended, set_state, start, until
from tests.processes import running_teacher


def started(api: httpx.Client, prefix: str) -> set[str]:
    """Shards of the tasks whose names begin so."""
    query = {"task_runs": {"name": {"like_": prefix}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 200}
    runs = api.post("/task_runs/filter", json=query).json()
    newest = runs[0]["flow_run_id"]
    return {run["name"].split()[1] for run in runs if run["flow_run_id"] == newest}


def test_paused_run_finishes_the_shards_under_way_and_goes_on_when_resumed(api, kodforge, tmp_path):
    with running_teacher(tmp_path, "--latency", "0.4") as teacher:
        config = {
            "profile": "demo",
            "run": "paused",
            "store": str(tmp_path),
            "only": ["Prefill"],
            "subsets": {"Prefill": {"count": 12}},
            "shard_size": 3,
            "shards_in_flight": 2,
            **LIGHT,
            "teachers": {"author": {"kind": "openai", "base_url": teacher.url, "max_in_flight": 2}},
        }
        run = start(api, "build-dataset/demo", {"config": config})
        writer = tmp_path / "paused/writer.json"
        deadline = time.monotonic() + 600
        while answered(tmp_path) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        set_state(api, run, {"type": "PAUSED", "name": "Suspended", "state_details": {"pause_reschedule": True}})
        while (not writer.exists() or writer.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert not writer.read_bytes(), "the flow's process does not let go of the run"

        told = [request for request in teacher.requests() if request["answered"]]
        assert answered(tmp_path) == len(told)
        finished = {path.stem for path in (tmp_path / "paused/questions/receipts").glob("*.json")}
        assert 1 <= len(finished) <= 3
        assert started(api, "questions ") == finished, "the shards under way are finished, and no other was started"
        assert api.get(f"/flow_runs/{run}").json()["state"]["name"] == "Suspended"

        resumed = kodforge("resume", "build paused")
        assert resumed.returncode == 0, resumed.stderr
        until(api, run, lambda now: now["state"]["type"] != "PAUSED")
        assert ended(api, run)["state"]["type"] == "COMPLETED"
        asked = Counter(str(request["key"]) for request in teacher.requests() if request["answered"])
    assert max(asked.values()) == 1
    assert (tmp_path / "paused/release/release.json").exists()


def test_nothing_to_pause(kodforge):
    done = kodforge("pause", "build nothing")
    assert done.returncode == 1
    assert "'build nothing': there is no running flow run of that name or id" in done.stderr
