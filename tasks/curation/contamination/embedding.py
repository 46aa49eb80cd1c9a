"""Rows and benchmark items compared by the vectors of their texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.settings.decontamination import Bounds

Vectors = NDArray[np.float32]
KODCODE = Bounds(caution_from=0.95)
"""Of KodCode (Xu et al. 2025, arXiv 2503.02951): `use_with_caution` above a cosine of 0.95."""
CALIBRATED: Mapping[str, Bounds] = {
    "wordllama-256": Bounds(noted_from=0.75, caution_from=0.8),
    "minilm-384": Bounds(noted_from=0.7, caution_from=0.75),
}
"""By the embedder's name, from the even items of `python -m benchmarks.contamination`."""
_ROWS = 4096


class TextEmbedder(Protocol):
    """What makes vectors."""

    @property
    def name(self) -> str:
        """Model and dimensions."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Shape (n, d); each row of length 1, or zero for an empty text."""


def bounds_of(given: Bounds | None, embedder: str) -> Bounds:
    """The bounds of the config, else those calibrated for the embedder, else KodCode's."""
    return given or CALIBRATED.get(embedder, KODCODE)


def alike(rows: Vectors, items: Vectors, lowest: float) -> Iterator[tuple[int, int, float]]:
    """Row, item and cosine of all pairs from ``lowest`` on.

    Args:
        rows: shape (n, d), of length 1 each.
        items: shape (m, d), likewise.
    """
    for start in range(0, len(rows), _ROWS):
        cosines = rows[start : start + _ROWS] @ items.T
        for row, item in np.argwhere(cosines >= lowest).tolist():
            yield start + row, item, min(1.0, float(cosines[row, item]))
