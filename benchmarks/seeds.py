"""A source of a million seeds: memory, speed, and a ``kill -9`` in the middle. No teacher is asked.

Each run reads a file, screens every seed, and draws one prompt per seed, as the flow does: in a process of its own
whose memory is measured from outside.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from prefect import flow
from rich.console import Console
from rich.table import Table

from flows.console.options import load_config
from tasks.run import Run, StageName
from tasks.sourcing.stage import collect_all_seeds

WORDS = [hashlib.sha256(str(number).encode()).hexdigest()[: 3 + number % 7] for number in range(5000)]
TOPICS = 40


def rows(count: int) -> Iterator[dict[str, str]]:
    """Problems of about 1,000 characters, all different, with topics of unequal size."""
    rng = random.Random(0)
    for number in range(count):
        topic = f"topic-{min(rng.randrange(TOPICS), rng.randrange(TOPICS))}"
        text = " ".join(rng.choices(WORDS, k=150))
        yield {"id": str(number), "title": f"Problem {number}", "question": text, "topic": topic}


def write_file(path: Path, count: int) -> None:
    """The file of seeds."""
    schema = pa.schema([(name, pa.string()) for name in ("id", "title", "question", "topic")])
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        part: list[dict[str, str]] = []
        for row in rows(count):
            part.append(row)
            if len(part) == 5000:
                file.write_table(pa.Table.from_pylist(part, schema=schema))
                part = []
        if part:
            file.write_table(pa.Table.from_pylist(part, schema=schema))


def config(seeds: str, store: str, count: int):
    """A run over that file."""
    values = [f"store={store}", "run=seeds", "only=[Taco]", f"subsets.Taco.count={count}"]
    values += [f"subsets.Taco.seeds.path={seeds}", "subsets.Taco.seeds.licence=MIT", "shard_size=256"]
    return load_config("demo", values)


@flow(name="benchmark-seeds")
def collect(seeds: str, store: str, count: int) -> None:
    """The part of the flow that is measured."""
    settings = config(seeds, store, count)
    collect_all_seeds(Run(config=settings, teachers=settings.teachers))


class Child:
    """A process that collects, and its largest resident memory in MB."""

    def __init__(self, seeds: Path, store: Path, count: int) -> None:
        environment = {**os.environ, "PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        arguments = [sys.executable, "-m", "benchmarks.seeds", "--child", str(seeds), str(store), str(count)]
        self._process = subprocess.Popen(arguments, env=environment, stdout=subprocess.DEVNULL)
        self._seen = psutil.Process(self._process.pid)
        self.peak, self.started = 0.0, time.monotonic()

    def wait(self, until: float = float("inf")) -> float:
        """Seconds until it has ended, or until it has run for so long and is killed."""
        while self._process.poll() is None:
            try:
                self.peak = max(self.peak, self._seen.memory_info().rss / 2**20)
            except psutil.NoSuchProcess:
                break
            if time.monotonic() - self.started > until:
                for process in [self._seen, *self._seen.children(recursive=True)]:  # the temporary server, too
                    process.kill()
            time.sleep(0.1)
        if self._process.wait() not in (0, -9):
            raise RuntimeError(f"the child ended with {self._process.returncode}")
        return time.monotonic() - self.started


def contents(store: Path) -> list[str]:
    """Hashes of all shards that a run wrote."""
    run = Run(config=config("", str(store), 1), teachers=config("", str(store), 1).teachers)
    return [receipt.content for name in (StageName.SEEDS, StageName.PROMPTS) for receipt in run.receipts(name)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    given = parser.parse_args()
    if given.child:
        seeds, store, count = given.child
        collect(seeds, store, int(count))
        return
    table = Table()
    for name in ("seeds", "run", "seconds", "seeds a second", "peak MB", "shards equal"):
        table.add_column(name, justify="left" if name == "run" else "right")
    with tempfile.TemporaryDirectory(prefix="kodforge-") as folder:
        for count in given.counts:
            seeds, whole, cut = (Path(folder) / f"{name}-{count}" for name in ("seeds.parquet", "whole", "cut"))
            seeds = seeds.with_suffix(".parquet")
            write_file(seeds, count)
            child = Child(seeds, whole, count)
            took = child.wait()
            table.add_row(f"{count:,}", "whole", f"{took:.0f}", f"{count / took:,.0f}", f"{child.peak:.0f}", "")
            if count == given.counts[-1]:
                Child(seeds, cut, count).wait(until=took / 2)
                child = Child(seeds, cut, count)
                took = child.wait()
                equal = "yes" if contents(cut) == contents(whole) else "NO"
                told = f"{count:,}", "after kill -9 in the middle", f"{took:.0f}", f"{count / took:,.0f}"
                table.add_row(*told, f"{child.peak:.0f}", equal)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
