"""The released row of a verified conversion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from tasks.acceptance import stubs_caught
from tasks.models import SCHEMA_VERSION, AttemptVerdict, Conversion, Measure, ReleaseRow, Style, Trial
from tasks.settings import Gate, Gates
from tasks.signatures import entry_point_info
from tasks.styles.asking import names_used


def released_row(
    row: ReleaseRow, conversion: Conversion, verdict: AttemptVerdict, mends: Sequence[str], gates: Gates
) -> ReleaseRow:
    """A row in its other style.

    What is said of the task stays: subset, licence, difficulty by the author's attempts, what curation found, and, of a
    stub, what was measured of the tests, which are the same. What was measured of this program is measured anew;
    ``trials`` holds it alone. No solver was asked in this style, and no duplicates stand behind it.
    """
    pair, complete = verdict.pair, conversion.style is Style.COMPLETE
    measured = {one.check: one for one in _measures(verdict, gates)}
    quality = [measured.pop(one.check, one) for one in row.quality] if complete else []
    quality += measured.values()
    coverage = pair.coverage
    trial = Trial(
        file_source=conversion.question_id,
        solution_code=conversion.solution,
        test_code=conversion.test,
        test_coverage=coverage.branch_share if coverage else None,
        test_result="passed",
        quality=quality,
        mends="",
        response_id=conversion.call.response_id,
        prompt_tokens=conversion.call.prompt_tokens,
        completion_tokens=conversion.call.completion_tokens,
    )
    lineage = {
        "converted_from": conversion.converted_from,
        "conversion_call": conversion.call,
        "conversion_mends": [*conversion.mends, *mends],
        "sandbox_backend": pair.backend,
        "sandbox_image": pair.image,
        "integrity_tier": pair.integrity_tier,
        "tests_passed": [test.test_id for test in pair.tests],
    }
    changed: dict[str, Any] = {
        "version": SCHEMA_VERSION,
        "style": conversion.style,
        "question_id": conversion.question_id,
        "question": conversion.question,
        "solution": conversion.solution,
        "test": conversion.test,
        "io": conversion.io,
        "test_info": entry_point_info(conversion.solution, names_used(row)),
        "trials": [trial],
        "chosen_trial": 1,
        "statement_coverage": coverage.statement_share if coverage else None,
        "branch_coverage": coverage.branch_share if coverage else None,
        "mutation_score": row.mutation_score if complete else None,
        "quality": quality,
        "solver": None,
        "lineage": row.lineage.model_copy(update=lineage),
        "labels": row.labels.model_copy(update={"words": len(conversion.question.split())}),
        "duplicates": [],
    }
    return row.model_copy(update=changed)


def _measures(verdict: AttemptVerdict, gates: Gates) -> list[Measure]:
    """What was measured of the run: negative controls and coverage."""
    coverage, caught = verdict.pair.coverage, stubs_caught(verdict)
    missed = [one.stub for one in verdict.controls if one.verdict.value == "passed"]
    told = f"what judges it fails against all {len(verdict.controls)} stubs of the solution"
    found = [
        ("stubs_caught", caught, f"it passes a solution that {missed[0]}" if missed else told, gates.stubs_caught),
    ]
    if coverage:
        statements = f"{coverage.statements_hit} of {coverage.statements} statements are run"
        branches = f"{coverage.branches_hit} of {coverage.branches} branches are run"
        found += [
            ("statement_coverage", coverage.statement_share, statements, gates.statement_coverage),
            ("branch_coverage", coverage.branch_share, branches, gates.branch_coverage),
        ]
    return [_measure(check, value, why, gate) for check, value, why, gate in found if value is not None]


def _measure(check: str, value: float, why: str, gate: Gate) -> Measure:
    outcome: Literal["met", "caution"] = "caution" if value < gate.caution_below else "met"
    return Measure(
        check=check,
        value=value,
        reject_below=gate.reject_below,
        caution_below=gate.caution_below,
        outcome=outcome,
        why=why,
    )
