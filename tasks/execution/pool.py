"""Pairs to verdicts, many at once: each is looked at, and looked at again for flakiness where that is asked for."""

from __future__ import annotations

import atexit
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from tasks import metrics
from tasks.errors import SandboxUnavailable
from tasks.execution.box import Box
from tasks.execution.examination import Examination, Judged
from tasks.execution.expected import expected_tests
from tasks.execution.facts import coverage_of, read_facts
from tasks.execution.flakiness import rerun
from tasks.execution.protocol import Case, Conditions, Kind, Limits
from tasks.execution.slots import DIED, BoxKiller, Slots
from tasks.execution.verdicts import judge
from tasks.models import Pair, PairVerdict, Verdict
from tasks.settings import Sandbox, TierChoice
from tasks.timings import Waiting, waiting_for

_IN_FLIGHT_PER_SLOT = 4


@dataclass(frozen=True)
class Look:
    """How closely a pair is looked at.

    Attributes:
        coverage: whether coverage of the solution is measured.
        reruns: so many more runs of a pass, under other conditions, to find flaky ones.
        first_failure: stop at the first test that does not pass, which is enough to know that a mutant is caught.
        wall_s: wall time in seconds, instead of the settings'.
        tier: instead of the settings'.
    """

    coverage: bool = False
    reruns: int = 0
    first_failure: bool = False
    wall_s: float | None = None
    tier: TierChoice | None = None


_LOOK = Look()
_KILLED_BOXES = "two boxes died under it, and none under a pair that is known to be good"
T = TypeVar("T")


class SandboxPool:
    """Judges pairs in ``settings.slots`` boxes at once. Thread-safe.

    Raises:
        SandboxUnavailable: from every method that runs a pair, when the sandbox itself fails.
    """

    def __init__(self, settings: Sandbox) -> None:
        self.settings = settings
        self._slots = Slots(settings, _canary)
        self.backend, self.image = self._slots.backend, self._slots.image
        self._threads = ThreadPoolExecutor(settings.slots, thread_name_prefix="sandbox")
        self._queued, self._counting = 0, threading.Lock()
        self._labels = {"backend": self.backend.value}
        metrics.start_metrics()
        metrics.BOXES.add(0, {"cause": DIED, **self._labels})  # as with shards that failed
        metrics.SLOTS.watch(self._metered_slots)
        metrics.BUSY.watch(self._metered_busy)
        metrics.QUEUE.watch(self._metered_queue)

    def __enter__(self) -> SandboxPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all boxes, after the pairs under way."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._slots.close()

    def run_all(self, pairs: Sequence[Pair], look: Look = _LOOK) -> list[PairVerdict]:
        """Verdicts in the order of the pairs.

        All are run once before the first is run again, those with the same modules to preload one after the other: each
        re-run and each set of modules takes boxes of its own, which are then started once and not for every pair.
        """
        examinations = [self._examination(pair, look) for pair in pairs]
        places = sorted(range(len(pairs)), key=lambda place: examinations[place].preload)
        examinations = [examinations[place] for place in places]
        rows = list(self._stream(lambda each: self._first(each, look.coverage), examinations))
        for number in range(1, look.reruns + 1):
            again = partial(self._again, number)
            rows = list(self._stream(again, zip(examinations, rows, strict=True)))
        return [row for _, row in sorted(zip(places, rows, strict=True), key=lambda one: one[0])]

    def run_each(self, jobs: Iterable[tuple[Pair, Look]]) -> Iterator[PairVerdict]:
        """Verdicts in the order of the pairs, with a few pairs per slot in memory at a time.

        A caller who has seen enough may close the iterator: what has not begun is not run.
        """
        return self._stream(lambda job: self.run(*job), jobs)

    def run(self, pair: Pair, look: Look = _LOOK) -> PairVerdict:
        """Judge one pair; waits for a free slot."""
        examination = self._examination(pair, look)
        row = self._first(examination, look.coverage)
        for number in range(1, look.reruns + 1):
            row = self._again(number, (examination, row))
        return row

    def _stream(self, work: Callable[[T], PairVerdict], items: Iterable[T]) -> Iterator[PairVerdict]:
        source, waiting = iter(items), deque[Future[PairVerdict]]()
        try:
            while True:
                room = self.settings.slots * _IN_FLIGHT_PER_SLOT - len(waiting)
                waiting.extend(self._submit(work, item) for item in itertools.islice(source, room))
                if not waiting:
                    return
                with waiting_for(Waiting.SANDBOX):
                    row = waiting.popleft().result()
                yield row
        finally:
            for future in waiting:
                if future.cancel():
                    self._queue(-1)

    def _submit(self, work: Callable[[T], PairVerdict], item: T) -> Future[PairVerdict]:
        def begin() -> PairVerdict:
            self._queue(-1)
            return work(item)

        self._queue(1)
        return self._threads.submit(begin)

    def _queue(self, change: int) -> None:
        with self._counting:
            self._queued += change

    def _metered_slots(self) -> metrics.Reading:
        return [(self.settings.slots, self._labels)]

    def _metered_busy(self) -> metrics.Reading:
        return [(self._slots.busy, self._labels)]

    def _metered_queue(self) -> metrics.Reading:
        return [(self._queued + self._slots.waiting, self._labels)]

    def _first(self, examination: Examination, coverage: bool) -> PairVerdict:
        try:
            row = self._row(examination, examination.judge(Conditions(), coverage))
        except BoxKiller:
            row = self._row(examination, Judged(Verdict.TAMPERED, _KILLED_BOXES))
        self._measure(row, row.sandbox_s)
        return row

    def _measure(self, row: PairVerdict, seconds: float) -> None:
        labels = {**self._labels, "tier": row.integrity_tier.value}
        metrics.RUNS.add(1, {**labels, "verdict": row.verdict.value})
        metrics.RUN_DURATION.record(seconds, labels)

    def _again(self, number: int, seen: tuple[Examination, PairVerdict]) -> PairVerdict:
        """The verdict after re-run 1, 2, …, which only a pair that has passed so far gets."""
        examination, row = seen
        if row.verdict is not Verdict.PASSED:
            return row
        found: dict[str, Any] = {}
        try:
            if flaky := rerun(examination.judge, number):
                found = {"verdict": Verdict.FLAKY, "reason": flaky.reason, "flaky_over": flaky.over}
        except BoxKiller:
            found = {"verdict": Verdict.TAMPERED, "reason": _KILLED_BOXES}
        again = row.model_copy(update={**found, "sandbox_s": examination.seconds})
        self._measure(again, again.sandbox_s - row.sandbox_s)
        return again

    def _examination(self, pair: Pair, look: Look) -> Examination:
        return Examination(
            pair, look.tier or self.settings.tier, self._limits(look), look.first_failure, self._slots.run
        )

    def _limits(self, look: Look) -> Limits:
        return Limits(
            wall_s=self.settings.wall_s if look.wall_s is None else look.wall_s,
            memory_mb=self.settings.memory_mb,
            output_kb=self.settings.output_kb,
            processes=self.settings.processes,
            disk_mb=self.settings.disk_mb,
        )

    def _row(self, examination: Examination, judged: Judged) -> PairVerdict:
        ended = [facts.ended for facts in judged.facts if facts.ended]
        return PairVerdict(
            id=examination.pair.id,
            verdict=judged.verdict,
            reason=judged.reason,
            integrity_tier=judged.tier,
            tier_reason=judged.tier_reason,
            tests=judged.tests,
            coverage=coverage_of([run.coverage for run in ended if run.coverage]),
            imported=sorted(examination.imports.union(*(run.imported for run in ended))),
            flaky_over=[],
            wall_s=sum(run.wall_s for run in judged.runs),
            cpu_s=sum(run.cpu_s for run in judged.runs),
            peak_mb=max((run.peak_mb for run in judged.runs), default=0.0),
            sandbox_s=examination.seconds,
            output="".join(run.output for run in judged.runs)[: self.settings.output_kb << 10],
            backend=self.backend.value,
            image=self.image,
        )


_pools: dict[Sandbox, SandboxPool] = {}
_pools_lock = threading.Lock()


def shared_pool(settings: Sandbox) -> SandboxPool:
    """The process's pool for these settings, closed when the process ends."""
    with _pools_lock:
        if settings not in _pools:
            if not _pools:
                atexit.register(close_pools)
            _pools[settings] = SandboxPool(settings)
        return _pools[settings]


def close_pools() -> None:
    """End all boxes of the process's shared pools."""
    with _pools_lock:
        while _pools:
            _pools.popitem()[1].close()


_GOOD = Pair(
    id="must-pass",
    solution="def double(x):\n    return 2 * x\n",
    test="from solution import double\n\n\ndef test_double():\n    assert double(2) == 4\n",
)
_LIMITS = Limits(wall_s=30, memory_mb=512, output_kb=64, processes=16, disk_mb=16)


def _canary(box: Box) -> bool:
    """Whether a box passes a pair that is known to be good."""
    files = {"solution.py": _GOOD.solution}
    case = Case(files=files, test=_GOOD.test, limits=_LIMITS)
    evidence = box.run(Kind.APART, case)
    return judge(expected_tests(_GOOD.test), evidence, read_facts(evidence.said, ""))[0] is Verdict.PASSED


def check_sandbox(settings: Sandbox) -> str:
    """Judge a pair that must pass and one that must fail; say what did it.

    Raises:
        SandboxUnavailable: the sandbox does not work here (says what to do), or judges wrongly.
    """
    bad = _GOOD.model_copy(update={"id": "must-fail", "solution": "def double(x):\n    return x\n"})
    pool = shared_pool(settings)
    verdicts = [verdict.verdict for verdict in pool.run_all([_GOOD, bad])]
    if verdicts != [Verdict.PASSED, Verdict.FAILED]:
        raise SandboxUnavailable(
            f"the {pool.backend} sandbox gave {verdicts[0]} and {verdicts[1]} where passed and failed are right. "
            f"Do not trust it; run `kodforge doctor`, or choose another sandbox.backend"
        )
    return f"{pool.backend}, {pool.image[:19]}, {settings.slots} slots"
