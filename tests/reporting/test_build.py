"""At the end of a build: a report with the times of its tasks; one that cannot be written harms nobody."""

from __future__ import annotations

import logging
import time

import prefect
import pytest
from prefect.runtime import flow_run

from flows.orchestration.task_times import times_of, times_so_far
from flows.report import FILE, kept_times, report_build
from tasks.shards import shard_task
from tests.kpis.runs import finished

pytestmark = pytest.mark.usefixtures("prefect_here")


@shard_task("work")
def work() -> int:
    return 1


@prefect.flow
def build(run):
    work()
    deadline = time.monotonic() + 120
    while not times_of(flow_run.id).tasks and time.monotonic() < deadline:
        time.sleep(0.5)  # the server takes in what tasks tell a moment later
    report_build(run, times_so_far())


def test_the_report_has_the_times_of_all_builds(tmp_path):
    run = finished(tmp_path)
    build(run)
    build(run)
    assert len(kept_times(run).builds) == 2
    (told,) = [one for one in kept_times(run).tasks if one.task == "work"]
    assert told.runs == 2
    assert ">work</th>" in (tmp_path / "r" / FILE).read_text()


def test_a_report_that_cannot_be_written_is_told_and_fails_nothing(tmp_path, caplog):
    run = finished(tmp_path)
    (tmp_path / "r" / FILE).mkdir()
    with caplog.at_level(logging.WARNING):
        build(run)
    assert "the report was not written: " in caplog.text
    assert "try again with `kodforge report`" in caplog.text
