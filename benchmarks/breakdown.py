"""Where the time of a pair goes, what its floor is, what a second slot gives, and what a slot holds in memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.contenders import cores, kodforge_pool, pytest_process
from benchmarks.corpus import corpus
from benchmarks.memory import held
from tasks.execution.box import Flavour
from tasks.execution.pool import Look
from tasks.execution.protocol import Case, Evidence, Kind
from tasks.execution.slots import Slots
from tasks.models import Pair
from tasks.settings import Backend, TierChoice
from tasks.syntax import imports

_FEW, _WARM = 40, 20


class _Watch:
    """Notes the seconds of each run in a box, as the pool and as the box's supervisor see them."""

    def __init__(self) -> None:
        self.box = self.inside = 0.0
        run = Slots.run

        def watched(slots: Slots, kind: Kind, case: Case, flavour: Flavour) -> Evidence:
            began = time.perf_counter()
            evidence = run(slots, kind, case, flavour)
            self.box += time.perf_counter() - began
            self.inside += evidence.wall_s
            return evidence

        Slots.run = watched  # type: ignore[method-assign]


def simple_pairs() -> list[Pair]:
    """Pairs that the floor can run: tests and solution import nothing but the standard library and each other."""
    allowed = {*sys.stdlib_module_names, "solution"}
    return [
        pair
        for pair in corpus()
        if pair.test and not pair.io and not pair.files and imports(pair.test) | imports(pair.solution) <= allowed
    ]


def floor_ms(pairs: Sequence[Pair]) -> list[float]:
    """Milliseconds of each pair with nothing around it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.json"
        file.write_text(json.dumps([(pair.solution, pair.test) for pair in pairs]), "utf-8")
        command = [sys.executable, "-m", "benchmarks.floor", str(file), folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [float(took) for took in json.loads(done.stdout.splitlines()[-1])]


def where_the_time_goes(pairs: Sequence[Pair]) -> None:
    """One pair after another, in each tier, with coverage and without."""
    watch = _Watch()
    print("| ms per pair, one after another | median | mean | host | to and from the box | in the box | tests' code |")
    print("|---|---|---|---|---|---|---|")
    floor = floor_ms(pairs)
    print(
        f"| floor: fork, execute both files | {statistics.median(floor):.1f} | {statistics.mean(floor):.1f} | | | | |"
    )
    for tier in (TierChoice.AUTO, TierChoice.SHARED):
        for coverage in (False, True):
            with kodforge_pool(Backend.BUBBLEWRAP, 1, tier) as pool:
                for pair in pairs[:_WARM]:
                    pool.run(pair, Look(coverage=coverage))
                watch.box = watch.inside = tests = 0.0
                took = []
                for pair in pairs:
                    began = time.perf_counter()
                    verdict = pool.run(pair, Look(coverage=coverage))
                    took.append(time.perf_counter() - began)
                    tests += sum(test.duration_s for test in verdict.tests)
            parts = (sum(took) - watch.box, watch.box - watch.inside, watch.inside - tests, tests)
            means = " | ".join(f"{1000 * part / len(pairs):.1f}" for part in parts)
            name = f"{'isolated' if tier is TierChoice.AUTO else 'shared'}{', coverage' if coverage else ''}"
            print(f"| {name} | {1000 * statistics.median(took):.1f} | {1000 * statistics.mean(took):.1f} | {means} |")


def _rate(judge: Callable[[Pair], object], pairs: Sequence[Pair], workers: int) -> float:
    with ThreadPoolExecutor(workers) as threads:
        list(threads.map(judge, pairs[:_WARM]))
        began = time.perf_counter()
        list(threads.map(judge, pairs))
        return len(pairs) / (time.perf_counter() - began)


def what_slots_give(pairs: Sequence[Pair]) -> None:
    """Pairs per second by slots, beside what the machine gives to pytest processes."""
    numbers = sorted({1, 2, cores()} - ({2} if cores() < 2 else set()))
    print("\n| slots | kodforge, pairs/s | times one slot | pytest processes, pairs/s | times one |")
    print("|---|---|---|---|---|")
    first: tuple[float, float] | None = None
    for number in numbers:
        with kodforge_pool(Backend.BUBBLEWRAP, number) as pool:
            ours = _rate(lambda pair, pool=pool: pool.run(pair), pairs, number)
        with pytest_process(False) as judge:
            theirs = _rate(judge, pairs[:_FEW], number)
        first = first or (ours, theirs)
        print(f"| {number} | {ours:.1f} | {ours / first[0]:.2f} | {theirs:.1f} | {theirs / first[1]:.2f} |")


def what_a_slot_holds(pairs: Sequence[Pair]) -> None:
    """Memory of one slot's boxes: the usual one, and with more that have libraries imported."""
    libraries = [pair for pair in corpus() if {"numpy", "pandas"} & imports(pair.solution)]
    print("\n| one slot after | boxes' memory, MB | processes |\n|---|---|---|")
    with kodforge_pool(Backend.BUBBLEWRAP, 1) as pool:
        for name, some in (("pairs without libraries", pairs[:_WARM]), ("pairs with numpy and pandas", libraries)):
            for pair in some:
                pool.run(pair)
            now = held()
            print(f"| {name} | {now.boxes_mb:.0f} | {now.processes} |")


def main() -> None:
    """Print three tables."""
    pairs = simple_pairs()
    print(f"{len(pairs)} pairs that import nothing but the standard library\n")
    where_the_time_goes(pairs)
    what_slots_give(pairs)
    what_a_slot_holds(pairs)


if __name__ == "__main__":
    main()
