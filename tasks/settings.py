"""The one config tree: YAML profile < environment (``KODFORGE_…``) < flow parameter or ``--set``.

A ``BuildConfig`` is the parameter of the ``build_dataset`` flow, so Prefect draws its form from the
titles, descriptions and bounds below. Keys are never part of it: an endpoint names the environment variable
or the Prefect Secret block that holds its key.
"""

from __future__ import annotations

import hashlib
import json
import os
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from tasks.models import Subset

PROFILES = Path(__file__).resolve().parent.parent / "deployments" / "profiles"


def _without_defaults(schema: dict[str, Any]) -> None:
    """Leave defaults out of a form: Prefect's UI would send each of them, and so override the profile.

    Switches keep theirs, since the UI sends a switch without one as off; so does an empty mapping, which overrides
    nothing.
    """
    for field in schema.get("properties", {}).values():
        default = field.get("default")
        if isinstance(default, bool) or default == {}:
            continue
        field.pop("default", None)
        if isinstance(default, str | int | float) and default != "":
            told = f"{field.get('description', '')} Default where the profile names none: {default}."
            field["description"] = told.strip()


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_without_defaults)


class EndpointKind(StrEnum):
    """`openai`: any OpenAI-compatible URL. `demo` and `local` are started and stopped with the run."""

    OPENAI = "openai"
    DEMO = "demo"
    LOCAL = "local"


class Sampling(Section):
    """Sampling parameters of one role; the seed is derived from the run's seed and the attempt."""

    temperature: float = Field(1.0, ge=0, le=2)
    top_p: float = Field(1.0, gt=0, le=1)
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


class Server(Section):
    """What every server that is asked has: a key, a share of the requests, limits."""

    api_key_env: str = Field("", description="Environment variable that holds the key. Empty: no key is sent.")
    api_key_block: str = Field("", description="Name of the Prefect Secret block that holds the key.")
    weight: float = Field(1.0, gt=0, le=1000, description="Its share of the requests, where there are several.")
    limits: RateLimits = RateLimits()
    max_in_flight: int = Field(
        32, ge=1, le=4096, description="Requests in flight per process, at most; fewer where the server is overrun."
    )

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
    max_tokens_name: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
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


class Teachers(Section):
    """Endpoints by role."""

    author: Endpoint = Field(Endpoint(kind=EndpointKind.DEMO), description="Writes questions, solutions and tests.")
    prompts: Literal["standard", "small"] = Field(
        "standard", description="`small`: short prompts and constrained decoding, for models under 3B."
    )

    @property
    def roles(self) -> dict[str, Endpoint]:
        """Every endpoint by the role it has."""
        return {"author": self.author}


class Budget(Section):
    """What a run may spend on teachers, over all its sessions. Empty: no cap.

    A request is sent only if its worst case (prompt and ``max_tokens``) still fits beside what is in flight.
    """

    usd: float | None = Field(None, ge=0, description="US dollars; needs `prices` of every endpoint.")
    tokens: int | None = Field(None, ge=0, description="Prompt and completion tokens.")


class SeedOptions(Section):
    """Where a subset's seeds come from; what is left out comes from the catalogue."""

    packages: list[str] = Field([], description="Installed distributions whose files or docstrings are read.")
    path: str = Field("", description="Parquet or JSONL file, or a folder of code files.")
    include: list[str] = Field([], description="Globs over paths or qualified names; empty takes all.")
    columns: dict[str, str] = Field({}, description="Column mapping of `path`: ours to theirs.")
    licence: str = Field("", description="SPDX id of what `path` holds.")


class SubsetOptions(Section):
    """How much of a subset to make."""

    count: int = Field(100, ge=1, le=10_000_000, description="Questions to ask for.")
    seeds: SeedOptions = SeedOptions()


class Verification(Section):
    """Attempts and what a passing one must prove."""

    attempts: int = Field(10, ge=1, le=100, description="Solution-and-test pairs per question, at most.")
    stop_after_passes: int | None = Field(
        None,
        ge=1,
        description="Stop asking once so many attempts passed. Empty: always make all attempts, which "
        "is what the difficulty label needs.",
    )
    negative_control: bool = Field(True, description="A pair whose tests also pass a stub is rejected.")
    min_branch_coverage: float = Field(
        0.0, ge=0, le=1, description="Gate on the chosen solution's branch coverage; 0 gates nothing."
    )
    min_statement_coverage: float = Field(0.0, ge=0, le=1, description="The same for statements.")


class Backend(StrEnum):
    AUTO = "auto"
    DOCKER = "docker"
    BUBBLEWRAP = "bubblewrap"


class TierChoice(StrEnum):
    """`auto` isolates the tests wherever they allow it."""

    AUTO = "auto"
    ISOLATED = "isolated"
    SHARED = "shared"


class Layer(StrEnum):
    """Libraries too large for every box."""

    TORCH = "torch"


class Sandbox(Section):
    """The box untrusted code runs in. There is no option to run it without one."""

    backend: Backend = Field(
        Backend.AUTO, description="`auto`: Docker where a daemon answers and has the image, else bubblewrap."
    )
    image: str = Field("kodforge-sandbox", description="Docker image.")
    runtime: str | None = Field(
        None, description="Docker runtime, `runsc` for gVisor. None: the daemon's default. It must know the name."
    )
    layers: tuple[Layer, ...] = Field(
        (), description="Optional libraries in the box beside the usual ones; a Docker image is built with them."
    )
    slots: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024, description="Boxes per process.")
    wall_s: float = Field(30, gt=0, le=3600, description="Wall time per pair, seconds.")
    memory_mb: int = Field(1024, ge=64, le=1_048_576, description="Memory per pair, MiB.")
    output_kb: int = Field(256, ge=1, le=8192, description="Captured output per pair, KiB; more is `output_limit`.")
    processes: int = Field(64, ge=1, le=4096, description="Processes and threads per pair.")
    disk_mb: int = Field(64, ge=1, le=65_536, description="Writable space per pair, MiB.")
    recycle_after: int = Field(2000, ge=1, description="Cases per box before it is replaced.")
    tier: TierChoice = Field(
        TierChoice.AUTO,
        description="`auto`: tests and solution in two processes where the tests allow it, else in one. `isolated` "
        "refuses what would need one; `shared` always uses one.",
    )
    reruns: int = Field(
        0, ge=0, le=20, description="Runs of each passed pair under other seeds and test orders, to find flaky ones."
    )
    coverage: bool = Field(True, description="Measure statement and branch coverage of the solution.")


class Curation(Section):
    """Duplicates and benchmark contamination."""

    near_duplicate_jaccard: float = Field(
        0.7,
        gt=0,
        le=1,
        description="MinHash Jaccard similarity of word 3-grams from which two questions are one.",
    )
    permutations: int = Field(128, ge=16, le=1024, description="Of the MinHash signature.")
    ngram: int = Field(10, ge=3, le=50, description="Tokens per n-gram in the comparison with benchmarks.")
    reject_above: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of a benchmark item's n-grams from which a row is rejected; "
        "any smaller overlap puts it into `use_with_caution`.",
    )


class Release(Section):
    path: str = Field("", description="Folder or fsspec URL. Empty: `<store>/<run>/release`.")
    title: str = "Verified coding triplets"
    rows_per_file: int = Field(50_000, ge=1)


class BuildConfig(BaseSettings):
    """Everything one run depends on. Two runs with equal configs make equal releases."""

    model_config = SettingsConfigDict(
        env_prefix="KODFORGE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        json_schema_extra=_without_defaults,
    )

    profile: str = Field("demo", description="`demo`, `pilot`, `full`, or the path of a YAML file.")
    run: str = Field("demo", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Name of the run's folder.")
    store: str = Field("kodforge-store", description="Folder or fsspec URL that holds the runs.")
    cache: str = Field(
        "",
        description="Local SQLite file with the teachers' answers, shared by all runs. Empty: "
        "`<store>/answers.sqlite`; must be given where the store is not a local folder.",
    )
    seed: int = Field(0, ge=0, le=2**31, description="Drives every random choice.")
    shard_size: int = Field(256, ge=1, le=100_000, description="Questions per shard.")
    shards_in_flight: int = Field(4, ge=1, le=256, description="Shard tasks at once in one process.")
    subsets: dict[Subset, SubsetOptions] = Field({}, description="Which subsets to make, and how much.")
    only: list[Subset] = Field([], description="Make only these of `subsets`; empty makes all of them.")
    teachers: Teachers = Teachers()
    budget: Budget = Budget()
    verification: Verification = Verification()
    sandbox: Sandbox = Sandbox()
    curation: Curation = Curation()
    release: Release = Release()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        name = init_settings().get("profile") or env_settings().get("profile") or "demo"
        profile = InitSettingsSource(settings_cls, init_kwargs=read_profile(name))
        return init_settings, env_settings, profile

    @model_validator(mode="after")
    def _makes_something(self) -> BuildConfig:
        if not self.subsets:
            raise ValueError(f"subsets is empty: nothing to make. Name at least one of {', '.join(Subset)}")
        if missing := [name for name in self.only if name not in self.subsets]:
            raise ValueError(
                f"only names {', '.join(missing)}, which `subsets` does not configure "
                f"(it has {', '.join(self.subsets)}). Add them there or leave them out of `only`"
            )
        for role, endpoint in self.teachers.roles.items():
            if self.budget.usd is not None and endpoint.prices.usd(0, 0) is None:
                raise ValueError(
                    f"budget.usd is {self.budget.usd} and the prices of teachers.{role} are not known, so that it "
                    f"could not be kept. Set teachers.{role}.prices.input and .output (USD per million tokens; 0 for a "
                    f"model of your own), or use budget.tokens"
                )
        return self

    @property
    def selected(self) -> dict[Subset, SubsetOptions]:
        """The subsets that this run makes."""
        return {name: options for name, options in self.subsets.items() if not self.only or name in self.only}


def read_profile(name: str) -> dict[str, Any]:
    """The values of a profile, by name or by path of a YAML file.

    Raises:
        ValueError: no such profile, or the file is not a YAML mapping.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else PROFILES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PROFILES.glob("*.yaml")))
        raise ValueError(f"no profile {name!r}: {path} is not a file. Known: {known}; or give a path to a YAML file")
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"profile {path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"profile {path} must hold a mapping, got {type(values).__name__}")
    return {"profile": name, **values}


def fingerprint(*parts: Any) -> str:
    """A short stable hash of JSON-like values and pydantic models."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
