"""Which groups are held out for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tasks.sets.groups import Positions
from tasks.settings import HeldOut

REPORT = "held_out.json"
"""Of a run: what was held out, as a ``HeldOutReport``."""


class HeldOutCount(BaseModel):
    """Train rows of one subset and difficulty."""

    model_config = ConfigDict(frozen=True)

    subset: str
    difficulty: str
    rows: int = Field(description="Train rows before any was held out.")
    wanted: int
    held_out: int


class HeldOutReport(BaseModel):
    """What was held out, and what stood in the way."""

    model_config = ConfigDict(frozen=True)

    share: float = Field(description="As the config has it.")
    rows: int = Field(description="Train rows before any was held out.")
    held_out: int
    groups: int = Field(description="Of all rows of the run.")
    largest: int = Field(description="Rows of the largest group.")
    barred: int = Field(description="Train rows of groups with a row that is contaminated or in `use_with_caution`.")
    too_large: int = Field(description="Train rows of groups larger than one group may be.")
    counts: list[HeldOutCount]

    @property
    def message(self) -> str:
        """One line: how many rows, and if they are fewer than wanted why."""
        wanted = sum(one.wanted for one in self.counts)
        told = f"{self.held_out} of {self.rows} train rows are held out, {wanted} wanted, in whole groups"
        if self.held_out >= wanted:
            return told
        return (
            f"{told}. {self.barred} rows have relatives that are contaminated or in doubt, and {self.too_large} are of "
            f"groups of more than held_out.largest allows; the largest has {self.largest} rows"
        )


@dataclass(frozen=True)
class Rows:
    """The rows of a run, shape (rows,) each.

    Attributes:
        group: the number of the first row of its group.
        subset, difficulty: in words; of rows that are in no split anything.
        is_train: whether it is in `train`.
        bars: whether no row of its group may be held out: it is in doubt, or overlaps with a benchmark.
    """

    group: Positions
    subset: NDArray[np.object_]
    difficulty: NDArray[np.object_]
    is_train: NDArray[np.bool_]
    bars: NDArray[np.bool_]


def hold_out(rows: Rows, names: Sequence[str], rules: HeldOut, seed: int) -> tuple[NDArray[np.bool_], HeldOutReport]:
    """The rows that are held out, shape (rows,): all train rows of some groups.

    Groups come in an order at random that depends on their names and the seed alone, so that few rows change places
    when a run grows. One is taken if there is room for all its rows in the shares of their subsets and difficulties;
    then, for what has too few groups, in the shares of the subsets, and in that of all.

    Args:
        names: of each row; a group is called by its first.
    """
    train = np.flatnonzero(rows.is_train)
    barred = np.isin(rows.group, rows.group[rows.bars])
    sizes = np.bincount(rows.group[train], minlength=len(rows.group))
    too_large = ~barred & (sizes[rows.group] > max(1.0, rules.largest * rules.share * len(train)))
    members = _in_order(rows.group, train[~(barred | too_large)[train]], names, seed)
    held = np.zeros(len(rows.group), np.bool_)
    kinds = pd.MultiIndex.from_arrays([rows.subset[train], rows.difficulty[train]])
    codes, found = kinds.factorize(sort=True)
    subsets = pd.factorize(rows.subset[train], sort=True)[0]
    for level in (codes, subsets, np.zeros_like(codes)):
        strata = np.full(len(rows.group), -1)
        strata[train] = level
        _fill(held, members, strata, _wanted(level, rules.share))
    counts = zip(found, np.bincount(codes), _wanted(codes, rules.share), _counted(codes, held[train]), strict=True)
    return held, HeldOutReport(
        share=rules.share,
        rows=len(train),
        held_out=int(held.sum()),
        groups=len(np.unique(rows.group)),
        largest=int(np.bincount(rows.group).max(initial=0)),
        barred=int(barred[train].sum()),
        too_large=int(too_large[train].sum()),
        counts=[
            HeldOutCount(subset=subset, difficulty=difficulty, rows=have, wanted=wanted, held_out=taken)
            for (subset, difficulty), have, wanted, taken in counts
        ],
    )


def _in_order(group: Positions, free: Positions, names: Sequence[str], seed: int) -> list[Positions]:
    """The rows of each group that may be held out, the groups in their order at random."""
    by_group = free[np.argsort(group[free], kind="stable")]
    cuts = np.flatnonzero(np.diff(group[by_group])) + 1
    members = np.split(by_group, cuts) if len(by_group) else []
    return sorted(members, key=lambda one: _chance(names[group[one[0]]], seed))


def _chance(name: str, seed: int) -> bytes:
    return hashlib.blake2b(f"{seed}\n{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _wanted(strata: Positions, share: float) -> Positions:
    """Rows to hold out of each stratum.

    Rounding the running total keeps the sum, and small strata are not all rounded away.
    """
    return np.diff(np.rint(np.cumsum(share * np.bincount(strata))), prepend=0).astype(np.int64)


def _counted(strata: Positions, which: NDArray[np.bool_]) -> Positions:
    return np.bincount(strata[which], minlength=strata.max(initial=-1) + 1)


def _fill(held: NDArray[np.bool_], members: list[Positions], strata: Positions, wanted: Positions) -> None:
    """Hold out one group after the other, where there is room for it in every stratum."""
    room = wanted - np.bincount(strata[held], minlength=len(wanted))
    for rows in members:
        if not (room > 0).any():
            return
        if held[rows[0]]:
            continue
        found, counts = np.unique(strata[rows], return_counts=True)
        if (counts <= room[found]).all():
            held[rows] = True
            room[found] -= counts
