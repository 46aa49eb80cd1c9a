"""Pairs to verdicts: the choice of the tier, the run in a box, the judgement, the second look for flakiness."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import secrets
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from types import TracebackType

from tasks.errors import SandboxUnavailable
from tasks.execution.box import USUAL_HASH_SEED, Box, Flavour
from tasks.execution.expected import entry_points, expected_tests, is_plain
from tasks.execution.facts import Facts, coverage_of, read_facts
from tasks.execution.protocol import Case, Evidence, Kind, Limits
from tasks.execution.slots import BoxKiller, Slots
from tasks.execution.tiers import forging_means, why_shared
from tasks.execution.verdicts import judge, judge_output, outcomes_of
from tasks.models import Pair, PairVerdict, TestOutcome, Tier, Verdict
from tasks.settings import Sandbox, TierChoice
from tasks.syntax import imports

_SLOW_IMPORTS: list[tuple[set[str], tuple[str, ...]]] = [
    ({"torch"}, ("numpy", "torch")),
    ({"sklearn", "seaborn", "matplotlib"}, ("numpy", "pandas", "sklearn", "matplotlib.pyplot", "seaborn")),
    ({"scipy", "sympy", "networkx"}, ("numpy", "scipy", "sympy", "networkx")),
    ({"flask", "requests", "bs4", "lxml", "yaml"}, ("flask", "requests", "bs4", "lxml.html", "yaml")),
    ({"pandas"}, ("numpy", "pandas")),
    ({"numpy"}, ("numpy",)),
]
"""What a box has imported before it runs pairs that import one of these."""
_MEASURE = "sandbox_image.measure"
_IN_FLIGHT_PER_SLOT = 4


@dataclass
class _Judged:
    """What came of one look at a pair."""

    verdict: Verdict
    reason: str
    tier: Tier = Tier.ISOLATED
    tier_reason: str = ""
    tests: list[TestOutcome] = field(default_factory=list)
    runs: list[Evidence] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)


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

    def run_all(self, pairs: Sequence[Pair], coverage: bool) -> list[PairVerdict]:
        """Verdicts in the order of the pairs."""
        return list(self.run_each(pairs, coverage))

    def run_each(self, pairs: Iterable[Pair], coverage: bool) -> Iterator[PairVerdict]:
        """Verdicts in the order of the pairs, with a few pairs per slot in memory at a time."""
        source, waiting = iter(pairs), deque[Future[PairVerdict]]()
        while True:
            room = self.settings.slots * _IN_FLIGHT_PER_SLOT - len(waiting)
            waiting.extend(self._threads.submit(self.run, pair, coverage) for pair in itertools.islice(source, room))
            if not waiting:
                return
            yield waiting.popleft().result()

    def run(self, pair: Pair, coverage: bool) -> PairVerdict:
        """Judge one pair; waits for a free slot."""
        try:
            judged = self._judged(pair, coverage)
            for seed in range(1, self.settings.reruns + 1):
                if judged.verdict is not Verdict.PASSED:
                    break
                again = self._judged(pair, False, seed)
                if again.verdict is not Verdict.PASSED:
                    judged.verdict = Verdict.FLAKY
                    judged.reason = f"passed, but with other seeds and test order {again.verdict}: {again.reason}"
        except BoxKiller:
            judged = _Judged(
                Verdict.TAMPERED, "two boxes died under it, and none under a pair that is known to be good"
            )
        return self._row(pair, judged)

    def _judged(self, pair: Pair, coverage: bool, seed: int | None = None) -> _Judged:
        look = self._programs if pair.io else self._tests
        return look(pair, coverage, seed)

    def _programs(self, pair: Pair, coverage: bool, seed: int | None) -> _Judged:
        """Run the solution as a program on each input; the outputs are compared out here."""
        if refusal := _unreadable("solution", pair.solution):
            return _Judged(Verdict.ERROR, refusal)
        found = _Judged(Verdict.PASSED, f"all {len(pair.io)} outputs are as expected")
        for number, run in enumerate(pair.io):
            case = self._case(pair, coverage, seed, stdin=run.stdin)
            evidence = self._run(Kind.PROGRAM, case, seed)
            verdict, reason = judge_output(run.stdout, evidence)
            passed = verdict is Verdict.PASSED
            outcome = TestOutcome(
                test_id=f"io[{number}]",
                outcome="passed" if passed else "failed",
                duration_s=evidence.wall_s,
                message="" if passed else reason,
            )
            found.tests.append(outcome)
            found.runs.append(evidence)
            found.facts.append(read_facts(evidence.said, case.token))
            if not passed and found.verdict is Verdict.PASSED:
                found.verdict, found.reason = verdict, f"input {number}: {reason}"
        return found

    def _tests(self, pair: Pair, coverage: bool, seed: int | None) -> _Judged:
        expected, refusal = _screen(pair)
        if refusal is not None:
            return _Judged(*refusal)
        case = replace(self._case(pair, coverage, seed), plain=is_plain(pair.test), expected=expected)
        if not case.fits():
            return _Judged(Verdict.ERROR, "solution and tests are too large")
        why = "asked for" if self.settings.tier is TierChoice.SHARED else why_shared(pair.test)
        if not why:
            found = self._look(Kind.APART, case, expected, seed)
            stopped = found.facts[0].stopped
            unportable = stopped is not None and stopped.stopped == "unportable"
            if not unportable or self.settings.tier is TierChoice.ISOLATED:
                return found
            why = found.reason
        if self.settings.tier is TierChoice.ISOLATED:
            return _Judged(Verdict.ERROR, f"the tests cannot be isolated from the solution: {why}")
        if means := forging_means(pair.solution):
            reason = f"{means}, with which it could forge a verdict; its tests cannot be isolated from it: {why}"
            return _Judged(Verdict.TAMPERED, reason, Tier.SHARED, why)
        found = self._look(Kind.TOGETHER, case, expected, seed)
        found.tier, found.tier_reason = Tier.SHARED, why
        return found

    def _look(self, kind: Kind, case: Case, expected: Sequence[str], seed: int | None) -> _Judged:
        """Run the tests, without pytest where that can do, and judge."""
        evidence = self._run(kind, case, seed)
        facts = read_facts(evidence.said, case.token)
        if facts.stopped and facts.stopped.stopped == "plain":
            case = replace(case, plain=False)
            evidence = self._run(kind, case, seed)
            facts = read_facts(evidence.said, case.token)
        found = _Judged(*judge(expected, evidence, facts), runs=[evidence], facts=[facts])
        found.tests = outcomes_of(facts.reports)
        if facts.ended and facts.ended.judged:
            found.tier, found.tier_reason = Tier.SHARED, f"the solution's own code compared: {facts.ended.judged}"
        return found

    def _case(self, pair: Pair, coverage: bool, seed: int | None, stdin: str = "") -> Case:
        return Case(
            files={**{file.name: file.content for file in pair.files}, "solution.py": pair.solution},
            test=pair.test,
            stdin=stdin,
            token=secrets.token_hex(16),
            coverage=coverage,
            seed=seed,
            limits=Limits(
                wall_s=self.settings.wall_s,
                memory_mb=self.settings.memory_mb,
                output_kb=self.settings.output_kb,
                processes=self.settings.processes,
                disk_mb=self.settings.disk_mb,
            ),
        )

    def _run(self, kind: Kind, case: Case, seed: int | None) -> Evidence:
        wanted = _imports(case.files["solution.py"], case.test)
        preload = next((modules for names, modules in _SLOW_IMPORTS if names & wanted), ())
        if case.coverage:
            preload = (*preload, _MEASURE)
        return self._slots.run(kind, case, Flavour(preload, USUAL_HASH_SEED if seed is None else seed))

    def _row(self, pair: Pair, judged: _Judged) -> PairVerdict:
        ended = [facts.ended for facts in judged.facts if facts.ended]
        return PairVerdict(
            id=pair.id,
            verdict=judged.verdict,
            reason=judged.reason,
            integrity_tier=judged.tier,
            tier_reason=judged.tier_reason,
            tests=judged.tests,
            coverage=coverage_of([run.coverage for run in ended if run.coverage]),
            imported=sorted(_imports(pair.solution, pair.test).union(*(run.imported for run in ended))),
            wall_s=sum(run.wall_s for run in judged.runs),
            cpu_s=sum(run.cpu_s for run in judged.runs),
            peak_mb=max((run.peak_mb for run in judged.runs), default=0.0),
            output="".join(run.output for run in judged.runs)[: self.settings.output_kb << 10],
            backend=self.backend.value,
            image=self.image,
        )


def _imports(*sources: str) -> set[str]:
    """Top-level modules that sources import; of one that does not parse none."""
    found: set[str] = set()
    for source in sources:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            found |= imports(source)
    return found - {"solution"}


def _unreadable(name: str, source: str) -> str:
    """Why a source is no Python; empty where it is."""
    try:
        compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return f"the {name} {'does' if name == 'solution' else 'do'} not parse: {error}"
    return ""


def _screen(pair: Pair) -> tuple[list[str], tuple[Verdict, str] | None]:
    """What the tests must do, or the verdict that needs no run."""
    for name, source in (("solution", pair.solution), ("tests", pair.test)):
        if refusal := _unreadable(name, source):
            return [], (Verdict.ERROR, refusal)
    expected = expected_tests(pair.test)
    if not expected:
        return [], (Verdict.NO_TESTS, "the tests define no test function")
    used = entry_points(pair.test)
    if missing := sorted(set(pair.entry_points) - set(used)):
        return [], (Verdict.ERROR, f"the tests do not use the entry point {missing[0]}")
    return expected, None


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
    verdicts = [verdict.verdict for verdict in pool.run_all([_GOOD, bad], coverage=False)]
    if verdicts != [Verdict.PASSED, Verdict.FAILED]:
        raise SandboxUnavailable(
            f"the {pool.backend} sandbox gave {verdicts[0]} and {verdicts[1]} where passed and failed are right. "
            f"Do not trust it; run `kodforge doctor`, or choose another sandbox.backend"
        )
    return f"{pool.backend}, {pool.image[:19]}, {settings.slots} slots"
