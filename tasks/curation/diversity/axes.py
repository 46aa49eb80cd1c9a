"""A table of labelled rows as codes per axis: what counting and choosing work on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from tasks.curation.diversity.lexicon import lexicon
from tasks.curation.diversity.programs import SKILLS
from tasks.errors import BadInput
from tasks.models import Difficulty, Style
from tasks.settings.mix import Axis

UNKNOWN = "unknown"
"""The value of a row that has none, on an axis of one value."""
NONE = "none"
"""The value of a row without any skill or library."""
STYLES = tuple(style.value for style in Style)
_EDGES = (25, 50, 100, 200, 400)
LENGTHS = ("below 25 words", "25-49 words", "50-99 words", "100-199 words", "200-399 words", "400 words and more")
"""Buckets of a question's words."""

COLUMNS: dict[Axis, str] = {
    Axis.SUBSET: "subset",
    Axis.STYLE: "style",
    Axis.DIFFICULTY: "difficulty",
    Axis.TOPIC: "topics",
    Axis.SKILL: "skills",
    Axis.LIBRARY: "libraries",
    Axis.LANGUAGE: "language",
    Axis.LENGTH: "words",
}
"""The column that an axis is read from."""


@dataclass(frozen=True)
class Coded:
    """The values of one axis.

    Attributes:
        rows: shape (k,), positions of rows, ascending; more than one entry for a row with several values.
        codes: shape (k,), positions in ``values``.
        values: sorted, each of which occurs.
    """

    rows: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int64]
    values: tuple[str, ...]

    def counts(self) -> dict[str, int]:
        """Rows per value."""
        found = np.bincount(self.codes, minlength=len(self.values))
        return {value: int(count) for value, count in zip(self.values, found, strict=True)}


def frame_of(rows: pd.DataFrame | pa.Table, needed: Collection[str]) -> pd.DataFrame:
    """The rows as a frame with positions for an index.

    Raises:
        BadInput: a column is missing.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else rows.to_pandas()
    if missing := [name for name in needed if name not in frame.columns]:
        raise BadInput(
            f"the rows lack the column{'s' * (len(missing) > 1)} {', '.join(missing)}; they have "
            f"{', '.join(map(str, frame.columns))}. Label them first"
        )
    return frame.reset_index(drop=True)


def _single(values: pd.Series[Any]) -> Coded:
    codes, found = pd.factorize(values.fillna(UNKNOWN).astype(str).replace("", UNKNOWN), sort=True)
    return Coded(np.arange(len(values)), codes.astype(np.int64), tuple(map(str, found)))


def _multiple(lists: pd.Series[Any]) -> Coded:
    long = lists.explode().fillna(NONE).astype(str)
    codes, found = pd.factorize(long, sort=True)
    return Coded(long.index.to_numpy(np.int64), codes.astype(np.int64), tuple(map(str, found)))


def coded(frame: pd.DataFrame, axis: Axis) -> Coded:
    """The values of the rows on an axis. The frame's index must be positions."""
    column = frame[COLUMNS[axis]]
    if axis is Axis.LENGTH:
        buckets = np.searchsorted(_EDGES, column.to_numpy(np.int64), side="right")
        found, codes = np.unique(buckets, return_inverse=True)
        return Coded(np.arange(len(column)), codes.astype(np.int64), tuple(LENGTHS[bucket] for bucket in found))
    if axis is Axis.TOPIC:
        return _single(column.str[0])
    return _multiple(column) if axis.is_multiple else _single(column)


def known_values() -> Mapping[Axis, tuple[str, ...]]:
    """The axes whose values are known beforehand, and these values."""
    return {
        Axis.STYLE: STYLES,
        Axis.DIFFICULTY: tuple(level.value for level in Difficulty),
        Axis.TOPIC: lexicon().topics,
        Axis.SKILL: (*SKILLS, NONE),
        Axis.LENGTH: LENGTHS,
    }
