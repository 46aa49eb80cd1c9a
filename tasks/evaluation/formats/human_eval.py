"""HumanEval: a stub with a docstring to be completed, and a function ``check(candidate)``.

EvalPlus on the Hugging Face hub has HumanEval+ in the same columns. Source: Chen et al. 2021, arXiv 2107.03374.
"""

from __future__ import annotations

from tasks.evaluation.formats.cells import text_of
from tasks.evaluation.sources import check_function, libraries_of, test_file
from tasks.models import EvalItem, Style
from tasks.settings import Evaluation
from tasks.tables import Row

COLUMNS = frozenset({"task_id", "prompt", "entry_point", "test"})
PROMPT, TESTS = "prompt", "test"


def read(row: Row, options: Evaluation) -> EvalItem:
    """The item of a row.

    Raises:
        BadInput: a column is missing or is not what it should be (names file, row, column).
    """
    prompt, entry_point, test = (text_of(row, column) for column in ("prompt", "entry_point", "test"))
    canonical = text_of(row, "canonical_solution", required=False)
    return EvalItem(
        id=text_of(row, "task_id"),
        prompt=prompt,
        style=Style.COMPLETE,
        stub=prompt,
        entry_point=entry_point,
        test=test_file(check_function(test, entry_point), [entry_point], prompt),
        io=[],
        canonical_solution=canonical,
        libraries=libraries_of(f"{prompt}{canonical}", test),
        difficulty="",
        date="",
        topic="",
    )
