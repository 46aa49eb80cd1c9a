"""Scanners of text for what must not be passed on: secrets and personal data. Nothing found is ever told in full."""

from __future__ import annotations

from dataclasses import dataclass

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
