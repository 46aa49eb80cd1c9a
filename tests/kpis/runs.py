"""Finished runs written by hand: so many questions, attempts, rejects and answers of two subsets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.artifacts import Outcome, Receipt
from tasks.models import (
    Grade,
    Placing,
    Reject,
    RejectReason,
    ReleaseRow,
    Response,
    Row,
    Split,
    Style,
    Triplet,
    Verdict,
)
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tests.labeling.rows import CALL, SOLUTION, attempt, question, verdict
from tests.publishing.rows import release_row

SHARD = "part-00000"
WRONG = "def double(x):\n    return x\n"
ALL = ("Docs_00000000_I", "Docs_00000001_I", "Docs_00000002_I", "Data_Structure_00000000_I")


def finished(
    store: Path,
    name: str = "r",
    questions: Sequence[str] = ALL,
    solved: Sequence[str] = ALL[:3],
    released: Sequence[str] = ALL[:2],
    verdicts: dict[str, Verdict] | None = None,
    answers: dict[str, Sequence[bool]] | None = None,
    rows: dict[str, dict[str, Any]] | None = None,
    **values: Any,
) -> Run:
    """A run whose questions each had one attempt.

    Args:
        solved: questions that are verified; the others failed.
        released: of these; the others are near duplicates.
        verdicts: of attempts, where they are not as this makes them.
        answers: by row, whether each try of the reasoner passes.
        rows: values of released rows.
        values: of the config.
    """
    config = BuildConfig(store=str(store), run=name, **values)
    run = Run(config=config, teachers=config.teachers)
    asked = [question().model_copy(update={"question_id": one, "subset": subset_of(one)}) for one in questions]
    write(run, StageName.QUESTIONS, asked)
    write(run, StageName.ATTEMPTS, [attempt(1, WRONG if one not in solved else SOLUTION).model_copy(
        update={"question_id": one, "attempt_id": f"{one}/1"}) for one in questions])  # fmt: skip
    judged = []
    for one in questions:
        found = verdict(1, (verdicts or {}).get(one, Verdict.PASSED if one in solved else Verdict.FAILED))
        judged.append(found.model_copy(update={"question_id": one, "attempt_id": f"{one}/1", "sandbox_s": 0.5}))
    write(run, StageName.VERDICTS, judged)
    made = {one: made_row(one, (rows or {}).get(one, {})) for one in solved}
    triplets = [Triplet(**{field: getattr(row, field) for field in Triplet.model_fields}) for row in made.values()]
    failed = [reject(one, RejectReason.FAILED) for one in questions if one not in solved]
    write(run, StageName.TRIPLETS, triplets, failed)
    twins = [reject(one, RejectReason.NEAR_DUPLICATE) for one in solved if one not in released]
    write(run, StageName.CURATED, [made[one] for one in released], twins)
    write(run, StageName.PLACINGS, [Placing(question_id=one, group=one, split=made[one].split) for one in released])
    run.finish(StageName.CONVERTED, [])
    graded = answered(answers or {})
    for stage, part in ((StageName.RESPONSES, 0), (StageName.GRADES, 1)):
        write(run, stage, [one[part] for one in graded], shard=f"{SHARD}-r1")
    return run


def subset_of(question_id: str) -> str:
    return question_id.rsplit("_", 2)[0]


def made_row(name: str, values: dict[str, Any]) -> ReleaseRow:
    return release_row(name, 5).model_copy(update={"subset": subset_of(name), "mutation_score": 0.8, **values})


def reject(name: str, reason: RejectReason) -> Reject:
    return Reject(id=name, subset=subset_of(name), reason=reason, evidence="e")


def write(run: Run, stage: StageName, rows: Sequence[Row], rejects: Sequence[Reject] = (), shard: str = SHARD) -> None:
    receipts: list[Receipt] = []
    if rows or rejects:
        model = type(rows[0]) if rows else Triplet
        outcome = Outcome(len(rows) + len(rejects), list(rows), list(rejects))
        receipts.append(run.stage(stage).run_shard(shard, model, [shard], lambda: outcome))
    run.finish(stage, receipts)


def answered(answers: dict[str, Sequence[bool]]) -> list[tuple[Response, Grade]]:
    found = []
    for name, tries in answers.items():
        for number, passed in enumerate(tries, 1):
            told = {"response_id": f"{name}/r1/{number}", "question_id": name}
            response = Response(
                **told,
                subset=subset_of(name),
                style=Style.INSTRUCT,
                reasoner="r1",
                number=number,
                text="",
                reasoning="",
                finish_reason="stop",
                code=SOLUTION if passed else WRONG,
                call=CALL,
            )
            grade = Grade(
                **told,
                passed=passed,
                verdict=Verdict.PASSED if passed else Verdict.FAILED,
                reason="test_three failed: assert 3 == 6",
                integrity_tier=None,
                alias="",
                alias_verdict=None,
                tests=[],
                wall_s=0,
                sandbox_s=0.25,
            )
            found.append((response, grade))
    return found


HELD_OUT = {"split": Split.EVALUATION}
