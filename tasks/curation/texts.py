"""The texts of a row that curation looks at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RowTexts:
    """A row as curation reads it; what it does not have is empty."""

    id: str
    question: str
    solution: str = ""
    test: str = ""
