"""BigCodeBench: functions that call libraries, with a ``unittest.TestCase`` each, asked by a stub or in words.

Source: Zhuo et al. 2024, arXiv 2406.15877.
"""

from __future__ import annotations

from tasks.evaluation.formats.cells import text_of, texts_of
from tasks.evaluation.sources import defined, libraries_of, surroundings, test_file
from tasks.models import EvalItem, Style
from tasks.settings import Evaluation
from tasks.tables import Row

COLUMNS = frozenset({"task_id", "complete_prompt", "instruct_prompt", "test"})


def read(row: Row, options: Evaluation) -> EvalItem:
    """The item of a row, asked by the prompt that ``options.prompt`` names.

    Raises:
        BadInput: a column is missing or is not what it should be (names file, row, column).
    """
    complete, test = text_of(row, "complete_prompt"), text_of(row, "test")
    entry_point = text_of(row, "entry_point")
    stub = complete if options.prompt == "complete" else text_of(row, "code_prompt", required=False) or complete
    canonical = text_of(row, "canonical_solution", required=False)
    named = {name.partition(".")[0] for name in texts_of(row, "libs")}
    # Tests may use whatever the stub imports.
    body = f"{surroundings(stub, {entry_point, *defined(test)})}\n{test}"
    return EvalItem(
        id=text_of(row, "task_id"),
        prompt=complete if options.prompt == "complete" else text_of(row, "instruct_prompt"),
        style=Style.COMPLETE if options.prompt == "complete" else Style.INSTRUCT,
        stub=stub,
        entry_point=entry_point,
        test=test_file(body, [entry_point]),
        io=[],
        canonical_solution=canonical,
        libraries=sorted({*libraries_of(f"{complete}{canonical}", test), *libraries_of(_as_imports(named))}),
        difficulty="",
        date="",
        topic="",
    )


def _as_imports(names: set[str]) -> str:
    return "".join(f"import {name}\n" for name in sorted(names) if name.isidentifier())
