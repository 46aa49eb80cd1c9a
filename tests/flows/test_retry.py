"""Retry from the UI: a flow run that failed, or whose process was killed, goes on where it stopped."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.flows.test_resume import answered
from tests.flows.worker import LIGHT, ended, retry, start, until, writer_of
from tests.processes import Teacher, running_teacher

IN_FLIGHT = 2


@pytest.fixture
def slow_teacher(tmp_path: Path) -> Iterator[Teacher]:
    with running_teacher(tmp_path, "--latency", "0.3") as made:
        yield made


def parameters(store: Path, teacher: Teacher, **changes: object) -> dict:
    author = {"kind": "openai", "base_url": teacher.url, "max_in_flight": IN_FLIGHT}
    config = {
        "profile": "demo",
        "run": "retried",
        "store": str(store),
        "only": ["Prefill"],
        "subsets": {"Prefill": {"count": 6}},
        "shard_size": 3,
        **LIGHT,
        "teachers": {"author": author},
        **changes,
    }
    return {"config": config}


def wait_for(store: Path, answers: int) -> None:
    deadline = time.monotonic() + 600
    while answered(store) < answers:
        assert time.monotonic() < deadline, f"{answered(store)} answers after 600 s"
        time.sleep(0.05)


def times_asked(teacher: Teacher) -> list[int]:
    return list(Counter(str(request["key"]) for request in teacher.requests() if request["answered"]).values())


def advice(api: httpx.Client, run: str) -> str:
    """What the page of a flow run tells to do; a worker tells it where the run's own process is gone."""
    query = {"artifacts": {"key": {"any_": ["what-to-do-next"]}}, "flow_runs": {"id": {"any_": [run]}}}
    deadline = time.monotonic() + 600
    while not (told := api.post("/artifacts/filter", json=query).json()):
        assert time.monotonic() < deadline, "nobody tells what to do"
        time.sleep(0.5)
    return str(told[0]["data"])


def test_failed_run_asks_nothing_again_when_it_is_retried(api, slow_teacher, tmp_path):
    release = tmp_path / "release"
    given = parameters(tmp_path, slow_teacher, release={"path": str(release)})
    run = start(api, "build-dataset/demo", given)
    wait_for(tmp_path, 3)
    release.mkdir()
    (release / "mine.txt").write_text("somebody else's")
    failed = ended(api, run)
    assert failed["state"]["type"] == "FAILED"
    assert "mine.txt" in failed["state"]["message"] or str(release) in failed["state"]["message"]

    asked = len(slow_teacher.requests())
    (release / "mine.txt").unlink()
    retry(api, run)
    again = until(api, run, lambda now: now["run_count"] == 2 and now["state"]["type"] == "COMPLETED")
    assert again["id"] == run
    assert len(slow_teacher.requests()) == asked
    assert (release / "release.json").exists()


@pytest.mark.parametrize(
    "how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)], ids=["killed", "told to end"]
)
def test_run_whose_process_ended_is_retried(api, slow_teacher, tmp_path, how):
    """SIGTERM is what a service manager sends to all processes of a worker."""
    run = start(api, "build-dataset/demo", parameters(tmp_path, slow_teacher))
    wait_for(tmp_path, 5)
    os.kill(writer_of(tmp_path / "retried"), how)
    assert ended(api, run)["state"]["type"] == "CRASHED"
    if how == signal.SIGKILL:
        assert "memory ran out" in advice(api, run)
        time.sleep(30)  # as the operations guide says: the worker reports a killed process twice

    retry(api, run)
    until(api, run, lambda now: now["run_count"] == 2 and now["state"]["type"] == "COMPLETED")
    asked = times_asked(slow_teacher)
    assert sum(asked) - len(asked) <= IN_FLIGHT
    assert (tmp_path / "retried/release/release.json").exists()
