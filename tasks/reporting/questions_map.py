"""Questions on a plane: alike ones lie near each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from heapq import heappush, heapreplace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.arrow import values
from tasks.artifacts import Receipt
from tasks.curation.dedup.signed import halves_of
from tasks.reporting.figures import shards_of
from tasks.reporting.shown import in_one_line
from tasks.run import Run, StageName

MOST_POINTS = 5_000
_TOLD = 90
"""Characters of a question that a point tells."""
_READ = 2_000
"""Characters of a question that its words are taken from."""


@dataclass(frozen=True)
class Point:
    """A question: its place, and what it can be coloured by."""

    x: float
    y: float
    question_id: str
    subset: str
    difficulty: str
    question: str


@dataclass(frozen=True)
class QuestionsMap:
    """Where questions lie.

    Attributes:
        questions: all that there are; more than ``points`` where only some are drawn.
        way: what alike means: of vectors ``meaning``, of texts ``words``.
        explained: share of the variance that the two dimensions hold.
    """

    points: list[Point]
    questions: int
    way: Literal["meaning", "words"]
    explained: float


@dataclass
class _Drawn:
    """A question that was drawn."""

    question_id: str
    subset: str
    text: str
    vector: NDArray[np.float16]


def questions_map(run: Run, most: int = MOST_POINTS) -> QuestionsMap:
    """The verified questions of a run on a plane; the same ones each time, drawn by a hash of their ids."""
    drawn, total = _draw(run, shards_of(run, StageName.SIGNATURES), most)
    way: Literal["meaning", "words"] = "meaning" if drawn and len(drawn[0].vector) else "words"
    if way == "meaning":
        places, explained = project(np.stack([one.vector for one in drawn]).astype(np.float64))
    else:
        places, explained = project_words([one.text for one in drawn])
    labels = _difficulties(run, {one.question_id for one in drawn})
    points = [
        Point(
            float(x),
            float(y),
            one.question_id,
            one.subset,
            labels.get(one.question_id, ""),
            in_one_line(one.text, _TOLD),
        )
        for one, (x, y) in zip(drawn, places, strict=True)
    ]
    return QuestionsMap(points, total, way, explained)


def draw_key(row_id: str) -> int:
    """Where a row stands in the order that rows are drawn in."""
    return int.from_bytes(blake2b(row_id.encode(), digest_size=8).digest(), "big")


def _draw(run: Run, blocks: Sequence[Receipt], most: int) -> tuple[list[_Drawn], int]:
    """The rows with the least hashes, in their order; and how many rows there are."""
    heap: list[tuple[int, str, _Drawn]] = []
    total = 0
    for block in blocks:
        table = run.stage(StageName.SIGNATURES).table(block, ["id", "subset", "question", "vector"])
        total += table.num_rows
        ids = values(table, "id")
        keys = [draw_key(one) for one in ids]
        wanted = [n for n, key in enumerate(keys) if len(heap) < most or -key > heap[0][0]]
        for number, row in zip(wanted, _rows(table, wanted), strict=True):
            entry = (-keys[number], ids[number], row)
            if len(heap) < most:
                heappush(heap, entry)
            elif entry[0] > heap[0][0]:
                heapreplace(heap, entry)
    return [row for *_, row in sorted(heap, key=lambda entry: (-entry[0], entry[1]))], total


def _rows(table: pa.Table, wanted: Sequence[int]) -> list[_Drawn]:
    chosen = table.take(pa.array(wanted, pa.int64())).combine_chunks()
    columns = (values(chosen, name) for name in ("id", "subset", "question"))
    vectors = halves_of(chosen) if len(wanted) else np.empty((0, 0), np.float16)
    return [
        _Drawn(row_id, subset, question[:_READ], vector.copy())
        for (row_id, subset, question), vector in zip(zip(*columns, strict=True), vectors, strict=True)
    ]


def _difficulties(run: Run, wanted: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for receipt in shards_of(run, StageName.TRIPLETS):
        table = run.stage(StageName.TRIPLETS).table(receipt, ["question_id", "gpt_difficulty"])
        pairs = zip(values(table, "question_id"), values(table, "gpt_difficulty"), strict=True)
        found |= {row: label for row, label in pairs if row in wanted}
    return found


def project(vectors: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The two dimensions in which vectors differ most: principal components, each from -1 to 1.

    Args:
        vectors: shape (rows, dimensions).

    Returns:
        Places of shape (rows, 2), rounded; the share of the variance that they hold.
    """
    if len(vectors) < 2:
        return np.zeros((len(vectors), 2)), 0.0
    centred = vectors - vectors.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    places = centred @ _signed(axes[:, ::-1][:, :2])
    return _scaled(places), _share(float(np.clip(variances[-2:], 0, None).sum()), float((centred**2).sum()))


def project_words(texts: Sequence[str]) -> tuple[NDArray[np.float64], float]:
    """``project`` of texts by the words that they use: of each row the TF-IDF weights, of unit length.

    Source: latent semantic analysis, Deerwester et al. 1990, JASIS 41; the truncated decomposition is scipy's.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415 - it takes longer to import than all else here
    from scipy.sparse.linalg import LinearOperator, svds  # noqa: PLC0415

    rows: list[int] = []
    columns: list[int] = []
    counts: list[float] = []
    vocabulary: dict[str, int] = {}
    for number, text in enumerate(texts):
        for word, count in _words(text).items():
            rows.append(number)
            columns.append(vocabulary.setdefault(word, len(vocabulary)))
            counts.append(float(count))
    if len(texts) < 4 or len(vocabulary) < 4:  # too few for a truncated decomposition
        dense = np.zeros((len(texts), max(2, len(vocabulary))))
        dense[rows, columns] = counts
        return project(dense)
    matrix = csr_array((counts, (rows, columns)), shape=(len(texts), len(vocabulary)))
    documents = np.bincount(columns, minlength=len(vocabulary))
    weights = matrix.multiply((np.log((1 + len(texts)) / (1 + documents)) + 1)[None, :]).tocsr()
    lengths = np.sqrt(weights.multiply(weights).sum(axis=1))
    weights = weights.multiply((1 / np.where(lengths == 0, 1, lengths))[:, None]).tocsr()
    middle = np.asarray(weights.mean(axis=0)).ravel()

    def forward(vector: NDArray[np.float64]) -> Any:
        return weights @ vector.ravel() - float(middle @ vector.ravel())

    def backward(vector: NDArray[np.float64]) -> Any:
        return weights.T @ vector.ravel() - middle * float(vector.sum())

    centred = LinearOperator(weights.shape, matvec=forward, rmatvec=backward, dtype=np.float64)
    first = np.linspace(1, 2, min(weights.shape))  # else it starts from chance
    _, scales, right = svds(centred, k=2, v0=first)
    axes = _signed(right[np.argsort(-scales)].T)
    variance = float(weights.multiply(weights).sum()) - len(texts) * float(middle @ middle)
    return _scaled(weights @ axes - middle @ axes), _share(float((scales**2).sum()), variance)


def _words(text: str) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for word in "".join(char if char.isalnum() else " " for char in text.lower()).split():
        found[word] = found.get(word, 0) + 1
    return found


def _peaks(axes: NDArray[np.float64]) -> NDArray[np.int64]:
    peaks: NDArray[np.int64] = np.argmax(np.abs(axes), axis=0)
    return peaks


def _signed(axes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axes whose largest part is positive: a decomposition leaves their signs open."""
    return axes * np.where(axes[_peaks(axes), range(axes.shape[1])] < 0, -1.0, 1.0)


def _scaled(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Within -1 and 1, one scale for both dimensions; three digits are more than a screen shows."""
    if places.shape[1] < 2:
        places = np.column_stack([places, np.zeros(len(places))])
    largest = float(np.abs(places).max(initial=0))
    scaled: NDArray[np.float64] = np.round(places / largest, 3) + 0.0 if largest else places
    return scaled


def _share(part: float, whole: float) -> float:
    return min(1.0, part / whole) if whole > 1e-12 else 0.0
