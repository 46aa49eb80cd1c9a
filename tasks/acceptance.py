"""When an attempt counts as passed: pure functions over its verdict, its negative control and its coverage.

Both the policy of attempts (is another one needed?) and labelling (which one is kept?) go by them.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.models import AttemptVerdict, RejectReason, Verdict
from tasks.settings import Verification


def rejection(verdict: AttemptVerdict, rules: Verification) -> RejectReason | None:
    """Why an attempt does not count as passed; None if it does."""
    if verdict.pair.verdict is not Verdict.PASSED:
        return RejectReason(verdict.pair.verdict.value)
    if verdict.control is Verdict.PASSED:
        return RejectReason.VACUOUS_TESTS
    coverage = verdict.pair.coverage
    if coverage and (
        coverage.branch_share < rules.min_branch_coverage or coverage.statement_share < rules.min_statement_coverage
    ):
        return RejectReason.LOW_COVERAGE
    return None


def explanation(verdict: AttemptVerdict, rules: Verification) -> str:
    """One sentence on why an attempt passed or did not."""
    match rejection(verdict, rules):
        case RejectReason.VACUOUS_TESTS:
            return "the tests also pass against a stub of the solution"
        case RejectReason.LOW_COVERAGE if verdict.pair.coverage:
            found = verdict.pair.coverage
            return (
                f"branch coverage {found.branch_share:.2f} (gate {rules.min_branch_coverage:.2f}), "
                f"statement coverage {found.statement_share:.2f} (gate {rules.min_statement_coverage:.2f})"
            )
        case _:
            return verdict.pair.reason


def settled(verdicts: Sequence[AttemptVerdict], rules: Verification) -> bool:
    """Whether a question with these verdicts needs no further attempt."""
    passes = sum(rejection(verdict, rules) is None for verdict in verdicts)
    return rules.stop_after_passes is not None and passes >= rules.stop_after_passes
