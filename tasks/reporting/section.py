"""What a section of a report is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.reporting.charts import Chart
from tasks.reporting.samples import Rejected, Sample

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """Rows beneath a title. A long one is folded."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    is_open: bool = False


@dataclass(frozen=True)
class SampleGroup:
    """Rows of a kind."""

    title: str
    rows: Sequence[Sample]


@dataclass(frozen=True)
class Section:
    """One section of the page. ``notes`` are sentences that not every run needs."""

    name: str
    title: str
    meaning: str
    notes: list[str] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    samples: list[SampleGroup] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    colourings: Sequence[str] = ()


def rounded(value: float | None) -> float | None:
    """A measure as a table tells it."""
    return None if value is None else round(value, 2)
