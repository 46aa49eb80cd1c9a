"""Chains of tasks on worker processes: in order, elsewhere where a worker dies, failing alone, and with a clear end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.processes import ROOT, PrefectServer, sets, stop

PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
from prefect import flow, task
from flows.orchestration.chains import ShardsFailed, run_chains
from flows.orchestration.engines import engine_of
from tasks.errors import BadInput
from tasks.settings import BuildConfig

folder, wanted = Path(sys.argv[2]), sys.argv[3:]

@task(cache_policy=None)
def step(chain: int, number: int) -> tuple[int, int, int]:
    if "die" in wanted and chain == 1 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if "fail" in wanted and chain == 2:
        raise BadInput("this shard is wrong")
    if "wait" in wanted:
        (folder / "waiting").touch()
        time.sleep(600)
    return chain, number, os.getpid()

def chain(number: int):
    first = yield step.submit(number, 0)
    assert first[:2] == (number, 0)
    yield step.submit(number, 1)

@flow
def all_of_them(config: BuildConfig) -> None:
    with engine_of(config) as shared:
        print(json.dumps({"slots": shared.sandbox.slots, "in flight": shared.shards_in_flight}))
        try:
            found = run_chains([chain(number) for number in range(4)], shared.shards_in_flight)
        except ShardsFailed as error:
            print(json.dumps({"error": str(error)}))
            return
    print(json.dumps({"steps": [one[:2] for one in found], "here": os.getpid() in {one[2] for one in found}}))

if __name__ == "__main__":
    all_of_them(BuildConfig(engine=json.loads(sys.argv[1])))
"""


def run(server: PrefectServer, folder: Path, engine: dict[str, object], *wanted: str) -> subprocess.Popen[str]:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    return subprocess.Popen(
        [sys.executable, str(program), json.dumps(engine), str(folder), *wanted],
        cwd=ROOT,
        env={**server.env, "PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def printed(process: subprocess.Popen[str]) -> dict[str, object]:
    out, err = process.communicate(timeout=400)
    assert process.returncode == 0, err[-4000:]
    return {name: value for line in out.splitlines() if line[:1] == "{" for name, value in json.loads(line).items()}


@pytest.mark.parametrize("kind", ["processes", "dask", "ray"])
def test_chains_run_on_worker_processes_in_order_and_fail_alone(prefect_server, tmp_path, kind):
    found = printed(run(prefect_server, tmp_path, {"kind": kind, "workers": 2}, "fail"))
    assert found["slots"] >= 1
    assert "1 of 4 shards failed, the others are finished. First cause: this shard is wrong" in found["error"]


@pytest.mark.parametrize("kind", ["dask", pytest.param("ray", marks=pytest.mark.slow)])
def test_the_tasks_of_a_worker_that_is_killed_run_on_another(prefect_server, tmp_path, kind):
    found = printed(run(prefect_server, tmp_path, {"kind": kind, "workers": 2}, "die"))
    assert found["steps"] == [[chain, step] for chain in range(4) for step in range(2)]
    assert not found["here"]
    assert (tmp_path / "died").exists()


def test_a_scheduler_that_is_lost_ends_the_run_with_what_to_do(prefect_server, tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    with (tmp_path / "cluster.log").open("ab") as log:
        options = {"cwd": ROOT, "env": prefect_server.env, "stdout": log, "stderr": log, "start_new_session": True}
        module = [sys.executable, "-m"]
        scheduler = subprocess.Popen(
            [*module, "distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"],
            **options,  # type: ignore[call-overload]
        )
        worker = subprocess.Popen(
            [*module, "distributed.cli.dask_worker", address, "--no-dashboard", "--nthreads", "3"],
            **options,  # type: ignore[call-overload]
        )
        try:
            process = run(prefect_server, tmp_path, {"kind": "dask", "address": address}, "wait")
            deadline = time.monotonic() + 300
            while not (tmp_path / "waiting").exists():
                assert process.poll() is None, process.communicate()[1][-4000:]
                assert time.monotonic() < deadline
                time.sleep(0.1)
            scheduler.kill()
            found = printed(process)
        finally:
            stop(worker)
            stop(scheduler)
    assert (found["slots"], found["in flight"]) == (3, 4)
    assert "lost the connection to the scheduler" in str(found["error"])
    assert "run the same command again" in str(found["error"])


def test_a_cluster_that_is_not_there_is_named(kodforge, tmp_path):
    done = kodforge("run", *sets(engine__kind="dask", engine__address="tcp://127.0.0.1:9", store=tmp_path))
    assert done.returncode == 1
    assert "there is no dask cluster at engine.address 'tcp://127.0.0.1:9'" in done.stderr
