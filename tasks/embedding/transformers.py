"""Any model of the library sentence-transformers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.embedding.kept import LocalEmbedder
from tasks.errors import BadInput
from tasks.settings import Embedder

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGES = ("sentence_transformers",)


class SentenceTransformersEmbedder(LocalEmbedder):
    """A model from the hub or a folder. Vectors are kept by its name: a model that has changed needs another one."""

    def __init__(self, settings: Embedder, answers: str) -> None:
        folder = Path(settings.model).expanduser()
        model = str(folder.resolve()) if folder.is_dir() else settings.model
        super().__init__(answers, "sentence_transformers", model, settings.dimensions)
        self._settings, self._model = settings, model
        called = folder.resolve().name if folder.is_dir() else settings.model
        self.name = called if settings.dimensions is None else f"{called}-{settings.dimensions}"

    def _loaded(self) -> SentenceTransformer:
        return _load(self._model, self._settings.dimensions, self._settings.device)

    @property
    def dimensions(self) -> int:
        width = self._loaded().get_embedding_dimension()
        assert width is not None
        return int(width)

    def _run(self, texts: list[str]) -> NDArray[np.float32]:
        made = self._loaded().encode(texts, batch_size=self._settings.batch_size, show_progress_bar=False)
        return np.asarray(made, np.float32)


@cache
def _load(model: str, dimensions: int | None, device: str) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an extra, and slow to import

    try:
        return SentenceTransformer(model, device=device or None, truncate_dim=dimensions)
    except (OSError, ValueError, RuntimeError) as error:
        raise BadInput(
            f"the embedder's model {model!r} cannot be loaded ({str(error)[:500]}). Name a hub id or a folder of "
            f"sentence-transformers, and a device that is there"
        ) from error
