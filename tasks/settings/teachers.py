"""Endpoints, what they cost and how they are asked."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from tasks.settings.section import Section, with_usual


class EndpointKind(StrEnum):
    """`openai`: any OpenAI-compatible URL. `demo` and `local` are started and stopped with the run."""

    OPENAI = "openai"
    DEMO = "demo"
    LOCAL = "local"


class Sampling(Section):
    """Sampling parameters of one role; the seed is derived from the run's seed and the attempt."""

    temperature: float = Field(1.0, ge=0, le=2, description="0: the likeliest token each time.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus sampling: 1 leaves no token out.")
    max_tokens: int = Field(4096, ge=1, le=1_000_000, description="Per reply.")


class Structured(StrEnum):
    """How an endpoint is held to a JSON schema. Whatever it does, what comes back is validated."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    NONE = "none"


class Transport(StrEnum):
    """`live`: a request and its answer. `batch`: the batch API, cheaper and slower."""

    LIVE = "live"
    BATCH = "batch"


class Prices(Section):
    """USD per million tokens. What is left out is unknown: costs are then unknown too, never guessed."""

    input: float | None = Field(None, ge=0, le=1_000_000, description="Prompt tokens.")
    output: float | None = Field(None, ge=0, le=1_000_000, description="Completion tokens, reasoning included.")

    def usd(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """The cost of a call; None where a price is unknown."""
        if self.input is None or self.output is None:
            return None
        return (prompt_tokens * self.input + completion_tokens * self.output) / 1e6


class RateLimits(Section):
    """How fast an endpoint may be asked. What the server's headers tell is honoured in any case."""

    requests_per_minute: float | None = Field(None, gt=0, description="Empty: as the server's headers tell.")
    tokens_per_minute: float | None = Field(None, gt=0, description="Prompt and completion; empty as above.")
    global_in_flight: str = Field(
        "", description="Prefect global concurrency limit whose slots all workers share, one per request in flight."
    )
    global_rate: str = Field(
        "", description="Prefect global concurrency limit with slot decay: the requests per second of all workers."
    )


@cache
def _json_object(text: str) -> dict[str, Any]:
    """A JSON object, parsed once; empty for an empty text. Not to be changed."""
    return dict(json.loads(text or "{}"))


_LOGIN = re.compile(r"\s*(?:[^/?#]*//)?[^/?#]*@")
"""The user and password of a URL."""


class Server(Section):
    """What every server that is asked has: a key, a share of the requests, limits."""

    model_config = ConfigDict(hide_input_in_errors=True)

    api_key_env: str = Field("", description="Environment variable that holds the key. Empty: no key is sent.")
    api_key_block: str = Field("", description="Name of the Prefect Secret block that holds the key.")
    weight: float = Field(1.0, gt=0, le=1000, description="Its share of the requests, where there are several.")
    limits: RateLimits = RateLimits()
    max_in_flight: int = Field(
        32, ge=1, le=4096, description="Requests in flight per process, at most; fewer where the server is overrun."
    )

    @model_validator(mode="before")
    @classmethod
    def _has_no_login_in_its_url(cls, values: Any) -> Any:
        """Refused before any other look at the URL, whose message would show it."""
        url = values.get("base_url") if isinstance(values, dict) else None
        if isinstance(url, str) and _LOGIN.match(url):
            raise ValueError(
                "base_url holds a user or password before an @, and would be printed. Leave them out, and name what "
                "holds the key in api_key_env or api_key_block"
            )
        return values

    @model_validator(mode="after")
    def _has_one_key(self) -> Self:
        if self.api_key_env and self.api_key_block:
            raise ValueError(
                f"both api_key_env ({self.api_key_env!r}) and api_key_block ({self.api_key_block!r}) are set. Keep one"
            )
        return self


class Route(Server):
    """A further server for the same model: it takes its share, and all of it where the others fail."""

    base_url: str = Field(pattern=r"^https?://", description="As in https://host/v1.")
    model: str = Field("", description="Its name for the model; empty: the same as the first server's.")


class Batching(Section):
    """The batch transport."""

    collect_s: float = Field(5, ge=0, le=3600, description="How long a batch waits for more requests.")
    most_requests: int = Field(50_000, ge=1, le=50_000, description="Per batch.")
    poll_s: float = Field(30, gt=0, le=3600, description="Between two looks at a batch.")
    window: str = Field("24h", description="`completion_window` of the batch.")


_OWN_FIELDS = frozenset(
    {
        "model",
        "messages",
        "prompt",
        "n",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "seed",
        "stream",
    }
)


class Endpoint(Server):
    """An OpenAI-compatible endpoint."""

    kind: EndpointKind = EndpointKind.OPENAI
    base_url: str = Field("", description="As in https://host/v1. Empty for `demo` and `local`.")
    model: str = Field("", description="Name the endpoint knows the model by.")
    routes: tuple[Route, ...] = Field((), description="Further servers for the same model.")
    sampling: Sampling = Sampling()
    user_turn: str = Field(
        "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{prefix}",
        description="The model's chat template up to an open user turn, for the prefill method. Not used where "
        "`chat_template` is given.",
    )
    chat_template: str = Field(
        "",
        description="The model's own chat template, for the prefill method: a tokenizer_config.json or a .jinja file, "
        "or `server` to ask a llama.cpp server for it.",
    )
    transport: Transport = Transport.LIVE
    batching: Batching = Batching()
    stream: bool = Field(False, description="Stream replies: a stalled server is noticed after `timeout_s` of silence.")
    structured: Structured = Field(Structured.JSON_SCHEMA, description="What it understands of JSON schemas.")
    send_seed: bool = Field(True, description="Send the sampling seed; some servers refuse it.")
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="What the server calls the cap on a reply's tokens."
    )
    extra_body: str = Field(
        "", description='JSON object that is merged into each request, as in {"reasoning_effort": "low"}.'
    )
    prices: Prices = Prices()
    timeout_s: float = Field(300, gt=0, le=86_400, description="For one request, seconds.")
    retries: int = Field(5, ge=0, le=100, description="Of one request on 408, 409, 429, 5xx and torn connections.")

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Endpoint:
        if self.kind is EndpointKind.OPENAI and not self.base_url.startswith(("http://", "https://")):
            raise ValueError(
                f"base_url must start with http:// or https://, got {self.base_url!r}. Set it to the "
                "OpenAI-compatible endpoint, as in --set teachers.author.base_url=https://host/v1"
            )
        if self.kind is EndpointKind.OPENAI and not self.model:
            raise ValueError("model is empty. Name the model, as in --set teachers.author.model=my-model")
        if self.transport is Transport.BATCH and self.routes:
            raise ValueError(
                f"transport is batch and there are {len(self.routes)} more routes: a batch goes to one server. Drop one"
            )
        try:
            extra = json.loads(self.extra_body or "{}")
        except ValueError as error:
            raise ValueError(f"extra_body is no JSON ({error}), got {self.extra_body!r}") from error
        if not isinstance(extra, dict):
            raise ValueError(f"extra_body must be a JSON object, got {self.extra_body!r}")
        if ours := sorted(_OWN_FIELDS & set(extra)):
            raise ValueError(
                f"extra_body sets {', '.join(ours)}, which kodforge sends itself. Use the field of that name"
            )
        return self

    @property
    def extra(self) -> dict[str, Any]:
        """``extra_body`` as an object."""
        return _json_object(self.extra_body)

    @property
    def all_routes(self) -> tuple[Route, ...]:
        """Every server, the first one first."""
        first = {name: getattr(self, name) for name in Route.model_fields if name != "model"}
        return (Route(model=self.model, **first), *self.routes)


class Reasoner(Endpoint):
    """An endpoint whose model thinks before it answers: the sampling is what DeepSeek recommends for R1, a reply has
    the 16,384 tokens that KodCode gives it, and time for them."""

    sampling: Sampling = Sampling(temperature=0.6, top_p=0.95, max_tokens=16_384)
    timeout_s: float = Field(1800, gt=0, le=86_400, description="For one request, seconds.")

    @model_validator(mode="before")
    @classmethod
    def _keeps_what_is_usual(cls, values: Any) -> Any:
        return with_usual(cls, values)


class Role(StrEnum):
    """What a teacher is asked for."""

    AUTHOR = "author"
    INSTRUCTOR = "instructor"
    RATER = "rater"
    SOLVER = "solver"
    CONVERTER = "converter"
    EMBEDDER = "embedder"


ReasonerName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]


class Teachers(Section):
    """Endpoints by role."""

    author: Endpoint = Field(Endpoint(kind=EndpointKind.DEMO), description="Writes questions, solutions and tests.")
    instructor: Endpoint | None = Field(
        None,
        description="Completes open user turns (Prefill, Filter): an instruct model behind an endpoint that has raw "
        "completions. Empty: the author.",
    )
    rater: Endpoint | None = Field(None, description="Grades questions (Filter). Empty: the author.")
    solver: Endpoint | None = Field(
        None,
        description="Solves questions without seeing their tests, for `verification.effort.solver_tries`. Empty: "
        "the author.",
    )
    converter: Endpoint | None = Field(None, description="Tells rows in another style. Empty: the author.")
    reasoners: dict[ReasonerName, Reasoner] = Field(
        {}, description="Models that think before they answer, by a name of yours: their answers become SFT data."
    )
    embedder: Endpoint | None = Field(
        None,
        description="Answers `POST /embeddings`, for an embedder of kind `endpoint`. It writes nothing: where its "
        "input has a price, give `prices.output` as 0.",
    )
    prompts: Literal["standard", "small"] = Field(
        "standard", description="`small`: short prompts and constrained decoding, for models under 3B."
    )

    @model_validator(mode="after")
    def _asks_the_embedder_directly(self) -> Self:
        if self.embedder is None:
            return self
        if self.embedder.kind is not EndpointKind.OPENAI:
            raise ValueError(
                f"embedder.kind is {self.embedder.kind.value!r}, which makes no embeddings. Give an OpenAI-compatible "
                f"endpoint, or leave teachers.embedder out and use a packaged embedder"
            )
        if self.embedder.transport is Transport.BATCH:
            raise ValueError("embedder.transport is 'batch', which only completions can be asked by. Set it to 'live'")
        return self

    @model_validator(mode="after")
    def _has_reasoners_that_differ(self) -> Self:
        seen: dict[tuple[object, ...], str] = {}
        for name, one in self.reasoners.items():
            other = seen.setdefault((one.kind, one.model, one.sampling, one.extra_body), name)
            if other != name:
                raise ValueError(
                    f"reasoners.{other} and reasoners.{name} are one model ({one.model or one.kind}) with the same "
                    f"sampling, and would give the same answers. Drop one, and raise post_training.reasoning.tries "
                    f"for more of them; a further server for a model goes into its `routes`"
                )
        return self

    @property
    def roles(self) -> dict[str, Endpoint]:
        """The endpoints that are configured, by their place in this section, as in `solver` and `reasoners.r1`."""
        fixed = {role.value: endpoint for role in Role if (endpoint := getattr(self, role.value)) is not None}
        return {**fixed, **{f"reasoners.{name}": endpoint for name, endpoint in self.reasoners.items()}}

    def at(self, endpoints: Mapping[str, Endpoint]) -> Teachers:
        """These teachers with other endpoints, by place as in `roles`."""
        fixed = {place: endpoint for place, endpoint in endpoints.items() if "." not in place}
        theirs = {name: endpoints.get(f"reasoners.{name}", endpoint) for name, endpoint in self.reasoners.items()}
        return self.model_copy(update={**fixed, "reasoners": theirs})

    def of(self, role: Role) -> Endpoint:
        """The endpoint that has a role which writes: the author where no other was given."""
        return self.roles.get(role, self.author)


class Budget(Section):
    """What a run may spend on teachers, over all its sessions. Empty: no cap.

    A request is sent only if its worst case (prompt and ``max_tokens``) still fits beside what is in flight.
    """

    usd: float | None = Field(None, ge=0, description="US dollars; needs `prices` of every endpoint.")
    tokens: int | None = Field(None, ge=0, description="Prompt and completion tokens.")
