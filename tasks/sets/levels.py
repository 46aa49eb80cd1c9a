"""How difficult a row is: by a solver that saw no tests, and where none was asked by the author's own attempts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from tasks.models import Difficulty

COLUMNS = ("gpt_difficulty", "gpt_pass_percentage", "solver")
"""Columns of a released row that ``levels`` reads."""


def levels(table: pa.Table) -> Iterator[tuple[Difficulty, float]]:
    """Difficulty and pass rate (0 to 1) of each row. A row that no try of the solver passed is hard."""
    for row in table.select(list(COLUMNS)).to_pylist():
        yield _level(row)


def _level(row: Mapping[str, Any]) -> tuple[Difficulty, float]:
    solver = row["solver"]
    if solver is None:
        return Difficulty(row["gpt_difficulty"]), float(row["gpt_pass_percentage"])
    return Difficulty(solver["difficulty"] or Difficulty.HARD), float(solver["rate"])
