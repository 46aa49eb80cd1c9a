"""One pair looked at: the choice of the tier, the runs in boxes, and what comes of them."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from sandbox_image.tests_side import CALLED_BACK
from tasks.errors import SandboxUnavailable
from tasks.execution.box import Flavour
from tasks.execution.expected import entry_points, expected_tests, is_plain, star_names
from tasks.execution.facts import Facts, read_facts
from tasks.execution.protocol import Case, Conditions, Evidence, Kind, Limits
from tasks.execution.tiers import blind_comparison, forging_means, taken_over, why_shared
from tasks.execution.verdicts import judge, judge_output, outcomes_of
from tasks.models import Pair, TestOutcome, Tier, Verdict
from tasks.settings import TierChoice
from tasks.syntax import UNREADABLE, imports

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
_TRAVEL = "time_machine"


@dataclass
class Judged:
    """What came of a look at a pair."""

    verdict: Verdict
    reason: str
    tier: Tier = Tier.ISOLATED
    tier_reason: str = ""
    tests: list[TestOutcome] = field(default_factory=list)
    runs: list[Evidence] = field(default_factory=list)
    facts: list[Facts] = field(default_factory=list)


class Examination:
    """The runs of one pair.

    Args:
        tier: that the settings ask for.
        first_failure: whether to stop at the first test, or output, that is wrong.
        run: runs a case in a box of a flavour.

    Attributes:
        seconds: wall time of all runs so far.
    """

    def __init__(
        self,
        pair: Pair,
        tier: TierChoice,
        limits: Limits,
        first_failure: bool,
        run: Callable[[Kind, Case, Flavour], Evidence],
    ) -> None:
        self.pair, self._tier, self._limits, self._first_failure = pair, tier, limits, first_failure
        self._run_in_box = run
        self.seconds = 0.0

    @cached_property
    def imports(self) -> set[str]:
        """Top-level modules that the pair imports."""
        return _imports(self.pair.solution, self.pair.test)

    @cached_property
    def preload(self) -> tuple[str, ...]:
        """Modules that its box should have loaded before, as they load slowly."""
        return next((modules for names, modules in _SLOW_IMPORTS if names & self.imports), ())

    def judge(self, conditions: Conditions, coverage: bool = False) -> Judged:
        """Run the pair under conditions, and judge what it did.

        Raises:
            BoxKiller: boxes die under it, and under no other.
            SandboxUnavailable: the sandbox itself fails.
        """
        case = Case(
            files={**{file.name: file.content for file in self.pair.files}, "solution.py": self.pair.solution},
            test=self.pair.test,
            token=secrets.token_hex(16),
            coverage=coverage,
            first_failure=self._first_failure,
            conditions=conditions,
            limits=self._limits,
        )
        try:
            return self._programs(case) if self.pair.io else self._tests(case)
        except UNREADABLE as error:  # of the host's own look at the sources; a box's troubles are errors of other kinds
            return Judged(Verdict.ERROR, f"solution or tests cannot be read: {type(error).__name__}")

    def _programs(self, case: Case) -> Judged:
        """Run the solution as a program on each input; the outputs are compared out here."""
        if refusal := _unreadable("solution", self.pair.solution):
            return Judged(Verdict.ERROR, refusal)
        found = Judged(Verdict.PASSED, f"all {len(self.pair.io)} outputs are as expected")
        for number, run in enumerate(self.pair.io):
            evidence = self._run(Kind.PROGRAM, replace(case, stdin=run.stdin))
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
            if not passed and (case.first_failure or verdict is Verdict.TIMEOUT):  # which each input may cost again
                break
        return found

    def _tests(self, case: Case) -> Judged:
        expected, refusal = _screen(self.pair)
        if refusal is not None:
            return Judged(*refusal)
        given, _ = star_names(case.test)
        case = replace(case, plain=is_plain(case.test), expected=expected, star=sorted(given))
        if not case.fits():
            return Judged(Verdict.ERROR, "solution and tests are too large")
        why = "asked for" if self._tier is TierChoice.SHARED else why_shared(case.test)
        if not why:
            found = self._look(Kind.APART, case, expected)
            stopped = found.facts[0].stopped
            lowered = found.tier is Tier.SHARED and found.verdict is Verdict.PASSED
            if lowered and (means := blind_comparison(self.pair.solution)):
                found.verdict, found.reason = Verdict.TAMPERED, f"{means}, and the tests asked it"
            by_tests = stopped and stopped.stopped == "unportable" and not stopped.why.startswith(CALLED_BACK)
            if not by_tests or self._tier is TierChoice.ISOLATED:  # a solution could ask for the weaker tier else
                return found
            why = found.reason
        if self._tier is TierChoice.ISOLATED:
            return Judged(Verdict.ERROR, f"the tests cannot be isolated from the solution: {why}")
        if means := forging_means(self.pair.solution) or taken_over(self.pair.solution, case.test):
            reason = f"{means}, with which it could forge a verdict; its tests cannot be isolated from it: {why}"
            return Judged(Verdict.TAMPERED, reason, Tier.SHARED, why)
        found = self._look(Kind.TOGETHER, case, expected)
        found.tier, found.tier_reason = Tier.SHARED, why
        return found

    def _look(self, kind: Kind, case: Case, expected: Sequence[str]) -> Judged:
        """Run the tests, without pytest where that can do, and judge."""
        evidence = self._run(kind, case)
        facts = read_facts(evidence.said, case.token)
        if facts.stopped and facts.stopped.stopped == "plain":
            evidence = self._run(kind, replace(case, plain=False))
            facts = read_facts(evidence.said, case.token)
        found = Judged(*judge(expected, evidence, facts), runs=[evidence], facts=[facts])
        found.tests = outcomes_of(facts.reports)
        if facts.ended and facts.ended.judged:
            found.tier, found.tier_reason = Tier.SHARED, f"the solution's own code compared: {facts.ended.judged}"
        return found

    def _run(self, kind: Kind, case: Case) -> Evidence:
        preload = self.preload
        if case.coverage:
            preload = (*preload, _MEASURE)
        if case.conditions.clock_s or case.conditions.hash_seed:  # one box for a re-run and for its hash seed alone
            preload = (*preload, _TRAVEL)
        try:
            evidence = self._run_in_box(kind, case, Flavour(preload, case.conditions.hash_seed))
        except UNREADABLE as error:  # no source is read in there: it is the sandbox that fails, and no verdict
            raise SandboxUnavailable(f"a box could not be talked to: {type(error).__name__}: {error}") from error
        self.seconds += evidence.wall_s
        return evidence


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
