"""Vectors from an OpenAI-compatible server, asked as the teachers are: within limits and budget, and kept on disk."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from prefect.logging import get_logger

from tasks.embedding.kept import KeptEmbedder
from tasks.errors import BadInput, TeacherUnavailable
from tasks.run import Purpose
from tasks.settings import Embedder, Endpoint
from tasks.teachers.client import TeacherClient
from tasks.teachers.clients import shared_client
from tasks.teachers.requests import EmbeddingRequest, Refused, Vectors, WhyNot
from tasks.teachers.vectors import width_of

_PROBE = "Write a function that adds two numbers."
_SHORTEST = 100
"""Characters below which a text that a server refuses is not shortened any further."""
_log = get_logger("embedding")

_Batch = list[tuple[bytes, str]]


class EndpointEmbedder(KeptEmbedder):
    """Asks ``teachers.embedder`` for what is not on disk.

    No text fails the others. Where a server refuses a batch, or fails at it time and again, its halves are asked for,
    down to the single text. Of that the first half is asked for, again and again: where it was too long, its vector is
    that of its beginning. What even then has none is like a blank text. Both are logged.

    Args:
        settings: ``dimensions`` is sent along, and longer vectors are cut.
        endpoint: of kind ``openai``.
        answers: path of the file of answers.
        purpose: whose account and budget it is.
    """

    at_once = 4096

    def __init__(self, settings: Embedder, endpoint: Endpoint, answers: str, purpose: Purpose) -> None:
        super().__init__(answers, "/embeddings", endpoint.model, settings.dimensions, endpoint.extra)
        self._settings, self._endpoint, self._answers, self._purpose = settings, endpoint, answers, purpose
        self.name = endpoint.model if settings.dimensions is None else f"{endpoint.model}-{settings.dimensions}"

    @cached_property
    def dimensions(self) -> int:
        """Of the vector of a short text, which is kept as all others are: the server is asked for it once."""
        key = self._key(_PROBE)
        if not (found := self._cache.vectors([key])):
            (result,) = self._ask([[(key, _PROBE)]])
            if isinstance(result, Refused):
                raise self._hopeless(result)
            found = result.vectors
        return width_of(found[key])

    @property
    def _client(self) -> TeacherClient:
        return shared_client(self._endpoint, self._answers, "embedder")

    def _ask(self, batches: list[_Batch], width: int | None = None) -> list[Vectors | Refused]:
        requests = []
        for batch in batches:
            keys, texts = zip(*batch, strict=True)
            requests.append(EmbeddingRequest(texts=texts, keys=keys, dimensions=self._settings.dimensions, width=width))
        results = self._client.embed_all(requests, self._purpose)
        for result in results:
            if isinstance(result, Refused) and result.why is WhyNot.BUDGET:
                raise BadInput(
                    f"embeddings of {self.name}: {result.message}. Raise the budget and run again, which asks for the "
                    f"rest only, or take a packaged embedder"
                )
        return results

    def _make(self, texts: dict[bytes, str]) -> None:
        width, size = self.dimensions, self._settings.batch_size
        items, whole = list(texts.items()), texts
        batches = [items[start : start + size] for start in range(0, len(items), size)]
        cut: set[bytes] = set()
        given_up: Counter[str] = Counter()
        while batches:
            results = self._ask(batches, width)
            if all(isinstance(result, Refused) and result.why is WhyNot.FAILED for result in results):
                self._check_well(width)
            smaller: list[_Batch] = []
            for batch, result in zip(batches, results, strict=True):
                if isinstance(result, Vectors):
                    cut |= {key for key, text in batch if text != whole[key]}
                elif len(batch) > 1:
                    smaller += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
                elif len(batch[0][1]) > _SHORTEST:
                    smaller.append([(key, text[: len(text) // 2]) for key, text in batch])
                else:
                    given_up[result.message] += 1
            batches = smaller
        if cut:
            _log.warning(
                "%d texts were too long for %s: their vectors are those of their beginnings", len(cut), self.name
            )
        for message, count in given_up.items():
            _log.warning("%d texts have no vector of %s and are like no other: %s", count, self.name, message[:500])

    def _check_well(self, width: int) -> None:
        """Whether the server embeds a text that it has embedded before, where it failed at all that it was asked."""
        (result,) = self._ask([[(self._key(_PROBE), _PROBE)]], width)
        if isinstance(result, Refused):
            raise self._hopeless(result)

    def _hopeless(self, refused: Refused) -> BadInput | TeacherUnavailable:
        if refused.why is WhyNot.FAILED:
            return TeacherUnavailable(f"embeddings of {self.name}: {refused.message}. Run again when it is well")
        return BadInput(
            f"the endpoint {self._endpoint.base_url} makes no embeddings with model {self._endpoint.model!r}: "
            f"{refused.message}. Set teachers.embedder.model to one that does, or change the embedder's dimensions"
        )
