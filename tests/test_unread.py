"""A flow whose worker has died: nobody reads what it prints, and it comes to its end."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import ROOT

PROGRAM = """
import sys, time
from pathlib import Path
from prefect.logging import get_run_logger
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner
from flows.orchestration.hooks import flow
from tasks.shards import shard_task

@shard_task("count")
def count(number: int) -> int:
    return number

RUNNERS = {"threads": ThreadPoolTaskRunner, "processes": ProcessPoolTaskRunner}

@flow(name="unread", flow_run_name="unread", task_runner=RUNNERS[sys.argv[1]](max_workers=2))
def unread(place: str) -> None:
    first = count.submit(0).result()
    get_run_logger().info("first done")
    while not Path(place, "closed").exists():
        time.sleep(0.1)
    found = [count.submit(number) for number in range(1, 6)]
    Path(place, "sum").write_text(str(first + sum(one.result() for one in found)))

if __name__ == "__main__":
    unread(sys.argv[2])
"""


@pytest.mark.parametrize("engine", ["threads", "processes"])
def test_a_flow_goes_on_though_nobody_reads_its_output(prefect_server, tmp_path, engine):
    (tmp_path / "program.py").write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "program.py"), engine, str(tmp_path)],
        env={**prefect_server.env, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "first done" not in (line := process.stderr.readline()):
        assert line, "the flow ended before its first task was done"
    process.stderr.close()
    (tmp_path / "closed").touch()
    assert process.wait(180) == 0
    assert (tmp_path / "sum").read_text() == "15"
