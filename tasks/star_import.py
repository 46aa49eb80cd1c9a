"""Tests that take nothing from the solution's module: KodCode lets them see all of it when it runs them."""

from __future__ import annotations

import ast

from tasks.syntax import parsed

STAR_IMPORT = "from solution import *\n\n"
"""KodCode puts it before tests that import nothing of the solution when it runs them, and does not store it."""


def with_star_import(test: str) -> str:
    """Tests that can be run: with ``STAR_IMPORT`` where they import nothing of the solution, else as they are."""
    tree = parsed(test)
    if tree is None or _imports_something(tree):
        return test
    return _starred(test, tree)


def _imports_something(tree: ast.Module) -> bool:
    return any(
        (isinstance(node, ast.ImportFrom) and node.module == "solution")
        or (isinstance(node, ast.Import) and any(alias.name == "solution" for alias in node.names))
        for node in ast.walk(tree)
    )


def _starred(test: str, tree: ast.Module) -> str:
    """Tests with ``STAR_IMPORT`` as early as may be: after a docstring and imports from the future."""
    last = 0
    for node in tree.body:
        first = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and not last
        if not first and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        last = node.end_lineno or last
    lines = test.splitlines(keepends=True)
    head = "".join(lines[:last])
    return f"{head}{'' if head.endswith(chr(10)) or not head else chr(10)}{STAR_IMPORT}{''.join(lines[last:])}"
