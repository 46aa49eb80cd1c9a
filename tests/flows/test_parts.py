"""A stage of very many shards is cut into flow runs; what comes of it is the same."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.task_runners import ThreadPoolTaskRunner

from flows.console.options import load_config
from flows.orchestration import parts
from flows.orchestration.chains import ShardsFailed
from flows.orchestration.parts import run_shards
from tasks.errors import TeacherMisconfigured

pytestmark = pytest.mark.usefixtures("prefect_here")
SHARDS, MOST = 7, 3


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(parts, "MOST_SHARDS", MOST)


@task(task_run_name="first {number}")
def first(number: int) -> int:
    return number


@task(task_run_name="second {number}")
def second(number: int, fails: dict[int, Exception]) -> int:
    if number in fails:
        raise fails[number]
    return 10 * number


def stage(name: str, fails: dict[int, Exception], ended: list[int], done: list[int], count: int = SHARDS) -> list[int]:
    """Run a stage of that many shards, each of two tasks."""
    config = load_config("demo", [f"run={name}", "shards_in_flight=2"])

    def chain(number: int):
        yield first.submit(number)
        yield second.submit(number, fails)
        done.append(number)

    @flow(name="stage", task_runner=ThreadPoolTaskRunner(max_workers=2))
    def run() -> list[int]:
        return run_shards(config, [chain(number) for number in range(count)], ended.append)

    return run()


def tasks_by_flow_run(name: str, count: int) -> Counter[str]:
    """How many tasks ran in each part of a run, once the server knows of so many: it hears of them a moment late."""
    part_of_it = FlowRunFilter(name=FlowRunFilterName(like_=f" {name}"))
    deadline = time.monotonic() + 60
    with get_client(sync_client=True) as client:
        while True:
            runs = {run.id: run.name for run in client.read_flow_runs(flow_run_filter=part_of_it)}
            found = Counter(runs.get(task.flow_run_id) for task in client.read_task_runs(flow_run_filter=part_of_it))
            if found.total() >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.2)


def test_each_part_is_a_flow_run_and_the_receipts_are_in_order():
    ended: list[int] = []
    found = stage("whole", {}, ended, [])
    assert found == [value for number in range(SHARDS) for value in (number, 10 * number)]
    assert ended == list(range(1, SHARDS + 1))
    assert tasks_by_flow_run("whole", 14) == {"shards 1-3 whole": 6, "shards 4-6 whole": 6, "shards 7-7 whole": 2}


def test_a_shard_that_fails_does_not_stop_the_parts_after_its_own():
    done: list[int] = []
    with pytest.raises(ShardsFailed, match=r"2 of 7 shards failed.*disk full") as failed:
        stage("torn", {1: OSError("disk full"), 4: OSError("disk gone")}, [], done)
    assert [str(error) for error in failed.value.causes] == ["disk full", "disk gone"]
    assert sorted(done) == [0, 2, 3, 5, 6]


def test_where_nothing_of_a_part_can_be_done_no_other_is_tried():
    done: list[int] = []
    refused = {number: TeacherMisconfigured("the key is refused") for number in range(SHARDS)}
    with pytest.raises(TeacherMisconfigured, match="the key is refused") as failed:
        stage("refused", refused, [], done)
    assert len(failed.value.causes) == 3  # all shards that failed, for the table on the run's page
    assert done == []
    assert tasks_by_flow_run("refused", 6) == {"shards 1-3 refused": 6}


def test_few_shards_stay_in_the_flow_run_of_their_stage():
    assert stage("few", {}, [], [], count=MOST) == [0, 0, 1, 10, 2, 20]
    assert tasks_by_flow_run("few", 0) == {}
