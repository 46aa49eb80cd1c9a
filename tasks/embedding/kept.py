"""Embedders whose vectors are dear enough to be kept: in the file of the teachers' answers, by model and text."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from tasks.embedding.embedder import TextEmbedder
from tasks.teachers.cache import open_cache
from tasks.teachers.vectors import pack, unpack


class KeptEmbedder(TextEmbedder):
    """Makes what is not on disk, and reads all of it from there.

    Args:
        answers: path of the file.
        identity: all that decides a vector beside the text, JSON-like.
    """

    def __init__(self, answers: str, *identity: Any) -> None:
        self._cache = open_cache(answers)
        self._identity = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())

    @property
    def key(self) -> str:
        """The name, and a hash of what vectors are kept by: of an endpoint the model, dimensions and extra_body."""
        return f"{self.name}:{self._identity.hexdigest()[:16]}"

    @abstractmethod
    def _make(self, texts: dict[bytes, str]) -> None:
        """Have vectors of texts on disk, under their keys; a text that has none there afterwards is like a blank."""

    def _key(self, text: str) -> bytes:
        whole = self._identity.copy()
        whole.update(text.encode())
        return whole.digest()

    def _vectors(self, texts: list[str]) -> NDArray[np.float32]:
        keys = [self._key(text) for text in texts]
        missing = dict(zip(keys, texts, strict=True))
        for key in self._cache.vectors(list(missing)):
            del missing[key]
        if missing:
            self._make(missing)
        found = self._cache.vectors(list(dict.fromkeys(keys)))
        nothing = bytes(len(pack(np.zeros((1, self.dimensions), np.float32))[0]))
        return unpack([found.get(key, nothing) for key in keys], self.dimensions)


class LocalEmbedder(KeptEmbedder):
    """A model of this process, too slow to be run twice on a text."""

    at_once: ClassVar[int] = 512
    """So much is lost in a crash."""

    @abstractmethod
    def _run(self, texts: list[str]) -> NDArray[np.float32]:
        """The model's vectors, shape (n, d)."""

    def _make(self, texts: dict[bytes, str]) -> None:
        self._cache.put_vectors(dict(zip(texts, pack(self._run(list(texts.values()))), strict=True)))
