"""Pairs to clusters, and of each cluster the row that stays.

KodCode drops every member of a cluster; here the best verified one is kept and names the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.curation.dedup.near import Positions

DIGEST = "S16"
"""The numpy type of a digest of 16 bytes."""
KINDS = ("", "exact", "near", "semantic")
"""Ways of being alike, the closest first, by their codes."""


Apart = Callable[[Positions, Positions], NDArray[np.bool_]]


@dataclass(frozen=True)
class Edges:
    """Pairs of rows that are alike: numbers of both and the code of the kind, an array each."""

    left: Positions
    right: Positions
    kind: NDArray[np.int8]


@dataclass(frozen=True)
class Clusters:
    """Of each row the row that stands for it, how closely it is tied to the others, and its cluster's size."""

    representative: Positions
    kind: NDArray[np.int8]
    size: Positions


def exact_edges(digests: Sequence[bytes] | NDArray[np.bytes_]) -> tuple[Edges, Positions]:
    """Pairs of each repeated text with its first occurrence; and the numbers of the first occurrences, ascending."""
    keys = np.asarray(digests, DIGEST)
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    earliest = first[inverse]
    again = np.flatnonzero(earliest != np.arange(len(keys)))
    return Edges(earliest[again], again, np.full(len(again), 1, np.int8)), np.sort(first)


def join(rows: int, edges: Sequence[Edges], quality: NDArray[np.float64], apart: Apart | None = None) -> Clusters:
    """Connected components over all pairs, and the best row of each.

    A component may be a chain whose ends have little in common. Where ``apart`` says that a row is another task than
    the one that would stand for it, it leaves the cluster, together with those of its pairs that leave with it.

    Args:
        rows: how many there are.
        quality: shape (rows, criteria); the first criterion in which two rows differ decides between them, then the
            earlier row.
        apart: takes representatives and rows, and says of each two whether they are known to be different.
    """
    every = Edges(
        np.concatenate([np.empty(0, np.int64), *(part.left for part in edges)]),
        np.concatenate([np.empty(0, np.int64), *(part.right for part in edges)]),
        np.concatenate([np.empty(0, np.int8), *(part.kind for part in edges)]),
    )
    numbers = np.arange(rows)
    representative, kind = numbers.copy(), np.zeros(rows, np.int8)
    loose, pairs = numbers, every
    while len(loose):
        representative[loose], kind[loose] = _represented(loose, pairs, quality)
        members = loose[representative[loose] != loose]
        if apart is None or not len(members):
            break
        loose = members[apart(representative[members], members)]
        leaves = np.zeros(rows, bool)
        leaves[loose] = True
        stay = leaves[pairs.left] & leaves[pairs.right]
        pairs = Edges(pairs.left[stay], pairs.right[stay], pairs.kind[stay])
    return Clusters(representative, kind, np.bincount(representative, minlength=rows)[representative])


def components(rows: int, left: Positions, right: Positions) -> Positions:
    """Connected components over pairs of rows: of each row the number of its component from 0 on, shape (rows,)."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - takes long to import
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    graph = coo_array((np.ones(len(left), np.int8), (left, right)), (rows, rows))
    _, label = connected_components(graph, directed=False)
    return np.asarray(label, np.int64)


def _represented(rows: Positions, pairs: Edges, quality: NDArray[np.float64]) -> tuple[Positions, NDArray[np.int8]]:
    """Of each of the rows (ascending) who stands for it, and how closely it is tied to others; 0 if it does itself."""
    left, right = np.searchsorted(rows, pairs.left), np.searchsorted(rows, pairs.right)
    label = components(len(rows), left, right)
    criteria = quality[rows]
    order = np.lexsort(np.vstack([rows, -criteria.T[::-1], label]))
    first = np.concatenate([[True], label[order][1:] != label[order][:-1]])
    best = order[first][label]  # one per label, in the labels' order
    closest = np.full(len(rows), len(KINDS), np.int8)
    np.minimum.at(closest, left, pairs.kind)
    np.minimum.at(closest, right, pairs.kind)
    closest[best == np.arange(len(rows))] = 0
    return rows[best], closest
