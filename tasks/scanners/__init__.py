"""Scanners of text for what must not be passed on: secrets and personal data. Nothing found is ever told in full."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

_SHOWN = 4
"""Characters of a secret that are shown at most; never more than a quarter of it."""


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """Something in a text: its line, 1-based, what it is, and the thing itself, which must not be told."""

    line: int
    kind: str
    value: str

    def __repr__(self) -> str:
        return f"Found(line={self.line}, kind={self.kind!r}, value={self.masked!r})"

    @property
    def masked(self) -> str:
        """The first characters and the length."""
        return f"{self.value[: min(_SHOWN, len(self.value) // 4)]}… ({len(self.value)} characters)"


class Lines:
    """Which line of a text a place is in; the lines are counted once, when they are first asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self._text)]

    def at(self, place: int) -> int:
        """The line, 1-based, of a character, 0-based."""
        return bisect_left(self._breaks, place) + 1
