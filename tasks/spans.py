"""Where the nodes of a Python source stand in its text, to replace one and leave all else as it is written."""

from __future__ import annotations

import ast
from itertools import accumulate


class Spans:
    """The bytes of a source, in which CPython counts columns.

    Attributes:
        data: the source in UTF-8, its lines ended as CPython reads them.
        lines: where in ``data`` each line starts, the one after the last included.

    Raises:
        UnicodeEncodeError: the source holds half a surrogate pair, with which it does not parse either.
    """

    def __init__(self, source: str) -> None:
        self.data = source.replace("\r\n", "\n").replace("\r", "\n").encode()
        self.lines = [0, *accumulate(len(line) + 1 for line in self.data.split(b"\n"))]

    def of(self, first: ast.AST, last: ast.AST | None = None) -> tuple[int, int]:
        """Start and end of a node, or of all from one to another; decorators are part of what they decorate."""
        last = last or first
        line: int = first.lineno  # type: ignore[attr-defined]
        line = min([line, *(decorator.lineno for decorator in getattr(first, "decorator_list", []))])
        start: int = self.lines[line - 1] + first.col_offset  # type: ignore[attr-defined]
        end: int = self.lines[last.end_lineno - 1] + last.end_col_offset  # type: ignore[attr-defined]
        return start, end
