"""What a shard of questions has been through: the receipts of its rounds, and the rows behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol, TypeVar

from pydantic import BaseModel

from tasks.artifacts import Receipt
from tasks.models import NOT_ASKED, Attempt, AttemptVerdict, Audit, CrossCheck, Reject, Row, Solution
from tasks.run import Run, StageName


class _OfQuestion(Protocol):
    question_id: str


Q = TypeVar("Q", bound=_OfQuestion)
R = TypeVar("R", bound=Row)


class Rounds(BaseModel):
    """Receipts of the tasks that a shard of questions has been through so far, in order."""

    attempts: list[Receipt] = []
    mended: list[Receipt] = []
    verdicts: list[Receipt] = []
    solutions: list[Receipt] = []
    crosschecks: list[Receipt] = []
    audits: list[Receipt] = []

    @property
    def receipts(self) -> list[Receipt]:
        """All of them: what a task depends on that reads the rounds."""
        return [*self.attempts, *self.mended, *self.verdicts, *self.solutions, *self.crosschecks, *self.audits]

    def after(self, **done: Receipt) -> Rounds:
        """The rounds with one more receipt of each kind that is named."""
        return self.model_copy(update={kind: [*getattr(self, kind), receipt] for kind, receipt in done.items()})

    def read(self, run: Run) -> History:
        """The rows behind the receipts."""
        return History(
            attempts=_rows(run, StageName.ATTEMPTS, [*self.attempts, *self.mended], Attempt),
            verdicts=_rows(run, StageName.VERDICTS, self.verdicts, AttemptVerdict),
            unusable=[one for part in self.attempts for one in run.stage(StageName.ATTEMPTS).rejects(part)],
            solutions=_rows(run, StageName.SOLUTIONS, self.solutions, Solution),
            unsolved=[one for part in self.solutions for one in run.stage(StageName.SOLUTIONS).rejects(part)],
            crosschecks=_rows(run, StageName.CROSSCHECKS, self.crosschecks, CrossCheck),
            audits=_rows(run, StageName.AUDITS, self.audits, Audit),
        )


def _rows(run: Run, stage: StageName, receipts: Iterable[Receipt], model: type[R]) -> list[R]:
    return [row for part in receipts for row in run.stage(stage).rows(part, model)]


class History(BaseModel):
    """All rows of a shard of questions."""

    attempts: list[Attempt] = []
    verdicts: list[AttemptVerdict] = []
    unusable: list[Reject] = []
    solutions: list[Solution] = []
    unsolved: list[Reject] = []
    crosschecks: list[CrossCheck] = []
    audits: list[Audit] = []


def answered(rejects: Iterable[Reject]) -> list[Reject]:
    """Replies that could not be used; not those that a teacher never gave."""
    return [one for one in rejects if one.reason not in NOT_ASKED]


def by_question(rows: Iterable[Q]) -> dict[str, list[Q]]:
    """Rows by the question they are of; none for a question without any."""
    found: dict[str, list[Q]] = defaultdict(list)
    for row in rows:
        found[row.question_id].append(row)
    return found


def question_of(row_id: str) -> str:
    """The question that the id of an attempt or of a solver's solution begins with."""
    return row_id.partition("/")[0]
