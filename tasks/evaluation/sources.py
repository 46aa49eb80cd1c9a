"""Test files out of what benchmarks have for tests, and code taken apart by what it defines."""

from __future__ import annotations

import ast
import builtins
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence

from tasks.syntax import UNREADABLE, imports, nodes, parse, parsed

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_KEPT = (*_DEFINITIONS, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)


def bound_names(node: ast.stmt) -> set[str]:
    """The names that a statement binds at the level where it stands."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {alias.asname or alias.name.partition(".")[0] for alias in names}
        case ast.Assign(targets=targets):
            return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
    return set()


def defined(code: str) -> set[str]:
    """The names that code binds at its top level; none where it does not parse."""
    tree = parsed(code)
    return {name for node in tree.body for name in bound_names(node)} if tree else set()


def surroundings(stub: str, without: Collection[str]) -> str:
    """The imports, helpers and values of a stub: its top-level statements but those that define certain names.

    Args:
        stub: code that ends, perhaps, in a declaration without a body.
        without: names that are defined elsewhere.
    """
    tree = parsed(stub) or parsed(f"{stub.rstrip()}\n    ...\n") or parsed(f"{stub.rstrip()}\n        ...\n")
    if tree is None:
        return ""
    kept = []
    for node in tree.body:
        if not isinstance(node, _KEPT) or _is_future(node):
            continue
        names = bound_names(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            node.names = [one for one in node.names if (one.asname or one.name.partition(".")[0]) not in without]
            if not node.names:
                continue
        elif names & set(without):
            continue
        try:
            kept.append(ast.unparse(node))
        except UNREADABLE:
            return ""
    return "".join(f"{one}\n" for one in kept)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _used(code: str) -> set[str]:
    """Names that code reads."""
    try:
        found = nodes(code)
    except UNREADABLE:
        return set()
    return {node.id for node in found if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def test_file(body: str, entry_points: Sequence[str], stub: str = "") -> str:
    """A pytest file: the import of what is tested, and before it what the tests use of the item's own stub.

    What a stub defines beside the entry point, such as a helper that the tests call, comes from the stub and not from
    the solution, which could have changed it.
    """
    around = surroundings(stub, {*entry_points, *defined(body)})
    given = f"{around}\n" if defined(around) & (_used(body) - set(dir(builtins))) else ""
    names = ", ".join(entry_points)
    return f"{given}from solution import {names}\n\n\n{body.strip()}\n" if names else f"{given}\n{body.strip()}\n"


test_file.__test__ = False  # type: ignore[attr-defined]


def check_function(test: str, entry_point: str) -> str:
    """Tests in HumanEval's form, a function ``check(candidate)``, with a test that calls it."""
    return f"{test.strip()}\n\n\ndef test_check():\n    check({entry_point})\n"


def asserts(statements: Sequence[str]) -> str:
    """A test function for each of some asserts."""
    cases = (
        f"def test_{number}():\n{textwrap.indent(one.strip(), '    ')}\n" for number, one in enumerate(statements, 1)
    )
    return "\n\n".join(cases)


def script(source: str) -> str:
    """A script of asserts and loops as a test: its statements in a test function, its definitions outside.

    Raises:
        SyntaxError: it does not parse; also what else ``parse`` raises.
    """
    tree = parse(source)
    outside = [node for node in tree.body if isinstance(node, _KEPT)]
    inside = [node for node in tree.body if not isinstance(node, _KEPT)]
    statements = textwrap.indent("\n".join(map(ast.unparse, inside)), "    ")
    return "\n".join(map(ast.unparse, outside)) + f"\n\n\ndef test_script():\n{statements or '    pass'}\n"


def called(statements: Sequence[str], code: str) -> list[str]:
    """The names that some code defines and that statements use, in the order of their definition."""
    tree = parsed(code)
    used = {name for one in statements for name in _used(one)}
    names: Iterator[str] = (name for node in (tree.body if tree else []) for name in sorted(bound_names(node)))
    kept = [name for name in names if name in used]
    imported = {name for node in (tree.body if tree else []) if _imports(node) for name in bound_names(node)}
    return [name for name in dict.fromkeys(kept) if name not in imported]


def _imports(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def libraries_of(*sources: str) -> list[str]:
    """Top-level modules beside the standard library that sources import; of one that does not parse none."""
    found: set[str] = set()
    for source in sources:
        if parsed(source) is not None:
            found |= imports(source)
    return sorted(found - set(sys.stdlib_module_names) - {"solution", "pytest"})
