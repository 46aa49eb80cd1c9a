"""What is asked of a teacher and what comes back, apart from how it travels."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.settings import Sampling


class TeacherRequest(BaseModel):
    """One request. Equal requests have equal keys, and are asked once."""

    model_config = ConfigDict(frozen=True)

    sampling: Sampling
    seed: int
    grammar: str | None = None

    @property
    def path(self) -> str:
        raise NotImplementedError

    def content(self) -> dict[str, Any]:
        raise NotImplementedError

    def body(self, model: str) -> dict[str, Any]:
        """The JSON that is sent. ``grammar`` (GBNF) is understood by llama.cpp and vLLM's compatible servers."""
        body = {"model": model, **self.content(), **self.sampling.model_dump(), "seed": self.seed}
        if self.grammar is not None:
            body["grammar"] = self.grammar
        return body

    def key(self, model: str) -> str:
        """Hash of all that decides the answer: not the endpoint's address, so that a server may move.

        The seed tells several answers to the same messages apart.
        """
        canonical = json.dumps([self.path, self.body(model)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


class ChatRequest(TeacherRequest):
    """A chat completion. Messages are (role, content) pairs."""

    messages: tuple[tuple[str, str], ...]

    @property
    def path(self) -> str:
        return "/chat/completions"

    def content(self) -> dict[str, Any]:
        return {"messages": [{"role": role, "content": content} for role, content in self.messages]}


class CompletionRequest(TeacherRequest):
    """A raw completion of a prompt, up to one of the stop strings."""

    prompt: str
    stop: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return "/completions"

    def content(self) -> dict[str, Any]:
        return {"prompt": self.prompt, "stop": list(self.stop)}


class Answer(BaseModel):
    """An answered request. ``response_id`` is its key in the cache; token counts are 0 where the server gave none."""

    model_config = ConfigDict(frozen=True)

    response_id: str
    text: str
    reasoning: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int


class Refused(BaseModel):
    """The endpoint refuses this one request (400, 413, 422): asking again cannot help, other rows are not affected."""

    model_config = ConfigDict(frozen=True)

    status: int
    message: str
