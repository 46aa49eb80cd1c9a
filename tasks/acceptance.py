"""When an attempt counts as passed, and when a question needs no further one: pure functions over verdicts.

Both the policy of attempts and labelling go by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, comb

from tasks.models import AttemptVerdict, Difficulty, RejectReason, Verdict
from tasks.settings import Gate, Policy, Verification


def stubs_caught(verdict: AttemptVerdict) -> float | None:
    """Share of the stubs of its solution that an attempt's tests fail against; None where none was run."""
    if not verdict.controls:
        return None
    return sum(control.verdict is not Verdict.PASSED for control in verdict.controls) / len(verdict.controls)


def holds(verdict: AttemptVerdict) -> bool:
    """Whether an attempt passed, and its tests failed against every stub that was run: what no gate has a say in."""
    return verdict.pair.verdict is Verdict.PASSED and stubs_caught(verdict) in (None, 1.0)


def rejection(verdict: AttemptVerdict, rules: Verification) -> RejectReason | None:
    """Why an attempt does not count as passed; None if it does."""
    if verdict.pair.verdict is not Verdict.PASSED:
        return RejectReason(verdict.pair.verdict.value)
    gates, coverage = rules.gates, verdict.pair.coverage
    if below(stubs_caught(verdict), gates.stubs_caught):
        return RejectReason.VACUOUS_TESTS
    if coverage and (
        below(coverage.branch_share, gates.branch_coverage) or below(coverage.statement_share, gates.statement_coverage)
    ):
        return RejectReason.LOW_COVERAGE
    return None


def below(value: float | None, gate: Gate) -> bool:
    """Whether something measured is so little that a gate rejects it."""
    return value is not None and value < gate.reject_below


def explanation(verdict: AttemptVerdict, rules: Verification) -> str:
    """One sentence on why an attempt passed or did not."""
    match rejection(verdict, rules):
        case RejectReason.VACUOUS_TESTS:
            passed = [control.stub for control in verdict.controls if control.verdict is Verdict.PASSED]
            return f"the tests also pass against a solution that {' and one that '.join(passed)}"
        case RejectReason.LOW_COVERAGE if verdict.pair.coverage:
            found, gates = verdict.pair.coverage, rules.gates
            return (
                f"branch coverage {found.branch_share:.2f} (gate {gates.branch_coverage.reject_below:.2f}), "
                f"statement coverage {found.statement_share:.2f} (gate {gates.statement_coverage.reject_below:.2f})"
            )
        case _:
            return verdict.pair.reason


def difficulty(passes: int, attempts: int) -> Difficulty | None:
    """KodCode's label, by the share of attempts that pass: easy above 2/3, hard below 1/3, medium between; None for a
    question that no attempt passes.

    Source: Xu et al. 2025, arXiv 2503.02951, section 3.2.

    Raises:
        ValueError: not ``0 <= passes <= attempts``, or no attempts.
    """
    if not 0 <= passes <= attempts or not attempts:
        raise ValueError(
            f"passes must be between 0 and attempts, of which there must be one, got {passes} of {attempts}"
        )
    if not passes:
        return None
    if 3 * passes > 2 * attempts:
        return Difficulty.EASY
    return Difficulty.HARD if 3 * passes < attempts else Difficulty.MEDIUM


def label_confidence(passes: int, made: int, attempts: int) -> float:
    """How probable the most probable label after all attempts is, given those made so far.

    The pass rate has a uniform prior, so what is to come is beta-binomial.
    """
    left = attempts - made
    shares: dict[Difficulty | None, float] = {}
    for more in range(left + 1):
        # C(left, more) B(passes + more + 1, attempts - passes - more + 1) / B(passes + 1, made - passes + 1)
        weight = comb(passes + more, more) * comb(attempts - passes - more, left - more) / comb(attempts + 1, left)
        label = difficulty(passes + more, attempts)
        shares[label] = shares.get(label, 0.0) + weight
    return max(shares.values())


def settled(passes: int, made: int, rules: Verification) -> bool:
    """Whether a question with so many attempts made and passed needs no further one."""
    if made >= rules.attempts:
        return True
    if rules.stop_after_passes is not None and passes >= rules.stop_after_passes:
        return True
    return (
        rules.policy is Policy.ADAPTIVE
        and made >= rules.least_attempts
        and label_confidence(passes, made, rules.attempts) >= rules.confidence
    )


def to_ask(tries: Sequence[tuple[int, int]], rules: Verification) -> list[int]:
    """Positions of the questions of a shard that get another attempt, in order.

    Args:
        tries: (passed, made) of each question.

    What ``mean_attempts`` leaves goes first to the questions with the fewest passes, and among these to those that
    were tried least.
    """
    asking = [number for number, (passes, made) in enumerate(tries) if not settled(passes, made, rules)]
    if rules.policy is Policy.FIXED or rules.mean_attempts is None:
        return asking
    first = [number for number in asking if tries[number][1] < rules.least_attempts]
    left = ceil(rules.mean_attempts * len(tries)) - sum(made for _, made in tries) - len(first)
    others = sorted(set(asking) - set(first), key=lambda number: (*tries[number], number))
    return sorted([*first, *others[: max(0, left)]])


def expected_attempts(rules: Verification) -> float:
    """Attempts per question to be expected where nothing is known of the pass rates: a uniform prior."""
    live = {0: 1.0}  # probability of being unsettled with so many passes
    total = 0.0
    for made in range(rules.attempts):
        live = {passes: share for passes, share in live.items() if not settled(passes, made, rules)}
        total += sum(live.values())
        coming: dict[int, float] = {}
        for passes, share in live.items():
            chance = (passes + 1) / (made + 2)
            coming[passes + 1] = coming.get(passes + 1, 0.0) + share * chance
            coming[passes] = coming.get(passes, 0.0) + share * (1 - chance)
        live = coming
    return min(total, rules.mean_attempts) if rules.mean_attempts and rules.policy is Policy.ADAPTIVE else total
