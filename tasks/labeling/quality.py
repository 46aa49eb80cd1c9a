"""What was measured of an attempt's tests, and what the gates make of it.

Pure functions over columns: a changed gate needs no teacher and no sandbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.acceptance import explanation, stubs_caught
from tasks.consensus import Opinion
from tasks.labeling.reading.assertions import TestReading, read_tests
from tasks.models import AttemptVerdict, Audit, Measure, RejectReason
from tasks.settings import Gate, Gates, Verification

REASONS: dict[str, RejectReason] = {
    "stubs_caught": RejectReason.VACUOUS_TESTS,
    "statement_coverage": RejectReason.LOW_COVERAGE,
    "branch_coverage": RejectReason.LOW_COVERAGE,
    "agreement": RejectReason.WRONG_TESTS,
    "support": RejectReason.COLLUSION,
    "reference": RejectReason.CONTRADICTS_REFERENCE,
    "mutation_score": RejectReason.WEAK_TESTS,
    "tests": RejectReason.FEW_TESTS,
    "telling_asserts": RejectReason.TRIVIAL_ASSERTS,
    "asserts_per_test": RejectReason.FEW_ASSERTS,
    "distinct_tests": RejectReason.DUPLICATE_TESTS,
    "own_oracle": RejectReason.COPIED_SOLUTION,
}
"""Of each gate the reason of a reject; where several reject an attempt, the first of these is the one that is named."""
_SOME = 3


@dataclass(frozen=True)
class Found:
    """A value, and what it means in words."""

    value: float | None
    why: str


def measures(
    test: str, solution: str, verdict: AttemptVerdict, audit: Audit | None, opinion: Opinion, rules: Verification
) -> list[Measure]:
    """Everything that was measured of a passed attempt, in the order of ``REASONS``.

    Args:
        audit: None where its mutants were not run.
        opinion: of the other solutions.
    """
    found = {
        **_of_the_run(verdict, rules),
        **_of_the_others(opinion),
        "mutation_score": _of_the_mutants(audit),
        **_of_the_text(read_tests(test, solution)),
    }
    return [_measure(name, found[name], rules.gates) for name in REASONS]


def _measure(check: str, found: Found, gates: Gates) -> Measure:
    gate: Gate = getattr(gates, check)
    outcome: Literal["met", "caution", "rejected", "not measured"]
    if found.value is None:
        outcome = "not measured"
    elif found.value < gate.reject_below:
        outcome = "rejected"
    else:
        outcome = "caution" if found.value < gate.caution_below else "met"
    return Measure(
        check=check,
        value=found.value,
        reject_below=gate.reject_below,
        caution_below=gate.caution_below,
        outcome=outcome,
        why=found.why,
    )


def regated(found: Sequence[Measure], gates: Gates) -> list[Measure]:
    """The same values put to other gates."""
    return [_measure(one.check, Found(one.value, one.why), gates) for one in found]


def _of_the_run(verdict: AttemptVerdict, rules: Verification) -> dict[str, Found]:
    coverage = verdict.pair.coverage
    caught, stubs = stubs_caught(verdict), len(verdict.controls)
    told = "no stub was run" if caught is None else f"the tests fail against all {stubs} stubs of the solution"
    if caught is not None and caught < 1:
        told = explanation(verdict, rules.model_copy(update={"gates": Gates()}))
    if coverage is None:
        unknown = Found(None, "coverage was not measured")
        return {"stubs_caught": Found(caught, told), "statement_coverage": unknown, "branch_coverage": unknown}
    return {
        "stubs_caught": Found(caught, told),
        "statement_coverage": Found(
            coverage.statement_share, f"{coverage.statements_hit} of {coverage.statements} statements are run"
        ),
        "branch_coverage": Found(
            coverage.branch_share, f"{coverage.branches_hit} of {coverage.branches} branches are run"
        ),
    }


def _of_the_others(opinion: Opinion) -> dict[str, Found]:
    alone = "no two solutions of the question agree, or none were compared"
    wrong = f"most solutions that agree with one another fail {_named(opinion.wrong)}"
    accepting, judges = opinion.supporters
    references = opinion.told or "every reference passes the tests"
    return {
        "agreement": Found(
            opinion.agreement,
            alone if opinion.agreement is None else wrong if opinion.wrong else "the consensus passes every test",
        ),
        "support": Found(
            opinion.support,
            f"the tests of {accepting} of {judges} other attempts accept the solution"
            if opinion.support is not None
            else "fewer than two other attempts have tests to compare with",
        ),
        "reference": Found(
            opinion.reference, references if opinion.reference is not None else "there is no reference to compare with"
        ),
    }


def _of_the_mutants(audit: Audit | None) -> Found:
    if audit is None or audit.mutation.score is None:
        return Found(None, "no mutant was run" if audit else "its mutants were not run")
    found = audit.mutation
    left = [f"line {one.line}: {one.before!r} to {one.after!r}" for one in found.survivors[:_SOME]]
    told = f"the tests catch {found.killed + found.timed_out} of {found.run} mutants of the solution"
    return Found(found.score, f"{told}; they miss {', '.join(left)}" if left else told)


def _of_the_text(reading: TestReading | None) -> dict[str, Found]:
    if reading is None:
        unknown = Found(None, "the tests could not be read")
        return dict.fromkeys(("tests", "asserts_per_test", "distinct_tests", "telling_asserts", "own_oracle"), unknown)
    total = sum(reading.asserts.values())
    telling = total - len(reading.trivial)
    copies = [f"{name} repeats {other}" for name, other in reading.duplicates.items()]
    oracles = [f"{name} copies {of}" for name, of in reading.copies.items()]
    trivial = [f"{place}: {why}" for place, why in reading.trivial.items()]
    count = len(reading.tests)
    different = sum(reading.cases[name] for name in reading.tests if name not in reading.duplicates)
    return {
        "tests": Found(float(different), f"{different} different tests, each set of parameters counted"),
        "asserts_per_test": Found(
            telling / count if count else 0.0, f"{telling} asserts that can fail in {count} tests"
        ),
        "distinct_tests": Found(
            reading.distinct / count if count else 0.0, _named(copies) if copies else "no test repeats another"
        ),
        "telling_asserts": Found(
            telling / total if total else 0.0,
            _named(trivial) if trivial else "every assert can fail" if total else "the tests assert nothing",
        ),
        "own_oracle": Found(
            0.0 if oracles else 1.0, _named(oracles) if oracles else "the tests hold no copy of the implementation"
        ),
    }


def _named(items: Sequence[str]) -> str:
    more = len(items) - _SOME
    return ", ".join(items[:_SOME]) + (f" and {more} more" if more > 0 else "")


def rejected_by(found: Sequence[Measure]) -> tuple[RejectReason, str] | None:
    """What rejects an attempt, the gravest first, and why in words; None where nothing does."""
    return next(((REASONS[one.check], one.why) for one in found if one.outcome == "rejected"), None)


def value_of(found: Sequence[Measure], check: str) -> float | None:
    """The value of one measure."""
    return next((one.value for one in found if one.check == check), None)
