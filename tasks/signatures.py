"""The entry points of a solution: what its tests use, as declared."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tasks.models import TestInfo
from tasks.syntax import header, parse


def _declaration(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return f"{header(node)}:"


def _class_declaration(node: ast.ClassDef) -> str:
    bases = [ast.unparse(base) for base in [*node.bases, *(keyword.value for keyword in node.keywords)]]
    lines = [f"class {node.name}({', '.join(bases)}):" if bases else f"class {node.name}:"]
    for item in node.body:
        if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if item.name == "__init__" or not item.name.startswith("_"):
            lines.append(f"    {_declaration(item)} ...")
    return "\n".join(lines)


def entry_point_info(solution: str, entry_points: Sequence[str]) -> list[TestInfo]:
    """Declarations of the named functions and classes, in the order of the names.

    Names that the solution binds otherwise (constants, imports) are left out: there is no signature to state.
    """
    declared = {
        node.name: node
        for node in parse(solution).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    found = []
    for name in entry_points:
        node = declared.get(name)
        if node is None:
            continue
        is_class = isinstance(node, ast.ClassDef)
        found.append(
            TestInfo(
                docstring=ast.get_docstring(node) or "",
                function_declaration=_class_declaration(node) if isinstance(node, ast.ClassDef) else _declaration(node),
                function_name=name,
                parameter_list="" if is_class else f"({ast.unparse(node.args)})",  # type: ignore[union-attr]
            )
        )
    return found
