"""The Prefect server under load, with SQLite and with PostgreSQL: task runs per second of several flow runs at once.

Both write task runs in groups, as the operations guide has it, and one by one, as by Prefect's default. Each server is
a process of its own on a fresh database, and they take turns, so that what else the machine does meets all of them.
PostgreSQL must be installed.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed

from benchmarks.orchestration import DATABASE, ONE_BY_ONE
from tests.engines.database import PASSWORD, running_postgres
from tests.processes import running_server

FLOWS, TASKS, IN_FLIGHT, ROUNDS = 4, 500, 8, 3
_RECORD_S = 120.0


@task(cache_policy=NO_CACHE)
def nothing(number: int) -> int:
    """What costs is Prefect's own part."""
    return number


@flow(name="many-tasks")
def many_tasks(count: int) -> None:
    """Submit tasks as run_chains does: a few under way at once."""
    waiting, running = list(range(count)), []
    while waiting or running:
        while waiting and len(running) < IN_FLIGHT:
            running.append(nothing.submit(waiting.pop()))
        done = next(as_completed(running))
        running.remove(done)
        done.result()


def load(env: dict[str, str], flows: int, tasks: int) -> tuple[float, float, int, int]:
    """Task runs per second from the first start to the last end, and until the server has recorded all of them; how
    many it never does, and errors.

    The time that processes take to start is not in it: each tells when its flow begins and ends.
    """
    before = _completed(env)
    command = [sys.executable, "-m", "benchmarks.servers", "--flow", str(tasks)]
    runs = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(flows)
    ]
    spans, errors = [], 0
    for run in runs:
        out, told = run.communicate(timeout=1800)
        errors += told.count("Error") + (run.returncode != 0)
        if run.returncode == 0:
            spans.append([float(part) for part in out.split()[-2:]])
    began, ended = min(start for start, _ in spans), max(end for _, end in spans)
    deadline = time.monotonic() + _RECORD_S
    while (missing := flows * tasks - (_completed(env) - before)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return flows * tasks / (ended - began), flows * tasks / (time.time() - began), missing, errors


def _completed(env: dict[str, str]) -> int:
    """Task runs that the server knows as completed."""
    body = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    return int(httpx.post(f"{env['PREFECT_API_URL']}/task_runs/count", json=body, timeout=60).json())


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--flow", type=int, help="be one of the flows, with so many tasks")
    options.add_argument("--flows", type=int, default=FLOWS)
    options.add_argument("--tasks", type=int, default=TASKS)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    given = options.parse_args()
    if given.flow:
        began = time.time()
        many_tasks(given.flow)
        print(began, time.time())
        return
    found: dict[str, list[tuple[float, float, int, int]]] = {}
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        servers: dict[str, dict[str, str]] = {}
        for database in ("SQLite", "PostgreSQL"):
            for how, settings in (("in groups", {}), ("one by one", ONE_BY_ONE)):
                name, place = f"{database}, {how}", f"prefect{len(servers)}"
                url = {}
                if database == "PostgreSQL":
                    postgres.create(place)
                    url = {DATABASE: f"postgresql+asyncpg://kod:{PASSWORD}@127.0.0.1:{postgres.port}/{place}"}
                home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                server = stack.enter_context(running_server(home, **settings, **url))
                servers[name] = {**server.env, "PREFECT_LOGGING_LEVEL": "ERROR"}
                found[name] = []
        for _ in range(given.rounds):
            for name, env in servers.items():
                found[name].append(load(env, given.flows, given.tasks))
    what = f"{given.flows} flow runs at once, {given.tasks} task runs each"
    print(f"| {what} | task runs/s | recorded/s | missing | errors |")
    print("|---|---|---|---|---|")
    for name, rounds in found.items():
        made, recorded = (statistics.median(one[part] for one in rounds) for part in (0, 1))
        missing, errors = (sum(one[part] for one in rounds) for part in (2, 3))
        print(f"| {name} | {made:.0f} | {recorded:.0f} | {missing} | {errors} |")


if __name__ == "__main__":
    main()
