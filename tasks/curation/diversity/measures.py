"""Measuring diversity over shards: counts add up, and what needs texts or vectors is taken from a sample."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from tasks.curation.diversity.axes import COLUMNS, coded, frame_of
from tasks.curation.diversity.report import Distribution, DiversityReport, Sampled, Structures, entropy
from tasks.errors import BadInput
from tasks.models import Difficulty
from tasks.settings.mix import Axis

SAMPLE = 2000
_SIZES = (1, 2, 3)
_WORD = re.compile(r"\w+")

Floats = npt.NDArray[np.floating[Any]]
_Sampled = tuple[int, str, str, "Floats | None"]
"""Hash, id, text and vector of a row of the sample."""


def vendi_score(vectors: Floats) -> float:
    """Exponential of the von Neumann entropy of the cosine similarities over n (Friedman & Dieng 2023): 1 to n.

    Args:
        vectors: shape (n, dimensions), of any length but zero. With fewer dimensions than rows, their number is the
            most that the score can be.

    Raises:
        BadInput: there are none, or one is zero or not finite.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True) if rows.ndim == 2 and rows.size else np.zeros((1, 1))
    if not np.isfinite(lengths).all() or not lengths.all():
        raise BadInput(
            f"the Vendi score needs finite vectors other than zero as rows of a matrix, got shape {rows.shape}. "
            f"Leave such rows out"
        )
    rows = rows / lengths
    count, width = rows.shape
    # Both products have the same eigenvalues but for zeros; the smaller one costs less.
    kernel = (rows.T @ rows if width < count else rows @ rows.T) / count
    weights = np.linalg.eigvalsh(kernel)
    weights = weights[weights > 1e-12]
    return float(np.exp(-(weights * np.log(weights)).sum()))


def distinct_n(texts: Sequence[str], size: int) -> float:
    """Different word n-grams over all of them (Li et al. 2016): 0 to 1, and 0 where there is none."""
    total, different = 0, set()
    for text in texts:
        words = _WORD.findall(text.casefold())
        grams = [tuple(words[start : start + size]) for start in range(len(words) - size + 1)]
        total += len(grams)
        different.update(grams)
    return len(different) / total if total else 0.0


def compression_ratio(texts: Sequence[str]) -> float:
    """Bytes over bytes when gzipped, of the texts one after the other (Shaib et al. 2024); 0 where there are none."""
    data = "\n".join(texts).encode()
    return len(data) / len(gzip.compress(data, mtime=0)) if data else 0.0


def row_hashes(ids: pd.Series[Any], seed: int) -> npt.NDArray[np.uint64]:
    """A number for each id that depends on it and on the seed alone: an order at random that is always the same."""
    key = f"{seed % 10**16:016d}"
    return pd.util.hash_array(ids.astype(str).to_numpy(object), hash_key=key, categorize=False)


class Accumulator:
    """Rows seen so far. Memory grows by 8 bytes a row, for the shape of its solution.

    Whatever the shards and their order, the same rows give the same report: the sample is made of the rows whose ids
    have the smallest hashes.

    Args:
        seed: of the sample.
        sample: rows in it at most.
    """

    def __init__(self, seed: int = 0, sample: int = SAMPLE) -> None:
        self._seed, self._size = seed, sample
        self._rows = 0
        self._axes: dict[Axis, Counter[str]] = {axis: Counter() for axis in Axis}
        self._levels: Counter[tuple[str, str]] = Counter()
        self._structures: list[npt.NDArray[np.uint64]] = []
        self._sample: list[_Sampled] = []

    def add(self, rows: pd.DataFrame | pa.Table, vectors: Floats | None = None) -> None:
        """Take in a shard.

        Args:
            rows: columns id, subset, style, difficulty, text (the question) and those of ``Labels``.
            vectors: shape (rows, dimensions), of the questions.

        Raises:
            BadInput: a column is missing, or there are not as many vectors as rows.
        """
        frame = frame_of(rows, ["id", "text", "structure", *COLUMNS.values()])
        if vectors is not None and len(vectors) != len(frame):
            raise BadInput(f"{len(vectors)} vectors for {len(frame)} rows. Give one for each row, in their order")
        self._rows += len(frame)
        if frame.empty:
            return
        codes = {axis: coded(frame, axis) for axis in Axis}
        for axis, found in codes.items():
            self._axes[axis].update(found.counts())
        subsets, levels = codes[Axis.SUBSET], codes[Axis.DIFFICULTY]
        pairs, counts = np.unique(np.stack([subsets.codes, levels.codes]), axis=1, return_counts=True)
        for (subset, level), count in zip(pairs.T, counts, strict=True):
            self._levels[subsets.values[subset], levels.values[level]] += int(count)
        shapes = frame["structure"].fillna("")
        self._structures.append(np.array([int(shape, 16) for shape in shapes if shape], dtype=np.uint64))
        self._draw(frame, vectors)

    def _draw(self, frame: pd.DataFrame, vectors: Floats | None) -> None:
        hashes = row_hashes(frame["id"], self._seed)
        lowest = np.argsort(hashes, kind="stable")[: self._size]
        for place in lowest:
            vector = None if vectors is None else np.array(vectors[place], dtype=np.float32)
            self._sample.append(
                (int(hashes[place]), str(frame["id"].iat[place]), str(frame["text"].iat[place]), vector)
            )
        self._trim()

    def _trim(self) -> None:
        self._sample = sorted(self._sample, key=lambda one: one[:3])[: self._size]

    def merge(self, other: Accumulator) -> Accumulator:
        """Both together, as one of its own.

        Raises:
            BadInput: they sample differently.
        """
        if (self._seed, self._size) != (other._seed, other._size):
            raise BadInput(
                f"accumulators with seed and sample {self._seed}, {self._size} and {other._seed}, {other._size} "
                f"cannot be merged. Give both the same"
            )
        both = Accumulator(self._seed, self._size)
        both._rows = self._rows + other._rows
        both._axes = {axis: self._axes[axis] + other._axes[axis] for axis in Axis}
        both._levels = self._levels + other._levels
        both._structures = self._structures + other._structures
        both._sample = self._sample + other._sample
        both._trim()
        return both

    def report(self) -> DiversityReport:
        """What was measured of all rows so far."""
        return DiversityReport(
            rows=self._rows,
            seed=self._seed,
            axes={axis: self._distribution(axis) for axis in Axis},
            structures=self._shapes(),
            sample=self._measured(),
            difficulty_by_subset=self._by_subset(),
        )

    def _distribution(self, axis: Axis) -> Distribution:
        counts = dict(sorted(self._axes[axis].items()))
        return Distribution(rows=self._rows, counts=counts, entropy=entropy(counts))

    def _shapes(self) -> Structures:
        every = np.concatenate([*self._structures, np.empty(0, np.uint64)])
        _, counts = np.unique(every, return_counts=True)
        shares = counts / max(1, len(every))
        spread = float(-(shares * np.log(shares)).sum() / np.log(len(every))) if len(counts) > 1 else 0.0
        return Structures(
            programs=len(every),
            distinct=len(counts),
            entropy=spread,
            most_common=float(shares.max()) if len(shares) else 0.0,
        )

    def _measured(self) -> Sampled:
        texts = [text for _, _, text, _ in self._sample]
        vectors = [vector for *_, vector in self._sample if vector is not None and vector.any()]
        return Sampled(
            rows=len(texts),
            vendi=vendi_score(np.stack(vectors)) if vectors else None,
            vectors=len(vectors),
            distinct_n={size: distinct_n(texts, size) for size in _SIZES},
            compression_ratio=compression_ratio(texts),
        )

    def _by_subset(self) -> dict[str, dict[str, int]]:
        known = [level.value for level in Difficulty]
        levels = known + sorted({level for _, level in self._levels} - set(known))
        subsets = sorted({subset for subset, _ in self._levels})
        return {subset: {level: self._levels[subset, level] for level in levels} for subset in subsets}
