"""kodforge's own held-out rows, and files of one's own: a prompt, and a pytest file or inputs and outputs."""

from __future__ import annotations

from pydantic import ValidationError

from tasks.evaluation.formats.cells import list_of, text_of, texts_of
from tasks.evaluation.sources import libraries_of
from tasks.execution.expected import entry_points
from tasks.models import EvalItem, ProgramRun, Style
from tasks.settings import Evaluation
from tasks.syntax import parsed
from tasks.tables import Row
from tasks.teachers.replies import code

COLUMNS = frozenset({"prompt", "test"})
RELEASED = frozenset({"question_id", "question", "test"})
_OTHERS = {
    "id": "question_id",
    "prompt": "question",
    "canonical_solution": "solution",
    "difficulty": "gpt_difficulty",
    "topic": "subset",
}
"""What the rows of a release call a column."""


def read(row: Row, options: Evaluation) -> EvalItem:
    """The item of a row; columns ``id``, ``prompt``, ``test`` or ``io``, and perhaps ``style``, ``entry_point``,
    ``canonical_solution``, ``difficulty``, ``date``, ``topic`` or ``topics``; or those of a release's rows.

    Raises:
        BadInput: a column is missing or is not what it should be (names file, row, column).
    """
    prompt, canonical = _text(row, "prompt"), _text(row, "canonical_solution", required=False)
    told = text_of(row, "style", required=False) or Style.INSTRUCT.value
    if told not in set(Style):
        raise row.wrong("style", f"is {told!r}. Known: {', '.join(Style)}")
    style, io = Style(told), _io(row)
    test = "" if io else text_of(row, "test")
    used = entry_points(test)
    if test and not used:
        raise row.wrong("test", "imports nothing from `solution` that it uses. Write `from solution import NAME`")
    named = "" if io else text_of(row, "entry_point", required=False)
    if named and named not in used:
        raise row.wrong("entry_point", f"is {named!r}, and the tests use {', '.join(used)}")
    return EvalItem(
        id=_text(row, "id"),
        prompt=prompt,
        style=style,
        stub=_stub(prompt) if style is Style.COMPLETE else "",
        entry_point=named or (used[0] if used else ""),
        test=test,
        io=io,
        canonical_solution=canonical,
        libraries=libraries_of(canonical, test),
        difficulty=_text(row, "difficulty", required=False),
        date=text_of(row, "date", required=False)[:10],
        topic=next(iter(texts_of(row, "topics")), "") or _text(row, "topic", required=False),
    )


def _text(row: Row, column: str, required: bool = True) -> str:
    other = _OTHERS[column]
    theirs = row.values.get(column) is None and row.values.get(other) is not None
    return text_of(row, other if theirs else column, required)


def _io(row: Row) -> list[ProgramRun]:
    try:
        return [ProgramRun.model_validate(run) for run in list_of(row, "io")]
    except ValidationError as error:
        raise row.wrong("io", "must be a list of runs with stdin and stdout, each a text") from error


def _stub(prompt: str) -> str:
    """The code that a prompt asks to complete: the prompt itself, or what stands in its fence."""
    return prompt if parsed(prompt) else code(prompt)
