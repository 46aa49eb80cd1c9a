"""The Prefect server under load, with SQLite and with PostgreSQL: task runs per second of several flow runs at once.

Each server is a process of its own on a fresh database, and they take turns, so that what else the machine does meets
both. PostgreSQL must be installed.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed

from tests.engines.database import PASSWORD, running_postgres
from tests.ports import free_port

FLOWS, TASKS, IN_FLIGHT, ROUNDS = 4, 500, 8, 3
_START_S = 180.0


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


@contextmanager
def server(folder: Path, database: str, **settings: str) -> Iterator[dict[str, str]]:
    """A Prefect server; yields the environment for those that talk to it.

    Args:
        database: SQLAlchemy's URL; empty for SQLite in the folder.
    """
    port = free_port()
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(folder),
        "PREFECT_PROFILES_PATH": str(folder / "profiles.toml"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        **settings,
    }
    if database:
        env["PREFECT_API_DATABASE_CONNECTION_URL"] = database
    url = f"http://127.0.0.1:{port}/api"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                httpx.get(f"{url}/health", timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        yield {**env, "PREFECT_API_URL": url, "PREFECT_LOGGING_LEVEL": "ERROR"}
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def load(env: dict[str, str], flows: int, tasks: int) -> tuple[float, int, int]:
    """Task runs per second from the first start to the last end, how many are missing in the database, and errors.

    The time that processes take to start is not in it: each tells when its flow begins and ends.
    """
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
    seconds = max(end for _, end in spans) - min(start for start, _ in spans)
    return flows * tasks / seconds, flows * tasks - _recorded(env, flows * tasks), errors


def _recorded(env: dict[str, str], wanted: int) -> int:
    """Task runs that the server knows as completed; events are taken in some seconds late."""
    deadline, found = time.monotonic() + 60, -1
    while time.monotonic() < deadline:
        body = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        found = int(httpx.post(f"{env['PREFECT_API_URL']}/task_runs/count", json=body, timeout=60).json())
        if found % wanted == 0 and found:
            return wanted
        time.sleep(1)
    return found % wanted


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
    found: dict[str, list[tuple[float, int, int]]] = {"SQLite": [], "PostgreSQL": []}
    with tempfile.TemporaryDirectory() as folder, running_postgres() as postgres:
        places = {"SQLite": Path(folder) / "sqlite", "PostgreSQL": Path(folder) / "postgres"}
        postgres.create("prefect")
        address = f"postgresql+asyncpg://kod:{PASSWORD}@127.0.0.1:{postgres.port}/prefect"
        for place in places.values():
            place.mkdir()
        with server(places["SQLite"], "") as sqlite, server(places["PostgreSQL"], address) as database:
            for _ in range(given.rounds):
                for name, env in (("SQLite", sqlite), ("PostgreSQL", database)):
                    found[name].append(load(env, given.flows, given.tasks))
        size = sum(path.stat().st_size for path in places["SQLite"].glob("prefect.db*"))
        print(f"| {given.flows} flow runs at once, {given.tasks} task runs each | task runs/s | missing | errors |")
        print("|---|---|---|---|")
        for name, rounds in found.items():
            rate = statistics.median(one[0] for one in rounds)
            print(f"| {name} | {rate:.0f} | {sum(one[1] for one in rounds)} | {sum(one[2] for one in rounds)} |")
        ratio = statistics.median(b[0] / a[0] for a, b in zip(found["SQLite"], found["PostgreSQL"], strict=True))
        print(f"| **PostgreSQL, times SQLite** | {ratio:.2f} | | |")
        runs = given.rounds * given.flows * given.tasks
        print(f"\nSQLite's file holds {size / runs / 1000:.1f} kB per task run.")


if __name__ == "__main__":
    main()
