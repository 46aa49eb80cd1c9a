"""What differs between two releases, as it is told: numbers, and Markdown for a card or a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from semver import Version

from tasks.curation.diversity.report import cell

Change = Literal["major", "minor", "patch", "none"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class RowCounts(_Part):
    """Rows of one subset and style, or of all.

    Attributes:
        changed: rows in both with another value in a column that both have; ``moved``: in another split.
    """

    subset: str = ""
    style: str = ""
    before: int
    after: int
    added: int
    removed: int
    changed: int
    moved: int


class Move(_Part):
    """Rows that went from one split to another."""

    source: str
    target: str
    rows: int


class ColumnChange(_Part):
    """A column that came, went, or has another type. Empty: it is not there."""

    config: str
    column: str
    before: str
    after: str


class TableChange(_Part):
    """One split of one configuration. None: it is not there.

    Attributes:
        added: rows that are not in the earlier one, whatever their place; of the default configuration by its id.
    """

    config: str
    split: str
    before: int | None
    after: int | None
    added: int
    removed: int


class Shift(_Part):
    """How far the shares of an axis moved."""

    axis: str
    distance: float = Field(description="Jensen-Shannon distance, base 2: 0 equal, 1 disjoint.")
    movers: list[str] = Field(description="The values whose shares changed most, in words.")


class Measured(_Part):
    """A number of both releases; None where there is nothing to measure."""

    name: str
    before: float | None
    after: float | None


class Diff(_Part):
    """From one release to a later one.

    Attributes:
        examples: some ids of rows that were added, removed, changed and moved.
        columns: rows in which a column changed.
        licences: rows by licence, before and after, where they differ.
    """

    before: str
    after: str
    rows: RowCounts
    groups: list[RowCounts]
    columns: dict[str, int]
    moves: list[Move]
    examples: dict[str, list[str]]
    schema_changes: list[ColumnChange]
    tables: list[TableChange]
    shifts: list[Shift]
    measures: list[Measured]
    licences: dict[str, tuple[int, int]]
    change: Change

    def to_markdown(self) -> str:
        """What changed, with headings of the third level; unchanged things are left out."""
        return "\n\n".join(part for part in _sections(self) if part) + "\n"


def raised(version: Version, change: Change) -> Version:
    """The version after a change.

    Croissant 1.1, "Dataset versioning" (MLCommons 2026): major where existing data is edited, removed or moved across
    splits; minor where there is more of it; patch where the same data is packaged or described otherwise.
    """
    match change:
        case "major":
            return version.bump_major()
        case "minor":
            return version.bump_minor()
        case _:
            return version.bump_patch()


def _sections(found: Diff) -> Iterator[str]:
    rows = found.rows
    yield (
        f"From {found.before} to {found.after}: {rows.before:,} rows before, {rows.after:,} now; {rows.added:,} added, "
        f"{rows.removed:,} removed, {rows.changed:,} changed, {rows.moved:,} in another split."
    )
    groups = [one for one in found.groups if one.added or one.removed or one.changed or one.moved]
    yield _table(
        "Rows by subset and style",
        ("subset", "style", "before", "now", "added", "removed", "changed", "moved"),
        (
            (one.subset, one.style, one.before, one.after, one.added, one.removed, one.changed, one.moved)
            for one in groups
        ),
    )
    yield _table("Values changed in", ("column", "rows"), found.columns.items())
    yield _table("Between splits", ("from", "to", "rows"), ((one.source, one.target, one.rows) for one in found.moves))
    yield _table(
        "Columns",
        ("configuration", "column", "before", "now"),
        ((one.config, one.column, one.before or "none", one.after or "none") for one in found.schema_changes),
    )
    tables = [one for one in found.tables if one.added or one.removed or None in (one.before, one.after)]
    yield _table(
        "Configurations and splits",
        ("configuration", "split", "rows before", "now", "added", "removed"),
        ((one.config, one.split, _or_none(one.before), _or_none(one.after), one.added, one.removed) for one in tables),
    )
    yield _table(
        "Shares",
        ("of", "JS distance", "moved most"),
        ((one.axis, f"{one.distance:.3f}", "; ".join(one.movers)) for one in found.shifts if one.distance),
    )
    yield _table(
        "Measures",
        ("measure", "before", "now"),
        ((one.name, _number(one.before), _number(one.after)) for one in found.measures if one.before != one.after),
    )
    yield _table(
        "Licences", ("licence", "rows before", "now"), ((name, *counts) for name, counts in found.licences.items())
    )
    if found.examples:
        names = list(found.examples)
        yield _table("Some of the rows", names, zip_longest(*found.examples.values(), fillvalue=""))


def _or_none(value: int | None) -> object:
    return "none" if value is None else value


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:,.0f}" if value == int(value) and value > 1 else f"{value:.3f}"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(cell(str(value)) for value in row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"### {title}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|", *lines])
