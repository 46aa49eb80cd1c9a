"""Groups of rows that are about the same task, or about near relatives: what must not be split between training and
evaluation.

Duplicates are the smaller part of it. A task and its opposite ("largest" against "smallest") are no duplicates, and
yet a model that was trained on the one has seen most of the other. The same goes for questions made from one seed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tasks.curation.dedup.clusters import components

Positions = NDArray[np.int64]
Ties = tuple[Positions, Positions]
"""Rows by their numbers, each with another that it belongs to."""
OPENINGS = frozenset(("prefill", "instruct_filter"))
"""Methods whose seed is how a question begins, and not what it is about."""
_FEW = 20
"""Rows that a seed ties however few there are in all."""
_MOST_SEEDS = 8
"""Of a row that was made from more, each ties."""


def same(keys: NDArray[Any], rows: Positions | None = None) -> Ties:
    """Rows with equal keys: each with the first that has its key.

    Args:
        keys: shape (n,).
        rows: shape (n,), the row that each key is of. None: row after row.
    """
    rows = np.arange(len(keys)) if rows is None else rows
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return rows[first[inverse]], rows


class Seeds:
    """What rows were made from, a shard after the other. Memory grows by 16 bytes per row and seed.

    A subset that shows three seeds per prompt joins nearly all of its rows by chains of single shared seeds. So rows
    are tied that share more than half of the seeds of each.
    """

    def __init__(self) -> None:
        self._owners: list[int] = []
        self._seeds: list[str] = []
        self._rows = 0

    def add(self, methods: Iterable[str], sources: Iterable[Sequence[Mapping[str, str]]]) -> None:
        """Take in rows: how each was made, and origin and path of its seeds."""
        for method, seeds in zip(methods, sources, strict=True):
            if method not in OPENINGS:
                names = {f"{seed['origin']}\n{seed['path']}" for seed in seeds}
                self._owners += [self._rows] * len(names)
                self._seeds += sorted(names)
            self._rows += 1

    def ties(self, common: float) -> Ties:
        """Rows that share their seeds.

        Args:
            common: a seed of more than this share of the rows ties none, unless these are few.
        """
        owners = np.array(self._owners, np.int64)
        if not len(owners):
            return owners, owners
        codes = pd.factorize(np.array(self._seeds, object))[0]
        kept = np.bincount(codes)[codes] <= max(_FEW, common * self._rows)
        owners, codes = owners[kept], codes[kept]
        keys: list[int] = []
        rows: list[int] = []
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        for row, seeds in zip(owners[starts].tolist(), np.split(codes, starts[1:]), strict=False):
            ordered = sorted(seeds.tolist())
            size = 1 if len(ordered) > _MOST_SEEDS else len(ordered) // 2 + 1
            for shared in combinations(ordered, size):
                keys.append(shared[0] if size == 1 else hash(shared))
                rows.append(row)
        return same(np.array(keys, np.int64), np.array(rows, np.int64))


def groups(rows: int, ties: Sequence[Ties]) -> Positions:
    """Connected components over all ties: of each row the number of the first row of its group, shape (rows,)."""
    left = np.concatenate([np.empty(0, np.int64), *(one for one, _ in ties)])
    right = np.concatenate([np.empty(0, np.int64), *(other for _, other in ties)])
    label = components(rows, left, right)
    first = np.full(rows, rows)  # by component, of which there are at most as many as rows
    np.minimum.at(first, label, np.arange(rows))
    return np.asarray(first[label], np.int64)
