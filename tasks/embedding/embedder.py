"""What every embedder does with texts, whichever model makes the vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from tasks.teachers.vectors import normalised


class TextEmbedder(ABC):
    """Makes vectors of texts. A text's vector does not depend on the texts it comes with. Thread-safe.

    Attributes:
        name: the model, and the dimensions where they are known beforehand, as in ``wordllama-256``. Of the models
            that come with kodforge it is ``Embedder.calibrated_as``, which thresholds go by.
    """

    name: str
    at_once: ClassVar[int] = 8192
    """Texts whose vectors are made in one go: what memory they take beside the result is bounded by it."""

    @property
    def key(self) -> str:
        """All that decides a vector beside the text, for fingerprints; neither a model nor a server is needed."""
        return self.name

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Length of a vector."""

    @abstractmethod
    def _vectors(self, texts: list[str]) -> NDArray[np.float32]:
        """Vectors of texts that are not blank and can be written as UTF-8, shape (n, d), of any length."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """L2-normalised vectors in the order of the texts, shape (n, d).

        A blank text has a row of zeros: it is like nothing, itself included.

        Raises:
            BadInput: the model cannot be loaded or makes no embeddings, or the budget is spent.
            TeacherUnavailable, TeacherMisconfigured, TeacherStopped: of an endpoint. What it answered is kept.
        """
        matrix = np.zeros((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), self.at_once):
            some = texts[start : start + self.at_once]
            said = [number for number, text in enumerate(some) if text and not text.isspace()]
            if said:
                vectors = self._vectors([_writable(some[number]) for number in said])
                matrix[start + np.array(said)] = normalised(vectors)
        return matrix


def _writable(text: str) -> str:
    """A text with half surrogate pairs as ``?``: tokenizers refuse them."""
    return text.encode("utf-8", "replace").decode()
