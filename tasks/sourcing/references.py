"""The reference of a snippet: its code, cut from the file with all that it needs there.

Tests are run against it in the box, so it is a module of its own. Where it needs the project around it, or a name that
nothing defines, there is none.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from pathlib import PurePosixPath
from sys import stdlib_module_names

from tasks.sourcing.names import KNOWN, is_star, needed_and_bound, undefined
from tasks.syntax import parse

MAX_CHARACTERS = 100_000
"""Of a file that is cut from: a larger one is data."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_NO_VALUES = (*_DEFINITIONS, ast.Import, ast.ImportFrom)
_IMPORTED_AS = {
    "beautifulsoup4": "bs4",
    "pillow": "PIL",
    "python-dateutil": "dateutil",
    "pyyaml": "yaml",
    "scikit-learn": "sklearn",
}


def cut(text: str, name: str, path: str, libraries: Sequence[str] = ()) -> str:
    """The code of a snippet as a module that runs on its own; empty where it cannot.

    Args:
        text: the file.
        name: a function of it, which comes with the imports, definitions and values that it needs; empty: all of it.
        path: where in its project the file is. The package that it is in is not in the box.
        libraries: requirements that are there beside the box's own.
    """
    if len(text) > MAX_CHARACTERS:
        return ""
    try:
        code = _with_needs(text, name) if name else text
        tree = parse(code)
        # A file in which one function lacks a name still gives its other ones.
        stands = _modules(tree) <= _available(path, tuple(libraries)) and not (name and undefined(code, tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    return code if stands else ""


def _modules(tree: ast.Module) -> set[str]:
    """Top-level modules that code imports; an empty name stands for relative ones."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("" if node.level else (node.module or "").partition(".")[0])
    return found


@lru_cache(maxsize=64)
def _available(path: str, libraries: tuple[str, ...]) -> frozenset[str]:
    """Modules that a file's code can import in the box."""
    named = (re.match(r"[\w.-]+", library) for library in libraries)
    installed = _pinned() | {_module(found[0]) for found in named if found}
    return stdlib_module_names | (installed - {PurePosixPath(path).parts[0]})


@cache
def _pinned() -> frozenset[str]:
    pins = (resources.files("sandbox_image") / "requirements.txt").read_text(encoding="utf-8")
    return frozenset(map(_module, re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)))


def _module(distribution: str) -> str:
    """The module that a distribution is imported as."""
    return _IMPORTED_AS.get(distribution.lower(), distribution.lower().replace("-", "_"))


@dataclass(frozen=True)
class _Unit:
    """Statements of a module that share lines, usually one.

    Attributes:
        sets: names of the module that it binds, or whose values it may change in place.
    """

    text: str
    needs: frozenset[str]
    sets: frozenset[str]
    is_future: bool
    is_star: bool
    is_definition: bool


def _with_needs(text: str, name: str) -> str:
    """A function with all that it needs of its file, in the order of the file."""
    units = _units(text)
    setting: defaultdict[str, list[int]] = defaultdict(list)
    for number, unit in enumerate(units):
        for one in unit.sets:
            setting[one].append(number)
    if name not in setting:
        return ""
    stars = [number for number, unit in enumerate(units) if unit.is_star]
    kept = {number for number, unit in enumerate(units) if unit.is_future}
    todo, done = [name], set(KNOWN - setting.keys())
    while todo:
        if (wanted := todo.pop()) not in done:
            done.add(wanted)
            for number in setting.get(wanted, stars):
                kept.add(number)
                todo += units[number].needs
    return _joined([units[number] for number in sorted(kept)])


def _joined(units: Sequence[_Unit]) -> str:
    code = units[0].text
    for before, unit in pairwise(units):
        code += ("\n\n\n" if before.is_definition or unit.is_definition else "\n") + unit.text
    return f"{code}\n"


@lru_cache(maxsize=4)
def _units(text: str) -> tuple[_Unit, ...]:
    """The statements of a file, without what it does only as a program; kept for the next function of the file."""
    body = [node for node in parse(text).body if not _is_main(node)]
    lines = re.split("\r\n?|\n", text)
    spans: list[tuple[int, int, list[ast.stmt]]] = []
    for node in body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
        last, shared = node.end_lineno or first, list[ast.stmt]()
        if spans and first <= spans[-1][1]:
            first, _, shared = spans.pop()
        spans.append((first, last, [*shared, node]))
    values = _values(body)
    return tuple(_unit("\n".join(lines[first - 1 : last]), found, values) for first, last, found in spans)


def _unit(text: str, found: list[ast.stmt], values: frozenset[str]) -> _Unit:
    needed, bound = needed_and_bound(text)
    changed = {name for node in found for name in _changed(node)} & values
    return _Unit(
        text=text,
        needs=needed,
        sets=bound | changed,
        is_future=any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in found),
        is_star=any(map(is_star, found)),
        is_definition=isinstance(found[-1], _DEFINITIONS),
    )


def _is_main(node: ast.stmt) -> bool:
    """Whether a statement runs only where the file is run as a program."""
    return isinstance(node, ast.If) and any(
        isinstance(inner, ast.Name) and inner.id == "__name__" for inner in ast.walk(node.test)
    )


def _values(body: Sequence[ast.stmt]) -> frozenset[str]:
    """Names that a module gives to values, not to functions, classes or modules."""
    return frozenset(
        inner.id
        for node in body
        if not isinstance(node, _NO_VALUES)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    )


def _changed(statement: ast.stmt) -> Iterator[str]:
    """Names whose values a statement may change in place, as in ``x[0] = 1``, ``x.y = 1`` and ``x.append(1)``."""
    if isinstance(statement, _NO_VALUES):
        return
    for node in ast.walk(statement):
        held: ast.AST | None = None
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            held = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            held = node.func.value
        while isinstance(held, ast.Subscript | ast.Attribute):
            held = held.value
        if isinstance(held, ast.Name):
            yield held.id
