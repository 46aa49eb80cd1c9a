"""MBPP: a task in words and three asserts, which the prompt shows.

The sanitised version has other names for some columns; MBPP+ on the Hugging Face hub has a script of tests besides.
Source: Austin et al. 2021, arXiv 2108.07732, whose prompt it is.
"""

from __future__ import annotations

import ast

from tasks.evaluation.formats.cells import text_of, texts_of
from tasks.evaluation.sources import asserts, called, libraries_of, script, surroundings, test_file
from tasks.models import EvalItem, Style
from tasks.settings import Evaluation
from tasks.syntax import UNREADABLE, parsed
from tasks.tables import Row

COLUMNS = frozenset({"task_id", "code", "test_list"})


def read(row: Row, options: Evaluation) -> EvalItem:
    """The item of a row.

    Raises:
        BadInput: a column is missing or is not what it should be (names file, row, column).
    """
    task = text_of(row, "text" if row.values.get("text") else "prompt")
    code = text_of(row, "code")
    shown = texts_of(row, "test_list")
    if not shown:
        raise row.wrong("test_list", "is empty. Every item needs asserts")
    names = called(shown, code)
    if not names:
        raise row.wrong("test_list", f"uses nothing that column 'code' defines: {shown[0][:100]!r}")
    more = text_of(row, "test", required=False)
    setup = "\n".join([text_of(row, "test_setup_code", required=False), *texts_of(row, "test_imports")]).strip()
    if more:
        try:
            body = script(more)
        except UNREADABLE as error:
            raise row.wrong("test", f"is no Python: {error}") from error
    else:
        body = asserts([*shown, *texts_of(row, "challenge_test_list")])
    imported = "\n".join(ast.unparse(node) for node in _imports(code))
    test = test_file(body, names, surroundings(imported, names))
    return EvalItem(
        id=text_of(row, "task_id"),
        prompt=f"{task.strip()}\nYour code should pass these tests:\n\n" + "\n".join(shown),
        style=Style.INSTRUCT,
        stub="",
        entry_point=names[-1],
        test=f"{setup}\n{test}" if setup else test,
        io=[],
        canonical_solution=code,
        libraries=libraries_of(code, setup, body),
        difficulty="",
        date="",
        topic="",
    )


def _imports(code: str) -> list[ast.stmt]:
    tree = parsed(code)
    return [node for node in (tree.body if tree else []) if isinstance(node, ast.Import | ast.ImportFrom)]
