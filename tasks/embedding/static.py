"""WordLlama (github.com/dleemiller/WordLlama): averages of a language model's token vectors, cut down by training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.embedding.embedder import TextEmbedder
from tasks.shingles import normalise

if TYPE_CHECKING:
    from wordllama import WordLlamaInference

_WIDTH = 256


class WordLlamaEmbedder(TextEmbedder):
    """The weights come with the package.

    Nothing is kept on disk, though a look-up is faster: vectors of a whole corpus take minutes, and much room.
    """

    def __init__(self, dimensions: int | None) -> None:
        self._dimensions = dimensions or _WIDTH
        self.name = f"wordllama-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        return self._dimensions

    def _vectors(self, texts: list[str]) -> NDArray[np.float32]:
        # The package's own `embed` pads each batch to its longest text: half as fast, and gigabytes for a long one.
        model = _model(self._dimensions)
        # Averages know no syntax: what case and punctuation add to them is noise, as `benchmarks.calibration` shows.
        plain = [normalise(text) or text for text in texts]
        encodings = model.tokenizer.encode_batch_fast(plain, add_special_tokens=False)
        return np.stack([model.embedding[encoding.ids].mean(axis=0) for encoding in encodings])


@cache
def _model(dimensions: int) -> WordLlamaInference:
    with _logging_as_it_was():
        import wordllama  # noqa: PLC0415 - takes most of a second

    folder = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(dim=_WIDTH, trunc_dim=dimensions, cache_dir=folder, disable_download=True)
    model.tokenizer.no_padding()
    return model


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    """Undo what importing WordLlama does to the root logger: it has all libraries print at level INFO."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
