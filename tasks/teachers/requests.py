"""What is asked of a teacher and what comes back, apart from how it travels."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tasks.settings import Endpoint, Sampling

_BYTES_PER_TOKEN = 3
"""Of UTF-8 text, where nobody has counted: most tokenizers come out at 3 to 4.5, so that this overestimates."""


_TEMPLATE_TOKENS = 64
_MARKS = 8
"""Tokens that a model puts around a text to embed."""


def estimated_tokens(text: str) -> int:
    """About how many tokens a text is, rather more than fewer."""
    return len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN + 1


class _Asked(BaseModel):
    """One request. Equal requests have equal keys, and are asked once."""

    model_config = ConfigDict(frozen=True)

    label: str = Field("", description="What its cost is booked on, such as the subset. Not part of the key.")


class TeacherRequest(_Asked):
    """A request for text."""

    sampling: Sampling
    seed: int = Field(description="Tells several answers to the same messages apart; sent where the server takes one.")
    n: int = Field(1, ge=1, le=128, description="Choices in one answer.")
    logprobs: int | None = Field(None, ge=0, le=20, description="Alternatives per token to pass through; None: none.")
    grammar: str | None = Field(None, description="GBNF, as llama.cpp and vLLM's compatible servers understand it.")
    json_schema: str | None = Field(None, description="JSON schema of the reply, as canonical JSON.")

    @property
    def path(self) -> str:
        raise NotImplementedError

    def content(self) -> dict[str, Any]:
        """What is to be answered, as the protocol's fields."""
        raise NotImplementedError

    def text(self) -> str:
        """All text that is sent, to count it."""
        raise NotImplementedError

    def worst_tokens(self) -> tuple[int, int]:
        """Prompt and completion tokens at most: no token is shorter than a byte, and a chat template adds a few."""
        return len(self.text().encode("utf-8", "surrogatepass")) + _TEMPLATE_TOKENS, self.sampling.max_tokens * self.n

    def likely_tokens(self) -> int:
        """Prompt and completion tokens as rate limits count them: ``max_tokens`` whole, the prompt estimated."""
        return estimated_tokens(self.text()) + self.sampling.max_tokens * self.n

    def key(self, endpoint: Endpoint) -> str:
        """Hash of all that decides the answer: not of the servers' addresses, so that a server may move."""
        parts = [
            self.path,
            endpoint.model,
            self.content(),
            self.sampling.model_dump(),
            self.seed,
            {name: value for name in _OPTIONAL if (value := getattr(self, name)) != _OPTIONAL[name]},
            endpoint.extra,
        ]
        return _hash_of(parts)


_OPTIONAL: dict[str, Any] = {"n": 1, "logprobs": None, "grammar": None, "json_schema": None}


class ChatRequest(TeacherRequest):
    """A chat completion. Messages are (role, content) pairs."""

    messages: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        return "/chat/completions"

    def content(self) -> dict[str, Any]:
        return {"messages": [{"role": role, "content": content} for role, content in self.messages]}

    def text(self) -> str:
        return "".join(content for _, content in self.messages)


class CompletionRequest(TeacherRequest):
    """A raw completion of a prompt, up to one of the stop strings."""

    prompt: str
    stop: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return "/completions"

    def content(self) -> dict[str, Any]:
        return {"prompt": self.prompt, "stop": list(self.stop)}

    def text(self) -> str:
        return self.prompt


class EmbeddingRequest(_Asked):
    """The vectors of some texts. ``keys``: what each vector is kept under, so that the texts may be grouped anyhow."""

    texts: tuple[str, ...] = Field(min_length=1)
    keys: tuple[bytes, ...]
    dimensions: int | None = Field(None, ge=1, description="Asked for; None: as many as the model has.")
    width: int | None = Field(None, ge=1, description="Dimensions the vectors must have; None: not known yet.")

    @property
    def path(self) -> str:
        return "/embeddings"

    def content(self) -> dict[str, Any]:
        sized = {} if self.dimensions is None else {"dimensions": self.dimensions}
        return {"input": list(self.texts), **sized}

    def worst_tokens(self) -> tuple[int, int]:
        """Prompt tokens at most, and no others: a token is a byte at least, and a model marks a text's ends."""
        return sum(len(text.encode()) + _MARKS for text in self.texts), 0

    def likely_tokens(self) -> int:
        """Tokens as rate limits count them."""
        return sum(map(estimated_tokens, self.texts))

    def key(self, endpoint: Endpoint) -> str:
        """Hash of all that decides the answer, and of where it is kept: a text may be cut to what another one is."""
        kept_under = [key.hex() for key in self.keys]
        return _hash_of([self.path, endpoint.model, self.content(), endpoint.extra, kept_under])


Request = TeacherRequest | EmbeddingRequest


def _hash_of(parts: list[Any]) -> str:
    canonical = json.dumps(parts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


class Choice(BaseModel):
    """One reply. ``reasoning`` is what the model thought, by ``reasoning_content`` or a ``<think>`` block."""

    model_config = ConfigDict(frozen=True)

    text: str
    reasoning: str = ""
    finish_reason: str = ""
    logprobs: Any = None


class Answer(BaseModel):
    """An answered request.

    Attributes:
        response_id: its key in the cache.
        choices: at least one; as many as asked for, where the server gives several.
        estimated: the server told no credible token counts, and these are estimates.
    """

    model_config = ConfigDict(frozen=True)

    response_id: str
    choices: tuple[Choice, ...] = Field(min_length=1)
    prompt_tokens: int
    completion_tokens: int
    estimated: bool = False

    @property
    def text(self) -> str:
        return self.choices[0].text

    @property
    def reasoning(self) -> str:
        return self.choices[0].reasoning

    @property
    def finish_reason(self) -> str:
        return self.choices[0].finish_reason


class Vectors(BaseModel):
    """An answered ``EmbeddingRequest``.

    Attributes:
        response_id: the request's key.
        vectors: by the keys of the texts, packed (see ``tasks.teachers.vectors``).
        estimated: as of ``Answer``.
    """

    model_config = ConfigDict(frozen=True)

    response_id: str
    vectors: dict[bytes, bytes]
    prompt_tokens: int
    completion_tokens: int = 0
    estimated: bool = False


class WhyNot(StrEnum):
    """Why a request has no answer; the names are those of the rejects' reasons."""

    REFUSED = "teacher_refused"
    """400, 413, 422: asking again cannot help, other rows are not affected."""
    CONTEXT_OVERFLOW = "context_overflow"
    """Prompt and reply do not fit the model's context."""
    FAILED = "teacher_failed"
    """It failed each time, while the endpoint answered others."""
    BUDGET = "budget_exhausted"
    """It was not asked: it could have cost more than is left."""


class Refused(BaseModel):
    """A request without an answer, and why. Never cached."""

    model_config = ConfigDict(frozen=True)

    why: WhyNot
    message: str


Reply = Answer | Vectors | Refused
