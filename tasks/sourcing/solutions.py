"""The reference of a seed question: the Python in a data set's column of solutions, whatever its shape."""

from __future__ import annotations

import ast
import json
import textwrap
import typing
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice

from tasks.sourcing.contract import FENCE
from tasks.sourcing.names import undefined
from tasks.syntax import parsed

MAX_CHARACTERS = 100_000
"""Of a solution: seeds are kept by the million."""
_MOST_TRIED = 100
"""Solutions of a row, which may have thousands, that are tried until one will do."""
_PYTHON_3 = (3, "PYTHON3")
"""CodeContests' number and name of the language."""
_GRANTED = {name: f"from typing import {name}" for name in typing.__all__} | {
    "exit": "from sys import exit",
    "quit": "from sys import exit as quit",
}
"""Names that solutions take for granted: LeetCode's have those of ``typing``, and contests' the helpers of a prompt."""


def solution(value: object) -> str:
    """The Python code in a column of solutions: of several the first that parses and lacks no name; empty where there
    is none.

    Args:
        value: code, or Markdown with code in fences; a list of these, or the JSON text of a list (APPS, TACO); or lists
            of languages and solutions (CodeContests).
    """
    for text in islice(_texts(value), _MOST_TRIED):
        if len(text) > MAX_CHARACTERS:
            continue
        for block in chain([text], map(textwrap.dedent, FENCE.findall(text))):
            if (tree := parsed(block)) and _solves(tree) and (code := _completed(block, tree)):
                return f"{code.strip()}\n"
    return ""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        with suppress(ValueError, RecursionError):
            value = json.loads(value)
    if isinstance(value, dict):
        languages, solutions = value.get("language"), value.get("solution")
        if isinstance(languages, list) and isinstance(solutions, list):
            value = [text for language, text in zip(languages, solutions, strict=False) if language in _PYTHON_3]
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            yield text


def _solves(tree: ast.Module) -> bool:
    """Whether code defines something or reads its input. What does neither is an example of use, or a word of prose
    that happens to parse."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, definitions) for node in tree.body) or any(_reads(node) for node in ast.walk(tree))


def _reads(node: ast.AST) -> bool:
    if isinstance(node, ast.Name | ast.Attribute):
        return (node.id if isinstance(node, ast.Name) else node.attr) in ("input", "stdin")
    if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in ("open", "os.read"):
        return isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
    return False


def _completed(code: str, tree: ast.Module) -> str:
    """Code with imports of what it takes for granted; empty where other names are missing, as Python 2's ``raw_input``
    or LeetCode's ``TreeNode``."""
    try:
        missing = undefined(code, tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    if not missing:
        return code
    if not missing <= _GRANTED.keys() or "__future__" in code:  # which has to come first
        return ""
    return "".join(f"{_GRANTED[name]}\n" for name in sorted(missing)) + code
