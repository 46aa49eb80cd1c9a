"""Which names a piece of code gives its module and which it looks up there, by Python's own symbol tables.

Nothing is executed. Where code does not parse, or declares a name in two ways, the functions raise what ``parse`` does.
"""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

_OF_MODULES = {"__annotations__", "__builtins__", "__file__", "__module__", "__qualname__"}
_OF_PROMPTS = {"copyright", "credits", "exit", "license", "quit"}
"""What the module ``site`` adds for people at a prompt; the box starts without it."""
KNOWN = (frozenset(dir(builtins)) | _OF_MODULES) - _OF_PROMPTS
"""Names that every module in the box has."""


def needed_and_bound(code: str) -> tuple[frozenset[str], frozenset[str]]:
    """(names that code looks up in its module, names that it binds there).

    A name that a function declares global counts as both: ``x += 1`` reads it, which the tables do not tell.
    """
    top = symtable.symtable(code, "code", "exec")
    needed, bound = set(), set()
    for table in _scopes(top):
        for symbol in table.get_symbols():
            if symbol.is_global() and (symbol.is_referenced() or symbol.is_declared_global()):
                needed.add(symbol.get_name())
            if (symbol.is_assigned() or symbol.is_imported()) and (table is top or symbol.is_declared_global()):
                bound.add(symbol.get_name())
    return frozenset(needed), frozenset(bound)


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for inner in table.get_children():
        yield from _scopes(inner)


def undefined(code: str, tree: ast.Module) -> frozenset[str]:
    """The names that code uses and nothing defines; none where a star import, or a handler, may see to them."""
    if "NameError" in code or any(map(is_star, ast.walk(tree))):
        return frozenset()
    needed, bound = needed_and_bound(code)
    return needed - bound - KNOWN


def is_star(node: ast.AST) -> bool:
    """Whether a node is a star import."""
    return isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
