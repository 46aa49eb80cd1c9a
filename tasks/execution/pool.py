"""A pool of warm boxes: back-pressure by slots, a fresh box after any anomaly, one pool per process."""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from tasks.errors import SandboxUnavailable
from tasks.execution import bubblewrap, dockerbox
from tasks.execution.box import Box
from tasks.execution.environment import site_digest
from tasks.execution.expected import entry_points, expected_tests
from tasks.execution.protocol import Case, Evidence, Limits, fits
from tasks.execution.verdicts import judge
from tasks.models import Coverage, Pair, PairVerdict, TestOutcome, Tier, Verdict
from tasks.settings import Backend, Sandbox

_HEAVY = ("numpy", "pandas")


def resolve_backend(settings: Sandbox) -> Backend:
    """The backend that ``auto`` stands for on this machine: Docker where a daemon answers and has the image."""
    if settings.backend is not Backend.AUTO:
        return settings.backend
    return Backend.DOCKER if dockerbox.has_image(settings.image) else Backend.BUBBLEWRAP


class SandboxPool:
    """Judges pairs in ``settings.slots`` boxes at once. Thread-safe; boxes start when they are first needed.

    Raises:
        SandboxUnavailable: from every method that runs a pair, when the sandbox itself fails.
    """

    def __init__(self, settings: Sandbox) -> None:
        self.settings = settings
        self.backend = resolve_backend(settings)
        self._start: Callable[[Sandbox], Box]
        if self.backend is Backend.DOCKER:
            self._start, self.image = dockerbox.start_box, dockerbox.image_id(settings.image)
        else:
            self._start, self.image = bubblewrap.start_box, site_digest()
        self._slots: queue.LifoQueue[Box | None] = queue.LifoQueue()
        for _ in range(settings.slots):
            self._slots.put(None)
        self._threads = ThreadPoolExecutor(settings.slots, thread_name_prefix="sandbox")

    def __enter__(self) -> SandboxPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all boxes. A pair that is under way fails with SandboxUnavailable."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._slots.empty():
            if box := self._slots.get():
                box.close()

    def run_all(self, pairs: Sequence[Pair], coverage: bool) -> list[PairVerdict]:
        """Verdicts in the order of the pairs."""
        return list(self._threads.map(lambda pair: self.run(pair, coverage), pairs))

    def run(self, pair: Pair, coverage: bool) -> PairVerdict:
        """Judge one pair; waits for a free slot."""
        expected, refusal = _screen(pair)
        if refusal is not None:
            return self._verdict(pair, *refusal, tests=[], evidence=None)
        text = pair.solution + pair.test
        case = Case(
            id=pair.id,
            files={
                **{file.name: file.content for file in pair.files},
                "solution.py": pair.solution,
                "test_solution.py": pair.test,
            },
            coverage=coverage,
            preload=[name for name in _HEAVY if name in text],
            limits=Limits(
                wall_s=self.settings.wall_s,
                memory_mb=self.settings.memory_mb,
                output_kb=self.settings.output_kb,
                processes=self.settings.processes,
                disk_mb=self.settings.disk_mb,
            ),
        )
        if not fits(case):
            return self._verdict(pair, Verdict.ERROR, "solution and tests are too large", tests=[], evidence=None)
        evidence = self._evidence(case)
        verdict, reason, tests = judge(expected, evidence)
        return self._verdict(pair, verdict, reason, tests=tests, evidence=evidence)

    def _evidence(self, case: Case) -> Evidence:
        """Run the case, once more in a fresh box if the first one dies under it."""
        box = self._slots.get()
        kept: Box | None = None
        try:
            for last_try in (False, True):
                box = box or self._start(self.settings)
                try:
                    evidence = box.run(case)
                except SandboxUnavailable:
                    box.close()
                    box = None
                    if last_try:
                        raise
                    continue
                if _suspicious(evidence) or box.cases >= self.settings.recycle_after:
                    box.close()
                else:
                    kept = box
                return evidence
            raise AssertionError("unreachable")
        finally:
            self._slots.put(kept)

    def _verdict(
        self, pair: Pair, verdict: Verdict, reason: str, tests: list[TestOutcome], evidence: Evidence | None
    ) -> PairVerdict:
        counted = evidence.coverage if evidence else None
        return PairVerdict(
            id=pair.id,
            verdict=verdict,
            reason=reason,
            integrity_tier=Tier.SHARED,
            tests=tests,
            coverage=Coverage(**counted.model_dump()) if counted else None,
            wall_s=evidence.wall_s if evidence else 0.0,
            cpu_s=evidence.cpu_s if evidence else 0.0,
            peak_mb=evidence.peak_mb if evidence else 0.0,
            output=evidence.output if evidence else "",
            backend=self.backend.value,
            image=self.image,
        )


def _screen(pair: Pair) -> tuple[list[str], tuple[Verdict, str] | None]:
    """What the tests must do, or the verdict that needs no run."""
    for name, source in (("solution", pair.solution), ("tests", pair.test)):
        try:
            compile(source, name, "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            return [], (
                Verdict.ERROR,
                f"the {name} do not parse: {error}".replace("solution do", "solution does"),
            )
    expected = expected_tests(pair.test)
    if not expected:
        return [], (Verdict.NO_TESTS, "the tests define no test function")
    used = entry_points(pair.test)
    if missing := sorted(set(pair.entry_points) - set(used)):
        return [], (Verdict.ERROR, f"the tests do not use the entry point {missing[0]}")
    return expected, None


def _suspicious(evidence: Evidence) -> bool:
    """Whether the box may carry traces of this case into the next."""
    return (
        evidence.timed_out
        or evidence.output_exceeded
        or evidence.malformed_evidence
        or not evidence.ended
        or evidence.leftover_processes > 0
        or not evidence.clean
    )


_pools: dict[Sandbox, SandboxPool] = {}
_pools_lock = threading.Lock()


def shared_pool(settings: Sandbox) -> SandboxPool:
    """The process's pool for these settings, closed when the process ends."""
    with _pools_lock:
        key = settings
        if key not in _pools:
            if not _pools:
                atexit.register(close_pools)
            _pools[key] = SandboxPool(settings)
        return _pools[key]


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


def check_sandbox(settings: Sandbox) -> str:
    """Judge a pair that must pass and one that must fail; say what did it.

    Raises:
        SandboxUnavailable: the sandbox does not work here (says what to do), or judges wrongly.
    """
    bad = _GOOD.model_copy(update={"id": "must-fail", "solution": "def double(x):\n    return x\n"})
    pool = shared_pool(settings)
    verdicts = [verdict.verdict for verdict in pool.run_all([_GOOD, bad], coverage=False)]
    if verdicts != [Verdict.PASSED, Verdict.FAILED]:
        raise SandboxUnavailable(
            f"the {pool.backend} sandbox gave {verdicts[0]} and {verdicts[1]} where passed and failed are right. "
            f"Do not trust it; run `kodforge doctor`, or choose another sandbox.backend"
        )
    return f"{pool.backend}, {pool.image[:19]}, {settings.slots} slots"
