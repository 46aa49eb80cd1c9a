"""Exact and semantic duplicates by semhash: ``python with_semhash.py ROWS OUT``.

It is given the vectors that kodforge compares by, through its own interface for encoders: its default model would be
downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wordllama
from duplicates import COSINE, joined, run
from semhash import SemHash

BATCH = 4096


class Encoder:
    """WordLlama's token vectors, averaged: without padding, which makes the package's own `embed` half as fast."""

    def __init__(self) -> None:
        folder = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(cache_dir=folder, disable_download=True)
        self._model.tokenizer.no_padding()

    def encode(self, inputs: Sequence[str], **_: Any) -> np.ndarray:
        """Vectors of the texts, shape (len(inputs), 256)."""
        found = np.empty((len(inputs), 256), np.float32)
        for start in range(0, len(inputs), BATCH):
            encodings = self._model.tokenizer.encode_batch_fast(
                list(inputs[start : start + BATCH]), add_special_tokens=False
            )
            for row, encoding in enumerate(encodings, start):
                found[row] = self._model.embedding[encoding.ids].mean(axis=0)
        return found


def cluster(questions: list[str]) -> list[int]:
    """The row that stands for each row."""
    records = [{"id": str(row), "question": question} for row, question in enumerate(questions)]
    index = SemHash.from_records(records, columns=["question"], model=Encoder())
    found = index.self_deduplicate(threshold=COSINE)
    pairs = ((int(one.record["id"]), int(one.duplicate_of["id"])) for one in found.filtered)
    return joined(len(questions), pairs)


if __name__ == "__main__":
    run(cluster)
