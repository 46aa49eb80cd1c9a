"""The OpenAI-compatible protocol: the JSON that is sent, and answers out of what comes back."""

from __future__ import annotations

import json
from typing import Any

from tasks.settings import Endpoint, Structured
from tasks.teachers.replies import split_reasoning
from tasks.teachers.requests import (
    Answer,
    ChatRequest,
    Choice,
    EmbeddingRequest,
    Request,
    TeacherRequest,
    Vectors,
    estimated_tokens,
)
from tasks.teachers.vectors import read_vectors

_SLACK_TOKENS = 4096
"""So far above what can be right counts are still believed: a server may put a system prompt of its own in front."""


def body(request: Request, endpoint: Endpoint, model: str) -> dict[str, Any]:
    """The JSON that is sent.

    Args:
        model: the server's name for the model.
    """
    if isinstance(request, EmbeddingRequest):
        return {"model": model, **request.content(), **endpoint.extra}
    sampling = request.sampling
    made: dict[str, Any] = {
        "model": model,
        **request.content(),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        endpoint.max_tokens_name: sampling.max_tokens,
    }
    if endpoint.send_seed:
        made["seed"] = request.seed
    if request.n > 1:
        made["n"] = request.n
    if request.grammar is not None:
        made["grammar"] = request.grammar
    if request.logprobs is not None:
        chat = isinstance(request, ChatRequest)
        made |= {"logprobs": True, "top_logprobs": request.logprobs} if chat else {"logprobs": request.logprobs}
    if request.json_schema is not None:
        made |= _structured(request.json_schema, endpoint.structured)
    if endpoint.stream:
        made |= {"stream": True, "stream_options": {"include_usage": True}}
    return {**made, **endpoint.extra}


def _structured(schema: str, how: Structured) -> dict[str, Any]:
    match how:
        case Structured.JSON_SCHEMA:
            named = {"name": "reply", "schema": json.loads(schema), "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        case Structured.JSON_OBJECT:
            return {"response_format": {"type": "json_object"}}
        case Structured.NONE:
            return {}


def read_reply(data: Any, request: Request, key: str) -> Answer | Vectors:
    """What a response's JSON answers a request with.

    Raises:
        ValueError: the body is not what the protocol says.
    """
    if isinstance(request, EmbeddingRequest):
        return read_vectors(data, request, key)
    return read_answer(data, request, key)


def read_answer(data: Any, request: TeacherRequest, key: str) -> Answer:
    """The answer in a response's JSON.

    Raises:
        ValueError: it has no choice with text; the body is not what the protocol says.
    """
    try:
        listed = data["choices"]
        choices = tuple(_choice(choice) for choice in sorted(listed, key=lambda choice: choice.get("index") or 0))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        # What it holds is not told: a server's error may echo the key.
        raise ValueError(f"no choice with text in a {type(data).__name__}") from error
    if not choices:
        raise ValueError("an empty list of choices")
    if len(choices) > request.n:
        raise ValueError(f"{len(choices)} choices where {request.n} were asked for")
    counted = _usage(data.get("usage"), request)
    if counted is None:
        told = sum(estimated_tokens(choice.text + choice.reasoning) for choice in choices)
        return Answer(
            response_id=key,
            choices=choices,
            prompt_tokens=estimated_tokens(request.text()),
            completion_tokens=told,
            estimated=True,
        )
    return Answer(response_id=key, choices=choices, prompt_tokens=counted[0], completion_tokens=counted[1])


def _choice(choice: Any) -> Choice:
    message = choice.get("message")
    chat = isinstance(message, dict)
    text = message.get("content") if chat else choice.get("text")
    reasoning = (message.get("reasoning_content") or message.get("reasoning")) if chat else None
    if isinstance(text, list):  # some servers send parts
        text = "".join(str(part.get("text", "")) for part in text)
    finish_reason = choice.get("finish_reason")
    # Nothing said is an answer where the model has come to an end: it refused, or called a tool.
    if not isinstance(text, str) and not (text is None and (isinstance(reasoning, str) or finish_reason)):
        raise TypeError("a choice without text")
    thought, said = split_reasoning(text or "")
    thoughts = dict.fromkeys([reasoning if isinstance(reasoning, str) else "", thought])
    return Choice(
        text=_whole(said),
        reasoning=_whole("\n\n".join(filter(None, thoughts))),
        finish_reason=_whole(str(finish_reason or "")),
        logprobs=_whole(choice.get("logprobs")),
    )


def _whole(value: Any) -> Any:
    """A value whose texts can be written: half an emoji, where a reply was cut off within it, becomes ``?``."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return value


def _usage(usage: Any, request: TeacherRequest) -> tuple[int, int] | None:
    """Prompt and completion tokens; None where the server tells none, or none that can be right."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if type(prompt) is not int or type(completion) is not int:
        return None
    most_prompt = len(request.text().encode("utf-8", "surrogatepass")) + _SLACK_TOKENS  # a token is a byte at least
    most_completion = 2 * request.sampling.max_tokens * request.n + _SLACK_TOKENS
    if 0 <= prompt <= most_prompt and 0 <= completion <= most_completion:
        return prompt, completion
    return None


class Stream:
    """Puts a reply together from server-sent events, into what an unstreamed response would be.

    Chunks carry no numbers of their own. Where the server numbers its events (``id:``), one that comes twice is dropped
    and one out of order is an error; where it does not, text behind the end of a choice shows it.
    """

    def __init__(self) -> None:
        self._choices: dict[int, dict[str, Any]] = {}
        self._usage: Any = None
        self._event: int | None = None
        self._repeated = False
        self._id: Any = None
        self._chat = True
        self.done = False

    def feed(self, line: str) -> None:
        """Take one line of the body.

        Raises:
            ValueError: it is not as the protocol says.
        """
        if not line:  # the end of an event
            self._repeated = False
            return
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id" and value.isdecimal():
            self._number(int(value))
        elif field == "data" and not self._repeated:
            if value == "[DONE]":
                self.done = True
            else:
                self._chunk(json.loads(value))

    def _number(self, number: int) -> None:
        self._repeated = self._event == number
        if self._event is not None and number not in (self._event, self._event + 1):
            raise ValueError(f"event {number} of the stream came after event {self._event}")
        self._event = number

    def _chunk(self, chunk: Any) -> None:
        if not isinstance(chunk, dict) or self.done:
            raise ValueError("a chunk of a stream is no object, or came after its end")
        if "error" in chunk:
            raise ValueError(f"an error in the stream: {str(chunk['error'])[:200]}")
        if self._id is not None and chunk.get("id") not in (None, self._id):
            raise ValueError("chunks of two streams in one")
        self._id = chunk.get("id", self._id)
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices") or []
        if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
            raise ValueError("the choices of a chunk are no list of objects")
        for choice in choices:
            self._take(choice)

    def _take(self, choice: dict[str, Any]) -> None:
        index = choice.get("index") or 0
        made = self._choices.setdefault(index, {"content": [], "reasoning": [], "logprobs": [], "finish_reason": None})
        delta = choice.get("delta")
        self._chat = isinstance(delta, dict)
        said = {"content": delta.get("content")} if isinstance(delta, dict) else {"content": choice.get("text")}
        if isinstance(delta, dict):
            said["reasoning"] = delta.get("reasoning_content") or delta.get("reasoning")
        for name, text in said.items():
            if text and made["finish_reason"]:
                raise ValueError("text behind the end of a choice")
            if text is not None and not isinstance(text, str):
                raise ValueError(f"{name} of a chunk is a {type(text).__name__}")
            made[name].append(text or "")
        logprobs = choice.get("logprobs")
        if isinstance(logprobs, dict) and isinstance(logprobs.get("content"), list):
            made["logprobs"] += logprobs["content"]
        made["finish_reason"] = choice.get("finish_reason") or made["finish_reason"]

    def response(self) -> dict[str, Any]:
        """The whole response.

        Raises:
            ValueError: the stream ended before its end.
        """
        if not self.done or not all(choice["finish_reason"] for choice in self._choices.values()):
            raise ValueError("the stream was cut off")
        choices = []
        for index, made in self._choices.items():
            text, reasoning = "".join(made["content"]), "".join(made["reasoning"])
            said = {"message": {"content": text, "reasoning_content": reasoning}} if self._chat else {"text": text}
            logprobs = {"content": made["logprobs"]} if made["logprobs"] else None
            choices.append({"index": index, **said, "finish_reason": made["finish_reason"], "logprobs": logprobs})
        return {"choices": choices, "usage": self._usage}
