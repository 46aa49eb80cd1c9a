"""The functions of kodforge's deduplication in one process: ``python with_kodforge_duplicates.py ROWS OUT near``.

Or ``semantic``: no flow, no shards, no processes, for a like comparison with libraries. Exact duplicates are found in
both.
"""

from __future__ import annotations

import hashlib
import sys

import numpy as np
from duplicates import COSINE, JACCARD, PERMUTATIONS, run

from tasks.curation.dedup import near, semantic
from tasks.curation.dedup.clusters import Edges, exact_edges, join
from tasks.embedding.static import WordLlamaEmbedder
from tasks.shingles import normalise


def cluster(questions: list[str]) -> list[int]:
    """The row that stands for each row."""
    texts = [normalise(question) for question in questions]
    exact, distinct = exact_edges([hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts])
    if sys.argv[3] == "near":
        sets, keys = near.signatures([texts[row] for row in distinct], JACCARD, PERMUTATIONS)
        left, right, _ = near.near_pairs(keys, sets.take, JACCARD)
    else:
        vectors = WordLlamaEmbedder(None).embed([questions[row] for row in distinct])
        sample = np.random.default_rng(0).permutation(len(vectors))[: semantic.sample_size(len(vectors))]
        centroids = semantic.learn_cells(vectors[sample], semantic.cells_for(len(vectors)), 0)
        left, right = _within_cells(vectors, semantic.place(vectors, centroids))
    alike = Edges(distinct[left], distinct[right], np.full(len(left), 2, np.int8))
    clusters = join(len(texts), [exact, alike], np.zeros((len(texts), 1)))
    return clusters.representative.tolist()


def _within_cells(vectors: semantic.Vectors, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    owner = np.repeat(np.arange(len(cells)), cells.shape[1])
    order = np.argsort(cells.ravel(), kind="stable")
    cuts = np.flatnonzero(np.diff(cells.ravel()[order])) + 1
    found = [semantic.similar_pairs(rows, vectors[rows], COSINE)[:2] for rows in np.split(owner[order], cuts)]
    return np.concatenate([left for left, _ in found]), np.concatenate([right for _, right in found])


if __name__ == "__main__":
    run(cluster)
