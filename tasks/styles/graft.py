"""A stub completed: its declarations and docstrings with the bodies of a solution. All else of the solution stays as it
is written, comments included."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Callable, Sequence
from itertools import takewhile

from tasks.spans import Spans
from tasks.styles.declarations import Definition, Import, definitions, import_lines, is_docstring, preamble
from tasks.syntax import parse

_INDENT = b"    "
Edit = tuple[int, int, bytes]
"""Start, end, and what is put there."""


def graft(stub: str, solution: str) -> str:
    """The solution with the declarations and docstrings of a stub, and the imports that the stub needs beside its own.

    Args:
        stub: declares nothing that the solution does not define.

    Raises:
        SyntaxError: one of them does not parse; also what else ``parse`` raises.
    """
    mine, theirs = _Text(stub), _Text(solution)
    declared, wanted = definitions(mine.tree), definitions(theirs.tree)
    edits: list[Edit] = []
    for name, node in declared.items():
        edits += _told_as(mine, node, theirs, wanted[name])
    grafted = _edited(theirs.data, edits).decode()
    return with_preamble(grafted, list(import_lines(mine.tree).values()))


def with_preamble(source: str, lines: Sequence[str]) -> str:
    """A program with the imports and assignments that it does not have: imports after its docstring and those from the
    future, assignments after the imports.

    Raises:
        SyntaxError: the program does not parse; also what else ``parse`` raises.
    """
    there = set(preamble(parse(source)).values())
    wanted = [line for line in dict.fromkeys(lines) if line not in there]
    imports = [line for line in wanted if line.startswith(("import ", "from "))]
    source = _inserted(source, sorted(imports, key=lambda line: not line.startswith("from __future__")), _is_first)
    return _inserted(source, [line for line in wanted if line not in imports], _is_import)


def _is_first(node: ast.stmt) -> bool:
    return is_docstring(node) or (isinstance(node, ast.ImportFrom) and node.module == "__future__")


def _is_import(node: ast.stmt) -> bool:
    return is_docstring(node) or isinstance(node, Import)


def _inserted(source: str, lines: Sequence[str], belongs_before: Callable[[ast.stmt], bool]) -> str:
    """A program with lines behind the statements that it begins with and that belong before them."""
    if not lines:
        return source
    before = list(takewhile(belongs_before, parse(source).body))
    last = before[-1].end_lineno or 0 if before else 0
    written = list(io.StringIO(source, newline=""))
    head, rest = "".join(written[:last]), "".join(written[last:])
    if head and not head.endswith("\n"):
        head += "\n"
    gap = "" if rest.startswith(("import ", "from ", "\n")) else "\n\n"
    return head + "".join(f"{line}\n" for line in lines) + gap + rest


class _Text:
    """A source with the places of its definitions, in bytes."""

    def __init__(self, source: str) -> None:
        self.tree = parse(source)
        self._spans = Spans(source)
        self.data = self._spans.data
        self._lines = self.data.decode().split("\n")
        reader = io.StringIO(self.data.decode()).readline
        self._tokens = [token for token in tokenize.generate_tokens(reader) if token.type is tokenize.OP]

    def _at(self, position: tuple[int, int]) -> int:
        row, column = position
        return self._spans.lines[row - 1] + len(self._lines[row - 1][:column].encode())

    def head(self, node: Definition) -> tuple[int, int]:
        """From ``def`` or ``class`` to the position after the colon."""
        start = self._spans.lines[node.lineno - 1] + node.col_offset
        depth = 0
        for token in self._tokens:
            at = self._at(token.start)
            if at < start:
                continue
            depth += (token.string in "([{") - (token.string in ")]}")
            if token.string == ":" and depth == 0:
                return start, at + 1
        raise AssertionError(f"{node.name} has no colon")

    def docstring(self, node: Definition) -> tuple[int, int] | None:
        return self._spans.of(node.body[0]) if is_docstring(node.body[0]) else None

    def body(self, node: Definition) -> tuple[int, bytes, bool]:
        """Where the body starts, its indentation, and whether it is on a line of its own."""
        start, _ = self._spans.of(node.body[0])
        line = self.data.rfind(b"\n", 0, start) + 1
        before = self.data[line:start]
        return start, before, not before.strip()


def _told_as(mine: _Text, declared: Definition, theirs: _Text, defined: Definition) -> list[Edit]:
    """The edits that give a definition the head and the docstring of a stub's."""
    start, end = theirs.head(defined)
    edits: list[Edit] = []
    if not isinstance(defined, ast.ClassDef):
        own_start, own_end = mine.head(declared)
        edits.append((start, end, mine.data[own_start:own_end]))
    told = mine.docstring(declared)
    if told is None:
        return edits
    docstring = mine.data[told[0] : told[1]]
    if there := theirs.docstring(defined):
        return [*edits, (*there, docstring)]
    body, indent, apart = theirs.body(defined)
    if apart:
        line_end = theirs.data.find(b"\n", end)
        return [*edits, (line_end, line_end, b"\n" + indent + docstring)]
    column = theirs.data.rfind(b"\n", 0, start) + 1
    indent = theirs.data[column:start] + _INDENT
    return [*edits, (end, body, b"\n" + indent + docstring + b"\n" + indent)]


def _edited(data: bytes, edits: list[Edit]) -> bytes:
    pieces, at = [], 0
    for start, end, text in sorted(edits):
        pieces += [data[at:start], text]
        at = end
    return b"".join([*pieces, data[at:]])
