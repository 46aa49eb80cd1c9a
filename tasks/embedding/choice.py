"""The embedder that the settings name."""

from __future__ import annotations

import importlib.util

from tasks.embedding import minilm, transformers
from tasks.embedding.embedder import TextEmbedder
from tasks.embedding.endpoint import EndpointEmbedder
from tasks.embedding.static import WordLlamaEmbedder
from tasks.errors import BadInput
from tasks.run import Purpose
from tasks.settings import Embedder, EmbedderKind, Endpoint, Teachers

_EXTRAS = {
    EmbedderKind.MINILM: ("minilm", minilm.PACKAGES),
    EmbedderKind.SENTENCE_TRANSFORMERS: ("sentence-transformers", transformers.PACKAGES),
}


def check_embedder(settings: Embedder, teachers: Teachers) -> None:
    """See that an embedder has what it needs. Its endpoint is not reached, its model not loaded.

    Raises:
        BadInput: an extra is not installed, or there is no endpoint.
    """
    if settings.kind is EmbedderKind.ENDPOINT:
        _endpoint(teachers)
    extra, packages = _EXTRAS.get(settings.kind, ("", ()))
    if missing := [name for name in packages if importlib.util.find_spec(name) is None]:
        raise BadInput(
            f"the embedder is {settings.kind.value!r}, and {', '.join(missing)} is not installed. Install it: "
            f"pip install 'kodforge[{extra}]', or take kind {EmbedderKind.WORDLLAMA.value!r}"
        )


def embedder_of(settings: Embedder, teachers: Teachers, answers: str, purpose: Purpose) -> TextEmbedder:
    """The embedder; models are loaded and servers asked when they are first needed.

    Args:
        answers: path of the teachers' file of answers, which keeps vectors too.
        purpose: on whose account an endpoint is asked.

    Raises:
        BadInput: as ``check_embedder``.
    """
    check_embedder(settings, teachers)
    match settings.kind:
        case EmbedderKind.WORDLLAMA:
            return WordLlamaEmbedder(settings.dimensions)
        case EmbedderKind.MINILM:
            return minilm.MiniLMEmbedder(answers)
        case EmbedderKind.SENTENCE_TRANSFORMERS:
            return transformers.SentenceTransformersEmbedder(settings, answers)
        case EmbedderKind.ENDPOINT:
            return EndpointEmbedder(settings, _endpoint(teachers), answers, purpose)


def _endpoint(teachers: Teachers) -> Endpoint:
    if teachers.embedder is None:
        raise BadInput(
            "the embedder is 'endpoint', and teachers.embedder is not set. Set its base_url and model, as in "
            "--set teachers.embedder.base_url=https://host/v1 --set teachers.embedder.model=my-model"
        )
    return teachers.embedder
