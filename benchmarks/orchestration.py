"""What Prefect costs: per task run, in a whole run, and in its server's database.

    python -m benchmarks.orchestration share       where the time of a run goes; an hour with the defaults
    python -m benchmarks.orchestration floor       a shard without work, with Prefect and without; 8 minutes
    python -m benchmarks.orchestration database    what task runs take in SQLite and PostgreSQL; 6 minutes

Every server is a process of its own on a fresh database. `database` needs PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import psutil
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from benchmarks.author import Size, Speed, author
from benchmarks.chain_times import Part, covered, parts_of
from benchmarks.database_sizes import TABLES, grouped, postgres_bytes, sqlite_bytes
from flows.console.options import load_config
from flows.orchestration.chains import Chain, run_chains
from tasks.artifacts import Outcome, Receipt
from tasks.models import Provenance, Seed, Subset
from tasks.run import Run, StageName
from tasks.shards import SANDBOX, shard_task
from tests.engines.database import PASSWORD, running_postgres
from tests.processes import running_server

ROWS = 256
"""Of a shard, as by default."""
_SETTLE_S, _DRAIN_S = 12.0, 600.0
ONE_BY_ONE = {"PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "1"}
DATABASE = "PREFECT_API_DATABASE_CONNECTION_URL"


# A shard without work, in four ways.


@cache
def _rows() -> list[Seed]:
    source = Provenance(origin="o", version="1", path="p", licence="MIT")
    return [
        Seed(
            seed_id=str(number),
            subset=Subset.DOCS,
            text=os.urandom(600).hex(),
            title="t",
            libraries=[],
            source=source,
        )
        for number in range(ROWS)
    ]


def _commit(run: Run, number: int) -> Receipt:
    """Write a shard, or find it written."""
    return run.stage(StageName.QUESTIONS).run_shard(f"part-{number:05d}", Seed, [number], lambda: Outcome.of(_rows()))


@task(cache_policy=NO_CACHE, task_run_name="nothing {number}")
def nothing(number: int) -> int:
    """Prefect's own part."""
    return number


@shard_task("commit part-{number:05d}", SANDBOX)
def commit_shard(run: Run, number: int) -> Receipt:
    """As the tasks of all stages are; Prefect looks through what they are given, the config included."""
    return _commit(run, number)


@flow(name="many-shards")
def many_shards(way: str, folder: str, count: int, at_once: int) -> tuple[float, float]:
    """Shards as a stage runs them; seconds and CPU seconds of this process for each."""
    run = _run(folder)

    def chain(number: int) -> Chain[Any]:
        yield nothing.submit(number) if way == "task" else commit_shard.submit(run, number)

    def all_of(numbers: range) -> None:
        run_chains([chain(number) for number in numbers], at_once)

    all_of(range(count, count + at_once))  # what the first ones wait for is not theirs
    return _each(lambda: all_of(range(count)), count)


def _run(folder: str) -> Run:
    config = load_config("pilot", [f"store={folder}"])
    return Run(config=config, teachers=config.teachers)


def _each(work: Callable[[], object], count: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


def _measured_here(way: str, folder: str, count: int, at_once: int) -> tuple[float, float]:
    if way == "function":
        run = _run(folder)
        _rows()  # to make them is not the shards' work
        return _each(lambda: [_commit(run, number) for number in range(count)], count)
    if way == "again":
        many_shards("commit", folder, count, at_once)
    return many_shards(way, folder, count, at_once)


def measured(env: dict[str, str], way: str, count: int, at_once: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds of the worker and of the server for a shard, in a process of its own."""
    before, began = _server_seconds(), time.monotonic()
    command = [sys.executable, "-m", "benchmarks.orchestration", "way", way, str(count), "--at-once", str(at_once)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=3600)
    if done.returncode:
        raise RuntimeError(f"{way}: {done.stderr[-2000:]}")
    wall, cpu = (float(part) for part in done.stdout.split()[-2:])
    if way == "function":
        return wall, cpu, 0.0
    idle = settle(env)
    tasks = (count + at_once) * (2 if way == "again" else 1)
    busy = _server_seconds() - before - idle * (time.monotonic() - began)
    return wall, cpu, max(0.0, busy) / tasks


def _server_seconds() -> float:
    """CPU of the servers that this process has started, databases included."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system
    return total


def settle(env: dict[str, str]) -> float:
    """Wait until the server has written all events that it was sent: it does so in groups, some seconds late.

    Returns:
        The share of a core that the server takes when it has nothing to do.
    """
    deadline, seen, since, spent = time.monotonic() + _DRAIN_S, (-1, -1), time.monotonic(), _server_seconds()
    with httpx.Client(base_url=env["PREFECT_API_URL"], timeout=60) as api:
        while time.monotonic() - since < _SETTLE_S:
            tasks = int(
                api.post("/task_runs/count", json={"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}).json()
            )
            events = int(api.post("/events/filter", json={"limit": 1}).json()["total"])
            if (tasks, events) != seen:
                seen, since, spent = (tasks, events), time.monotonic(), _server_seconds()
            if time.monotonic() > deadline:
                raise RuntimeError(f"after {_DRAIN_S:.0f} s the server still writes events")
            time.sleep(1)
        return (_server_seconds() - spent) / (time.monotonic() - since)


def floor(given: argparse.Namespace) -> None:
    """A shard of 256 rows without work: what it takes by itself, and what a task run adds."""
    told = {
        "function": "commit, without Prefect",
        "task": "task run of a function that does nothing",
        "commit": "task run that commits",
        "again": "task run that finds it committed",
    }
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in told}
    one_by_one: list[float] = []
    with ExitStack() as stack:
        grouping, plain = (
            stack.enter_context(running_server(Path(stack.enter_context(tempfile.TemporaryDirectory())), **settings))
            for settings in ({}, ONE_BY_ONE)
        )
        for _ in range(given.rounds):
            for way in told:
                found[way].append(measured(_with_logs(grouping.env), way, given.tasks, given.at_once))
            one_by_one.append(measured(_with_logs(plain.env), "commit", given.tasks, given.at_once)[2])
    print(f"| ms per shard, {given.at_once} at once | wall | CPU, worker | CPU, server | wall per row |")
    print("|---|---|---|---|---|")
    middle = {
        way: [1000 * statistics.median(each) for each in zip(*rounds, strict=True)] for way, rounds in found.items()
    }
    for way, (wall, worker, of_server) in middle.items():
        print(f"| {told[way]} | {wall:.1f} | {worker:.1f} | {of_server:.1f} | {wall / ROWS:.3f} |")
    print(
        f"\nA server that writes task runs one by one, Prefect's default, takes "
        f"{1000 * statistics.median(one_by_one):.1f} ms of CPU for a task run that commits."
    )
    task_s = (middle["commit"][1] - middle["function"][1]) / 1000
    print(
        f"\nRates: worker.task_s {task_s:.4f}, server.task_s {middle['commit'][2] / 1000:.4f}. "
        f"What the server takes when it has nothing to do is not in its CPU."
    )


# The database.


def _with_logs(env: dict[str, str], to_api: bool = True) -> dict[str, str]:
    """Prefect's usual log level, with its lines sent to the server or not."""
    return {**env, "PREFECT_LOGGING_LEVEL": "INFO", "PREFECT_LOGGING_TO_API_ENABLED": str(to_api).lower()}


def database(given: argparse.Namespace) -> None:
    """What task runs add to each database."""
    columns: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, running_postgres() as postgres:
        postgres.create("prefect")
        address = f"postgresql+asyncpg://kod:{PASSWORD}@127.0.0.1:{postgres.port}/prefect"
        home = Path(folder) / "sqlite"
        elsewhere = Path(folder) / "postgres"
        for made in (home, elsewhere):
            made.mkdir()
        for name, place, settings, size in (
            ("SQLite", home, {}, lambda: sqlite_bytes(home)),
            ("PostgreSQL", elsewhere, {DATABASE: address}, lambda: postgres_bytes(postgres, "prefect")),
        ):
            with running_server(place, **settings) as server:
                env = _with_logs(server.env)
                measured(env, "commit", given.tasks // 10, given.at_once)  # pages that the first ones fill
                before = size()
                measured(env, "commit", given.tasks, given.at_once)
                grown = size()
                grown.subtract(before)
                columns[name] = {part: each / (given.tasks + given.at_once) for part, each in grouped(grown).items()}
    per_million = given.tasks_per_shard * 1_000_000 / given.shard_size
    print(f"| bytes per task run | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for part in (*TABLES, "all else"):
        print(f"| {part} | {' | '.join(f'{column[part]:,.0f}' for column in columns.values())} |")
    sums = {name: sum(column.values()) for name, column in columns.items()}
    print(f"| **sum** | {' | '.join(f'{each:,.0f}' for each in sums.values())} |")
    print(
        f"| MB per million rows, shards of {given.shard_size}, {given.tasks_per_shard} task runs each | "
        f"{' | '.join(f'{each * per_million / 1e6:,.0f}' for each in sums.values())} |"
    )
    kept = {name: (sums[name] - column["events"]) * per_million / 1e6 for name, column in columns.items()}
    print(f"| MB of it once events have been removed | {' | '.join(f'{each:,.0f}' for each in kept.values())} |")
    print(f"\nRates: server.task_bytes {max(sums.values()):.0f}")


# A whole run.


def share(given: argparse.Namespace) -> None:
    """A whole run against a teacher as slow as a model is, with the real sandbox."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        seeds, home = folder / "seeds.jsonl", folder / "server"
        home.mkdir()
        env = _with_logs(stack.enter_context(running_server(home)).env)
        url = stack.enter_context(author(Speed(tokens_per_s=given.tokens_per_s), seeds, given.questions))
        size = Size(given.questions, given.shard_size, given.at_once, given.attempts, given.rigour, given.max_in_flight)
        options = size.options("share", folder / "store", seeds, url)
        before, cpu, started = sqlite_bytes(home), _server_seconds(), time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "run", *options], env=env, capture_output=True, text=True, check=False
        )
        wall = time.monotonic() - started
        if done.returncode:
            raise SystemExit(f"the run failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        settle(env)
        grown = sqlite_bytes(home)
        grown.subtract(before)
        with httpx.Client(base_url=env["PREFECT_API_URL"], timeout=60) as api:
            parts = parts_of(api)
        show_share(parts, wall, given)
        tasks = sum(part.tasks for part in parts.values())
        print(
            f"- SQLite grew by {sum(grown.values()) / tasks:,.0f} bytes per task run; server and teacher took "
            f"{_server_seconds() - cpu:.0f} s of CPU beside the run."
        )
        if given.keep:
            shutil.copytree(home, given.keep)


def show_share(parts: dict[str, Part], wall: float, given: argparse.Namespace) -> None:
    """The seconds of all shards by flow; they run side by side, so that they are more than those of the clock."""
    print("| flow | shards | task runs | shard seconds | teacher | sandbox | own work | Prefect | Prefect, share |")
    print("|---|---|---|---|---|---|---|---|---|")
    whole = Part()
    for part in parts.values():
        whole.add(part)
    for name, part in [*parts.items(), ("**all**", whole)]:
        seconds = (part.seconds, part.teacher, part.sandbox, part.own, part.prefect)
        told = " | ".join(f"{each:.1f}" for each in seconds)
        print(f"| {name} | {part.shards} | {part.tasks} | {told} | {100 * part.prefect / part.seconds:.2f} % |")
    verify = parts["verify"]
    own = verify.own + verify.prefect
    print(
        f"\n- verification: neither teacher nor sandbox {100 * own / verify.seconds:.2f} %, "
        f"{own / verify.shards:.2f} s per shard, {1000 * own / given.questions:.2f} ms per row; of it Prefect "
        f"{1000 * verify.prefect / verify.tasks:.0f} ms per task run"
    )
    own = whole.own + whole.prefect
    print(
        f"- the run: neither {100 * own / whole.seconds:.2f} % of {whole.seconds:.0f} shard seconds; "
        f"{whole.tasks / (given.questions / given.shard_size):.1f} task runs per shard of questions"
    )
    outside = wall - covered(whole.spans)
    print(f"- the clock: {wall:.0f} s, {outside:.1f} s of them outside of any task: start, checks, pages, reports")


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, dest="command")
    one = commands.add_parser("share", help="a whole run against a slow teacher, with the real sandbox")
    one.add_argument("--questions", type=int, default=512)
    one.add_argument("--shard-size", type=int, default=ROWS)
    one.add_argument("--attempts", type=int, default=10)
    one.add_argument("--rigour", default="standard")
    one.add_argument("--tokens-per-s", type=float, default=Speed.tokens_per_s, help="of one of the teacher's answers")
    one.add_argument("--max-in-flight", type=int, default=256)
    one.add_argument("--at-once", type=int, default=4, help="shards under way")
    one.add_argument("--keep", type=Path, help="folder that the server's database is copied to")
    two = commands.add_parser("floor", help="a shard without work, with Prefect and without")
    two.add_argument("--tasks", type=int, default=200)
    two.add_argument("--rounds", type=int, default=3)
    two.add_argument("--at-once", type=int, default=1)
    three = commands.add_parser("database", help="what task runs take in SQLite and in PostgreSQL")
    three.add_argument("--tasks", type=int, default=2000)
    three.add_argument("--at-once", type=int, default=4)
    three.add_argument("--tasks-per-shard", type=int, default=28, help="of all stages, see `share`")
    three.add_argument("--shard-size", type=int, default=ROWS)
    way = commands.add_parser("way")
    way.add_argument("way")
    way.add_argument("count", type=int)
    way.add_argument("--at-once", type=int, default=1)
    given = parser.parse_args()
    if given.command == "way":
        with tempfile.TemporaryDirectory() as folder:
            print(*_measured_here(given.way, folder, given.count, given.at_once))
        return
    {"share": share, "floor": floor, "database": database}[given.command](given)


if __name__ == "__main__":
    main()
