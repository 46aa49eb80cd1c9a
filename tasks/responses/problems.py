"""What is put to a reasoning model, and what its answers are judged by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.arrow import values
from tasks.artifacts import Receipt
from tasks.models import Pair, Placing, ProgramRun, Split, Style
from tasks.run import Run, StageName

_COLUMNS = ["question_id", "subset", "style", "question", "test", "io", "lineage"]


@dataclass(frozen=True)
class Problem:
    """What of a row a model is asked, and what judges it.

    Attributes:
        libraries: beside the standard library, those that an answer may use.
        place: id of the row whose placing counts: itself, or the one that it tells in another style.
    """

    question_id: str
    subset: str
    style: Style
    question: str
    test: str
    io: tuple[ProgramRun, ...]
    libraries: tuple[str, ...]
    place: str

    @property
    def judge(self) -> str:
        """What its answers are judged by, as one text: rows with the same one pass the same answers."""
        return self.test or json.dumps([[run.stdin, run.stdout] for run in self.io])

    def pair(self, name: str, code: str) -> Pair:
        """A program beside what judges it."""
        return Pair(id=name, solution=code, test=self.test, io=list(self.io))


def read_problems(run: Run, rows: Sequence[Receipt]) -> list[Problem]:
    """The rows of some shards of a run, in order."""
    found = []
    for receipt in rows:
        table = run.stage(StageName(receipt.stage)).table(receipt, _COLUMNS)
        for row in zip(*(values(table, name) for name in _COLUMNS), strict=True):
            question_id, subset, style, question, test, io, lineage = row
            problem = Problem(
                question_id=question_id,
                subset=subset,
                style=Style(style),
                question=question,
                test=test,
                io=tuple(map(ProgramRun.model_validate, io)),
                libraries=tuple(sorted(lineage["libraries"])),
                place=lineage["converted_from"] or question_id,
            )
            found.append(problem)
    return found


def asked_problems(run: Run, rows: Sequence[Receipt], placing: Receipt) -> list[Problem]:
    """Those that are put to models: not what is held out to evaluate with.

    Raises:
        KeyError: a row has no place.
    """
    placed = {one.question_id: one.split for one in run.stage(StageName.PLACINGS).rows(placing, Placing)}
    return [problem for problem in read_problems(run, rows) if placed[problem.place] is not Split.EVALUATION]
