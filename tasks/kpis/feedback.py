"""What a run's models got wrong, as seeds of the subset Feedback: the next run asks more of that kind.

Rows that are held out, or that overlap with a benchmark, are left out: what is written here is meant to be trained on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tasks.artifacts import Receipt
from tasks.files import row_writer
from tasks.models import Attempt, AttemptVerdict, Failure, Grade, Question, RejectReason, Response, Split
from tasks.released import Released
from tasks.run import Run, StageName

UNSOLVED = frozenset({RejectReason.FAILED, RejectReason.ERROR, RejectReason.TIMEOUT, RejectReason.OUT_OF_MEMORY})
"""Why questions were rejected whose author did not find a solution that passes its own tests."""
_COLUMNS = ["question_id", "question", "solution", "split", "labels", "benchmark_hits"]


def failures(run: Run, unsolved: bool = False) -> Iterator[Failure]:
    """One row for each released row and reasoner most of whose tries fail, with its first wrong answer that ran.

    Args:
        unsolved: also questions none of whose attempts passed, with the first that ran. They may be hard, or unclear.

    Raises:
        BadInput: the run has not finished.
    """
    released = Released(run)
    for part in released.parts:
        yield from _of_reasoners(released, part)
    if unsolved:
        for receipt in run.receipts(StageName.TRIPLETS):
            yield from _of_author(run, receipt)


def write_failures(run: Run, out: Path, unsolved: bool = False) -> int:
    """Write the failures of a run for ``subsets.Feedback.seeds.path``; returns how many there are.

    Raises:
        BadInput: the run has not finished, or the file cannot be written.
    """
    count = 0
    with row_writer(out, Failure) as write:
        for failure in failures(run, unsolved):
            write([failure])
            count += 1
    return count


def _of_reasoners(released: Released, part: Receipt) -> Iterator[Failure]:
    tries: dict[tuple[str, str], list[tuple[Response, Grade]]] = defaultdict(list)
    for response, grade in released.answers(part):
        tries[response.question_id, response.reasoner].append((response, grade))
    rows = {row["question_id"]: row for row in released.rows(part, _COLUMNS).to_pylist()}
    for (question_id, reasoner), of_row in tries.items():
        row = rows[question_id]
        wrong = [(response, grade) for response, grade in of_row if not grade.passed and grade.verdict is not None]
        if 2 * (len(of_row) - sum(not grade.passed for _, grade in of_row)) >= len(of_row) or not wrong:
            continue
        if row["split"] == Split.EVALUATION or row["benchmark_hits"]:
            continue
        response, grade = wrong[0]
        yield Failure(
            id=f"{question_id}/{reasoner}",
            prompt=row["question"],
            answer=response.code,
            expected=f"Code that passes the tests. With this one: {grade.reason}\n\nA solution that passes:\n"
            f"{row['solution']}",
            topic=next(iter(row["labels"]["topics"]), ""),
        )


def _of_author(run: Run, receipt: Receipt) -> Iterator[Failure]:
    rejected = {one.id: one for one in run.stage(StageName.TRIPLETS).rejects(receipt.name) if one.reason in UNSOLVED}
    if not rejected:
        return
    attempts: dict[str, tuple[Attempt, AttemptVerdict]] = {}
    for one in run.receipts(StageName.VERDICTS):
        if one.name.startswith(receipt.name):
            codes = run.stage(StageName.ATTEMPTS).rows(one.name, Attempt)
            for attempt, verdict in zip(codes, run.stage(StageName.VERDICTS).rows(one, AttemptVerdict), strict=True):
                attempts.setdefault(attempt.question_id, (attempt, verdict))
    for question in run.stage(StageName.QUESTIONS).rows(receipt.name, Question):
        if question.question_id in rejected and (found := attempts.get(question.question_id)):
            yield Failure(
                id=question.question_id,
                prompt=question.question,
                answer=found[0].solution,
                expected=f"Code that passes the tests. With this one: {found[1].pair.reason}",
                topic=question.subset,
            )
