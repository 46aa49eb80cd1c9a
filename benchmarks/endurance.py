"""Many cases on end: no growth of time, memory or descriptors; and a long file through ``kodforge verify``."""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from benchmarks.breakdown import simple_pairs
from benchmarks.contenders import cores, kodforge_pool
from benchmarks.memory import MB, held
from tasks.execution.pool import Look
from tasks.files import row_writer
from tasks.models import Pair
from tasks.settings import Backend

_ROWS = 1000


def quick_pairs() -> list[Pair]:
    """Pairs of which no single one takes long, so that many can run."""
    with kodforge_pool(Backend.BUBBLEWRAP, 1) as pool:
        return [pair for pair in simple_pairs() if pool.run(pair).wall_s < 0.02]


def many(quick: list[Pair]) -> Iterator[Pair]:
    """The pairs over and over, each time under another id."""
    for round_ in itertools.count():
        for pair in quick:
            yield pair.model_copy(update={"id": f"{pair.id}#{round_}"})


def run_cases(quick: list[Pair], cases: int) -> None:
    """Print what is held and how fast it goes, ten times on the way."""
    print(f"## {cases} cases in {cores()} slots on bubblewrap\n")
    print("| cases | pairs/s since the last row | own memory, MB | boxes' memory, MB | descriptors | processes |")
    print("|---|---|---|---|---|---|")
    step = max(1, cases // 10)
    with kodforge_pool(Backend.BUBBLEWRAP, cores()) as pool:
        began = time.perf_counter()
        for number, _ in enumerate(pool.run_each((pair, Look()) for pair in itertools.islice(many(quick), cases)), 1):
            if number % step == 0:
                rate, now = step / (time.perf_counter() - began), held()
                print(
                    f"| {number} | {rate:.1f} | {now.own_mb:.0f} | {now.boxes_mb:.0f} | {now.descriptors} "
                    f"| {now.processes} |",
                    flush=True,
                )
                began = time.perf_counter()


def verify_file(quick: list[Pair], cases: int) -> None:
    """Run ``kodforge verify`` over a Parquet file, kill it half-way, run it again; print its memory."""
    with tempfile.TemporaryDirectory() as folder:
        pairs, verdicts = Path(folder) / "pairs.parquet", Path(folder) / "verdicts.parquet"
        with row_writer(pairs, Pair) as write:
            source = itertools.islice(many(quick), cases)
            while rows := list(itertools.islice(source, _ROWS)):
                write(rows)
        print(f"\n## kodforge verify over {cases} pairs, killed with SIGKILL half-way and run again\n")
        print("| run | seconds | parts done | memory at a tenth, MB | at the end, MB | most, MB |")
        print("|---|---|---|---|---|---|")
        parts = verdicts.with_name(f"{verdicts.name}.parts")
        for half in (True, False):
            command = [sys.executable, "-m", "flows.cli", "verify", str(pairs), "--out", str(verdicts)]
            began = time.perf_counter()
            running = subprocess.Popen([*command, "--backend", "bubblewrap"], stdout=subprocess.DEVNULL)
            memory = []
            done = 0
            while running.poll() is None:
                time.sleep(1)
                done = len(list(parts.rglob("receipts/*.json"))) if parts.exists() else done
                memory.append(psutil.Process(running.pid).memory_info().rss / MB if running.poll() is None else 0)
                if half and done * 500 >= cases // 2:
                    running.kill()
            running.wait()
            memory = [figure for figure in memory if figure] or [0.0]
            took = time.perf_counter() - began
            print(
                f"| {'killed' if half else 'run again'} | {took:.0f} | {done} | {memory[len(memory) // 10]:.0f} "
                f"| {memory[-1]:.0f} | {max(memory):.0f} |",
                flush=True,
            )
        written = pq.ParquetFile(verdicts).metadata.num_rows
        print(f"\n{written} verdicts written, {cases} pairs given")


def main() -> None:
    """Print a table of each."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cases", type=int, default=20_000)
    options.add_argument("--verify", type=int, default=100_000, help="pairs for `kodforge verify`; 0 leaves it out")
    chosen = options.parse_args()
    quick = quick_pairs()
    run_cases(quick, chosen.cases)
    if chosen.verify:
        verify_file(quick, chosen.verify)


if __name__ == "__main__":
    main()
