"""Semantic duplicates: vectors are put into cells around learnt centroids, and compared exactly within each cell.

This is an inverted-file index (Jégou et al. 2011, as in faiss) in which both sides of a comparison look into their
nearest cells, and how SemDeDup (Abbas et al. 2023, arXiv 2303.09540) prunes. Cells hold a fixed number of rows however
many there are, so the work grows with the rows, and each cell can be compared by another worker.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tasks.curation.dedup.near import Pairs, Positions
from tasks.settings import Dedup, Embedder

Vectors = NDArray[np.float32]
COSINES = {"wordllama-256": 0.89, "minilm-384": 0.87}
"""Thresholds that `benchmarks.calibration` found, by embedder."""
KODCODE_COSINE = 0.95
"""For an embedder that was not calibrated (Xu et al. 2025, section 3.1: squared L2 below 0.1)."""
CELL_ROWS = 1000
PROBES = 3
"""Cells that each row is put into: two rows that are alike almost always have one in common."""
_SAMPLE = 64
"""Rows per centroid that are learnt from."""
_NEIGHBOURS = 16
"""Of each row, the most similar earlier ones that are kept: more would join no further clusters."""
_CHUNK = 512


def cosine_threshold(rules: Dedup, embedder: Embedder) -> float:
    """Cosine from which two questions are semantic duplicates."""
    if rules.cosine is not None:
        return rules.cosine
    return COSINES.get(embedder.calibrated_as, KODCODE_COSINE)


def cells_for(rows: int) -> int:
    """How many cells so many rows need."""
    return max(1, -(-rows // CELL_ROWS))


def sample_size(rows: int) -> int:
    return min(rows, cells_for(rows) * _SAMPLE)


def learn_cells(sample: Vectors, cells: int, seed: int) -> Vectors:
    """Centroids of the cells by spherical k-means, shape (cells, dimensions).

    Args:
        sample: rows of unit length, in an order that does not depend on how they were stored.
    """
    cells = max(1, min(cells, len(sample)))
    if cells == 1:
        return np.zeros((1, sample.shape[1]), np.float32)
    import faiss  # noqa: PLC0415 - takes long to import

    means = faiss.Kmeans(
        sample.shape[1],
        cells,
        niter=10,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=_SAMPLE * 2,
    )
    means.train(np.ascontiguousarray(sample, np.float32))
    return np.asarray(means.centroids, np.float32)


def place(vectors: Vectors, centroids: Vectors) -> NDArray[np.int32]:
    """The nearest cells of each row, nearest first; shape (rows, at most ``PROBES``)."""
    import faiss  # noqa: PLC0415

    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids))
    _, cells = index.search(np.ascontiguousarray(vectors, np.float32), min(PROBES, len(centroids)))
    return np.asarray(cells, np.int32)


def similar_pairs(rows: Positions, vectors: Vectors, threshold: float) -> Pairs:
    """Pairs in one cell with a cosine of at least ``threshold``: left rows, right rows (the larger numbers), cosines.

    Args:
        rows: the numbers of the cell's rows, ascending.
        vectors: theirs, of unit length.
    """
    lefts, rights, cosines = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    for start in range(0, len(rows), _CHUNK):
        end = min(start + _CHUNK, len(rows))
        found = vectors[start:end] @ vectors[:end].T
        found[np.arange(end - start)[:, None] + start <= np.arange(end)[None, :]] = -1  # itself and later ones
        right, left = np.nonzero(found >= threshold)
        if not len(right):
            continue
        similarity = found[right, left]
        if np.bincount(right).max() > _NEIGHBOURS:
            order = np.lexsort((left, -similarity, right))
            right, left, similarity = right[order], left[order], similarity[order]
            first = np.searchsorted(right, right)
            kept = np.arange(len(right)) - first < _NEIGHBOURS
            right, left, similarity = right[kept], left[kept], similarity[kept]
        lefts.append(rows[left])
        rights.append(rows[right + start])
        cosines.append(similarity.astype(np.float64))
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(cosines)


def within_cells(
    rows: Positions,
    cells: NDArray[np.int32],
    vectors: NDArray[np.float16],
    *,
    group: int,
    groups: int,
    threshold: float,
) -> Pairs:
    """The pairs of every ``groups``-th cell from number ``group`` on; each pair once.

    Args:
        rows: numbers, ascending.
        cells: shape (rows, probes), where each lies.
        vectors: shape (rows, dimensions), which are widened a cell at a time.
    """
    owner, slot = np.nonzero(cells % groups == group)
    order = np.argsort(cells[owner, slot], kind="stable")
    owner, cell = owner[order], cells[owner, slot][order]
    cuts = np.flatnonzero(np.diff(cell)) + 1
    found = [
        similar_pairs(rows[mine], vectors[mine].astype(np.float32), threshold)
        for mine in np.split(owner, cuts)
        if len(mine) > 1
    ]
    left = np.concatenate([np.empty(0, np.int64), *(one[0] for one in found)])
    right = np.concatenate([np.empty(0, np.int64), *(one[1] for one in found)])
    similarity = np.concatenate([np.empty(0), *(one[2] for one in found)])
    _, first = np.unique((left.astype(np.uint64) << np.uint64(32)) | right.astype(np.uint64), return_index=True)
    return left[first], right[first], similarity[first]
