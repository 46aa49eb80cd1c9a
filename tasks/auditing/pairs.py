"""The files that can be audited: pairs of one's own, releases of kodforge, and KodCode's.

A question may have several attempts, which then are compared with one another: as consecutive rows with one
``question_id``, or as the ``trials`` of one row, as KodCode and kodforge release them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import Field

from tasks.errors import BadInput
from tasks.files import read_models
from tasks.models import Row
from tasks.star_import import with_star_import


class AuditedPair(Row):
    """A pair to be audited. ``id`` may be left out where there is a ``question_id``, as in KodCode's files."""

    id: str = Field(min_length=1)
    question_id: str = Field(min_length=1)
    solution: str
    test: str
    reference: str = ""


@dataclass(frozen=True)
class Trial:
    """A further attempt at a question: it is compared with, and not audited."""

    id: str
    solution: str
    test: str


@dataclass(frozen=True)
class Group:
    """One question: its pairs, and what they are compared with.

    Attributes:
        starred: ids of pairs and trials whose tests got ``STAR_IMPORT``.
    """

    question_id: str
    pairs: list[AuditedPair]
    trials: list[Trial] = field(default_factory=list)
    starred: frozenset[str] = frozenset()

    @property
    def references(self) -> list[str]:
        """Its reference solutions, each once."""
        return list(dict.fromkeys(pair.reference for pair in self.pairs if pair.reference.strip()))


def check_groups(path: Path) -> int:
    """Look through a whole file; how many pairs it has.

    Raises:
        BadInput: as ``read_groups``.
    """
    return sum(len(rows) for _, rows in _questions(path))


def read_groups(path: Path) -> Iterator[Group]:
    """The questions of a file, in order.

    Raises:
        BadInput: a column is missing or no text (names row and column), an id occurs twice, or the rows of a question
            do not stand together.
    """
    return (_group(question_id, rows) for question_id, rows in _questions(path))


def _questions(path: Path) -> Iterator[tuple[str, list[tuple[AuditedPair, list[Trial]]]]]:
    seen: set[str] = set()
    for question_id, rows in groupby(_pairs(path), key=lambda one: one[0].question_id):
        if question_id in seen:
            raise BadInput(
                f"{path}: the rows of question {question_id!r} do not stand together. Sort the file by question_id, so "
                f"that they can be compared without holding the whole file in memory"
            )
        seen.add(question_id)
        yield question_id, list(rows)


def _pairs(path: Path) -> Iterator[tuple[AuditedPair, list[Trial]]]:
    needed = "Needed: id (or question_id), solution, test (texts); optional: question_id, reference, trials"
    for pair, row in read_models(path, AuditedPair, _values, needed):
        yield pair, _trials(pair, row.get("trials"))


def _values(row: dict[str, Any]) -> dict[str, Any]:
    name = row.get("id") or row.get("question_id")
    values = {"id": name, "question_id": row.get("question_id") or name, "reference": row.get("reference") or ""}
    # A row without a text has a verdict like any other, a file without the column is refused.
    texts = [column for column in ("solution", "test") if column in row]
    return values | {column: "" if row[column] is None else row[column] for column in texts}


def _trials(pair: AuditedPair, told: Any) -> list[Trial]:
    """The further attempts in a row; the one that was chosen is the pair itself."""
    listed = list(told.values()) if isinstance(told, dict) else told if isinstance(told, list) else []
    found = []
    for number, one in enumerate(listed, 1):
        if not isinstance(one, dict):
            continue
        solution, test = one.get("solution_code"), one.get("test_code")
        if not isinstance(solution, str) or not isinstance(test, str) or not solution.strip() or not test.strip():
            continue
        if (solution.strip(), test.strip()) != (pair.solution.strip(), pair.test.strip()):
            found.append(Trial(f"{pair.id}/trial/{number}", solution, test))
    return found


def _group(question_id: str, rows: Sequence[tuple[AuditedPair, list[Trial]]]) -> Group:
    starred = set()

    def runnable(name: str, test: str) -> str:
        if (found := with_star_import(test)) != test:
            starred.add(name)
        return found

    pairs = [pair.model_copy(update={"test": runnable(pair.id, pair.test)}) for pair, _ in rows]
    trials = [Trial(trial.id, trial.solution, runnable(trial.id, trial.test)) for _, trials in rows for trial in trials]
    return Group(question_id, pairs, trials, frozenset(starred))
