"""Parsing Python source, safely from several threads."""

from __future__ import annotations

import ast
import re
import threading
from functools import lru_cache

UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError)
"""What reading a source can raise: it is no Python, or is nested more deeply than Python's own tools can follow."""
MOST_READ = 500_000
"""Characters of a source that is rewritten or judged by its text; more would take seconds."""
_lock = threading.Lock()


def parse(source: str) -> ast.Module:
    """``ast.parse``, one at a time.

    CPython counts the recursion of its AST constructor per interpreter, not per thread, and raises SystemError where
    two threads parse at once.

    Raises:
        SyntaxError: the source does not parse; also ValueError for NUL bytes, and RecursionError or MemoryError
            for a source nested too deeply.
    """
    with _lock:
        return ast.parse(source)


def parsed(source: str) -> ast.Module | None:
    """The syntax tree of a source; None where it does not parse."""
    try:
        return parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def header(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """A function's declaration without colon and body, as in ``def f(x: int) -> int``."""
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{keyword} {node.name}({ast.unparse(node.args)}){returns}"


@lru_cache(maxsize=128)
def nodes(source: str) -> tuple[ast.AST, ...]:
    """All nodes of a source, its module first, for several readers; not to be changed.

    Raises:
        SyntaxError: the source does not parse; also what else ``parse`` raises.
    """
    return tuple(ast.walk(parse(source)))


def imports(source: str) -> set[str]:
    """Top-level modules that the import statements of a source name.

    Raises:
        SyntaxError: the source does not parse; also what else ``parse`` raises.
    """
    names: set[str] = set()
    for node in nodes(source):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def printable(text: str) -> str:
    """A text without control characters but tabs and newlines: what a terminal shows, and never obeys."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", text)


def mentions(text: str, name: str) -> bool:
    """Whether a text holds a name as a word."""
    return re.search(rf"\b{re.escape(name)}\b", text) is not None
