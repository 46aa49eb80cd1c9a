"""Near duplicates: MinHash with banding (Broder 1997; Leskovec et al., Mining of Massive Datasets, chapter 3) proposes
pairs, and each is then compared exactly, so that the threshold holds to the letter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from tasks.shingles import shingle_hashes

Positions = NDArray[np.int64]
Pairs = tuple[Positions, Positions, NDArray[np.float64]]
"""Left rows, right rows (the larger numbers), similarities."""
_RECALL = 0.9995
_WINDOW = 32
"""How far apart in a bucket rows are still compared; a larger bucket is of rows that are much alike, and a chain of
neighbours joins them."""
_AT_ONCE = 1 << 14
"""Pairs whose n-grams are compared at once: some 100 MB of them."""
_SIGNED_AT_ONCE = 4096
"""Rows whose signatures pass through Python lists at a time."""
_SEED = 0


@dataclass(frozen=True)
class Sets:
    """A set of 32-bit hashes per row: sorted ``values`` of row i between ``offsets[i]`` and ``offsets[i + 1]``."""

    values: NDArray[np.uint32]
    offsets: Positions

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, data: NDArray[np.uint8], sizes: Positions) -> Sets:
        """From the bytes of all rows behind one another, and how many each has."""
        return cls(data.view(np.uint32), np.concatenate([[0], np.cumsum(sizes // 4)]))

    @classmethod
    def concat(cls, parts: Sequence[Sets]) -> Sets:
        """The rows of several, behind one another."""
        if not parts:
            return cls(np.empty(0, np.uint32), np.zeros(1, np.int64))
        counts = np.concatenate([np.diff(part.offsets) for part in parts])
        return cls(np.concatenate([part.values for part in parts]), np.concatenate([[0], np.cumsum(counts)]))

    def take(self, rows: Positions) -> Sets:
        """Those of some rows."""
        values, counts = self._gather(rows)
        return Sets(values.astype(np.uint32), np.concatenate([[0], np.cumsum(counts)]))

    def row(self, number: int) -> bytes:
        return self.values[self.offsets[number] : self.offsets[number + 1]].tobytes()

    def _gather(self, rows: Positions) -> tuple[NDArray[np.uint64], Positions]:
        """Values of some rows behind one another, each with its place in ``rows`` in the upper half; and the counts."""
        counts = self.offsets[rows + 1] - self.offsets[rows]
        ends = np.cumsum(counts)
        places = np.repeat(self.offsets[rows] - (ends - counts), counts) + np.arange(ends[-1] if len(ends) else 0)
        owners = np.repeat(np.arange(len(rows), dtype=np.uint64), counts)
        return (owners << np.uint64(32)) | self.values[places], counts

    def jaccard(self, left: Positions, right: Positions) -> NDArray[np.float64]:
        """Jaccard similarity of each row of ``left`` with its counterpart in ``right``."""
        found = np.empty(len(left))
        for start in range(0, len(left), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            (ours, many), (theirs, more) = self._gather(left[some]), self._gather(right[some])
            both = np.sort(np.concatenate([ours, theirs]), kind="stable")
            twice = both[:-1][both[:-1] == both[1:]] >> np.uint64(32)
            common = np.bincount(twice.astype(np.int64), minlength=len(many))
            found[some] = common / np.maximum(many + more - common, 1)
        return found


def band_rows(threshold: float, permutations: int) -> int:
    """Rows per band: as many as find a pair at ``threshold`` but once in 2,000. More make fewer false candidates."""
    for rows in range(permutations, 1, -1):
        bands = permutations // rows
        if 1 - (1 - threshold**rows) ** bands >= _RECALL:
            return rows
    return 1


def signatures(texts: Sequence[str], threshold: float, permutations: int) -> tuple[Sets, NDArray[np.uint64]]:
    """N-gram sets and band keys of normalised texts.

    Returns:
        The sets, and an array of shape (len(texts), bands).
    """
    hashes, offsets = shingle_hashes(texts)
    keyed = np.repeat(np.arange(len(texts), dtype=np.uint64) << np.uint64(32), np.diff(offsets))
    keyed = _distinct(keyed | (hashes >> np.uint64(32)))
    counts = np.bincount((keyed >> np.uint64(32)).astype(np.int64), minlength=len(texts))
    sets = Sets(keyed.astype(np.uint32), np.concatenate([[0], np.cumsum(counts)]))
    rows = band_rows(threshold, permutations)
    bands = permutations // rows
    keys = np.zeros((len(texts), bands), np.uint64)
    for start in range(0, len(texts), _SIGNED_AT_ONCE):
        ends = offsets[start : start + _SIGNED_AT_ONCE + 1]
        parts = _digests(hashes[ends[0] : ends[-1]], ends - ends[0], bands * rows).reshape(-1, bands, rows)
        some = keys[start : start + _SIGNED_AT_ONCE]
        for place in range(rows):
            some ^= parts[:, :, place]
            some *= np.uint64(0x9E3779B97F4A7C15)
            some ^= some >> np.uint64(31)
    return sets, keys


def _digests(hashes: NDArray[np.uint64], offsets: Positions, permutations: int) -> NDArray[np.uint64]:
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), permutations, _SEED)
    return np.array(matrix.to_rows(), np.uint64)


def _distinct(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sorted and each once. ``np.unique`` hashes, and takes a hundred times as long over numbers that resemble."""
    values = np.sort(values)
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def neighbours(keys: NDArray[np.uint64]) -> tuple[Positions, Positions]:
    """Pairs of rows with the same key, the smaller number left; in a large bucket, those near one another in it."""
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    left, right = [], []
    for apart in range(1, _WINDOW + 1):
        same = np.flatnonzero(sorted_keys[:-apart] == sorted_keys[apart:])
        if not len(same):
            break
        left.append(order[same])
        right.append(order[same + apart])
    none = np.empty(0, np.int64)
    return np.concatenate([*left, none]), np.concatenate([*right, none])


def near_pairs(keys: NDArray[np.uint64], sets_of: Callable[[Positions], Sets], threshold: float) -> Pairs:
    """Pairs of rows that share a band and whose sets have a Jaccard similarity of at least ``threshold``.

    Args:
        keys: shape (rows, bands); the bands to look at.
        sets_of: the sets of some rows (ascending): of those alone that share a band with another.

    Returns:
        Each pair once.
    """
    seen = np.empty(0, np.uint64)
    for band in range(keys.shape[1]):
        left, right = neighbours(keys[:, band])
        pairs = (left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64)
        seen = _distinct(np.concatenate([seen, pairs]))
    left, right = (seen >> np.uint64(32)).astype(np.int64), (seen & np.uint64(0xFFFFFFFF)).astype(np.int64)
    compared = _distinct(np.concatenate([left, right]).astype(np.uint64)).astype(np.int64)
    sets = sets_of(compared)
    similarity = sets.jaccard(np.searchsorted(compared, left), np.searchsorted(compared, right))
    kept = similarity >= threshold
    return left[kept], right[kept], similarity[kept]
