"""Which model makes vectors of texts."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from tasks.settings.section import Section


class EmbedderKind(StrEnum):
    """`wordllama` and `minilm` come with their weights; `endpoint` asks `teachers.embedder`."""

    WORDLLAMA = "wordllama"
    MINILM = "minilm"
    SENTENCE_TRANSFORMERS = "sentence_transformers"
    ENDPOINT = "endpoint"


_SIZES = {EmbedderKind.WORDLLAMA: (64, 128, 256), EmbedderKind.MINILM: (384,)}
"""Each model's own size stands last."""


class Embedder(Section):
    """A model that makes vectors of texts."""

    kind: EmbedderKind = Field(
        EmbedderKind.WORDLLAMA,
        description="`wordllama`: averaged word vectors, thousands of texts a second. `minilm`: a small transformer, "
        "about 20 a second on a core (`kodforge[minilm]`). `sentence_transformers`: any model of that library "
        "(`kodforge[sentence-transformers]`). `endpoint`: the OpenAI-compatible `teachers.embedder`.",
    )
    model: str = Field("", description="For `sentence_transformers`: a hub id or a folder.")
    dimensions: int | None = Field(
        None,
        ge=8,
        le=16_384,
        description="Keep the first so many, for models trained to bear it (Matryoshka). Empty: all.",
    )
    batch_size: int = Field(64, ge=1, le=2048, description="Texts per request of an endpoint, or per pass of a model.")
    device: str = Field("", description="For `sentence_transformers`, as in `cuda:0`. Empty: the best there is.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        kind = self.kind.value
        if self.kind is EmbedderKind.SENTENCE_TRANSFORMERS:
            if not self.model:
                raise ValueError(f"model is empty. Name one for kind {kind!r}, as in model=all-MiniLM-L6-v2")
            return self
        for name in ("model", "device"):
            if value := getattr(self, name):
                where = "; name it in teachers.embedder.model" if self.kind is EmbedderKind.ENDPOINT else ""
                raise ValueError(f"{name} is {value!r}, which kind {kind!r} does not take. Leave it out{where}")
        sizes = _SIZES.get(self.kind)
        if self.dimensions is not None and sizes and self.dimensions not in sizes:
            known = ", ".join(map(str, sizes))
            raise ValueError(f"dimensions is {self.dimensions}; kind {kind!r} has {known}. Choose one, or leave it out")
        return self

    @property
    def calibrated_as(self) -> str:
        """What thresholds are calibrated by, as in ``wordllama-256``: equal whether a model's own size is given or left
        out. Empty for models that do not come with kodforge."""
        sizes = _SIZES.get(self.kind)
        return f"{self.kind.value}-{self.dimensions or sizes[-1]}" if sizes else ""
