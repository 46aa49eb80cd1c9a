"""What is evaluated: a benchmark, a model, how it is asked and how often."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from tasks.models.vocabulary import Asking
from tasks.settings.build import read_profile
from tasks.settings.place import Place, StoreUrl
from tasks.settings.section import Section, Tree
from tasks.settings.stages import Sandbox
from tasks.settings.storage import Storage
from tasks.settings.teachers import Budget, Endpoint

_USUAL_K = (1, 10, 100)
_GREEDY, _VARIED = 0.0, 0.8
"""Temperatures where the endpoint names none: one sample is the likeliest answer, several have to differ."""


class BenchmarkFormat(StrEnum):
    """Whose columns a benchmark has. `kodforge`: the held-out rows of a release, and files of one's own."""

    HUMANEVAL = "humaneval"
    MBPP = "mbpp"
    EVALPLUS = "evalplus"
    BIGCODEBENCH = "bigcodebench"
    LIVECODEBENCH = "livecodebench"
    KODFORGE = "kodforge"


class Evaluation(Section):
    """One model on one benchmark."""

    benchmark: str = Field(
        "humaneval",
        min_length=1,
        description="`humaneval` (comes with kodforge), `mbpp`, `mbpp-sanitized`, `humanevalplus`, `mbppplus`, "
        "`bigcodebench`, `livecodebench`; or the path of a file of items, such as the held-out rows of a release.",
    )
    path: str = Field(
        "",
        description="Where a benchmark of that name lies: a path, an fsspec URL, or hf://datasets/OWNER/NAME. Empty: "
        "on the Hugging Face hub.",
    )
    split: str | None = Field(
        None, description="Of a folder only files with this in their names are read. Empty: as published."
    )
    format: BenchmarkFormat | None = Field(None, description="Empty: told by the columns.")
    since: date | None = Field(None, description="Only items published on this day or later.")
    until: date | None = Field(None, description="Only items published on this day or earlier.")
    limit: int | None = Field(None, ge=1, description="Only so many items, the first ones. Empty: all.")
    prompt: Literal["complete", "instruct"] = Field(
        "complete", description="Which of its two prompts is taken, where a benchmark has two, as BigCodeBench."
    )
    fed_back: tuple[str, ...] = Field(
        (), description="Feedback files written earlier: their items are left out, as training may have seen them."
    )
    model: Endpoint | None = Field(
        None,
        description="Who is evaluated. `sampling.temperature`, where it is not given, is 0 for one sample and 0.8 for "
        "several.",
    )
    asking: Asking = Asking.CHAT
    system: str = Field("", description="System message of a chat. Empty: none is sent.")
    stop: tuple[str, ...] = Field((), description="Where a completion ends, beside the usual places.")
    samples: int = Field(1, ge=1, le=1000, description="Answers to each item.")
    k: tuple[int, ...] = Field((), description="The ks of pass@k. Empty: 1, 10 and 100, as far as the samples allow.")

    @model_validator(mode="before")
    @classmethod
    def _samples_differ(cls, values: Any) -> Any:
        """Fill in the temperature that the endpoint does not name."""
        model = values.get("model") if isinstance(values, dict) else None
        if not isinstance(model, dict) or "temperature" in (sampling := model.get("sampling") or {}):
            return values
        if not isinstance(sampling, dict):
            return values
        temperature = _GREEDY if str(values.get("samples", 1)) == "1" else _VARIED
        return {**values, "model": {**model, "sampling": {**sampling, "temperature": temperature}}}

    @model_validator(mode="after")
    def _can_be_estimated(self) -> Self:
        if self.since and self.until and self.since > self.until:
            raise ValueError(f"since is {self.since}, which is after until, {self.until}. Swap them")
        if wrong := [k for k in self.k if not 1 <= k <= self.samples]:
            raise ValueError(
                f"pass@{wrong[0]} cannot be estimated from {self.samples} samples per item. Take at least "
                f"{max(1, wrong[0])}, as in --samples {max(1, wrong[0])}, or a k from 1 to {self.samples}"
            )
        if self.model and self.samples > 1 and self.model.sampling.temperature == 0:
            raise ValueError(
                f"{self.samples} samples at temperature 0 are the same answer {self.samples} times. Set "
                f"evaluation.model.sampling.temperature, or take one sample"
            )
        return self

    @property
    def ks(self) -> tuple[int, ...]:
        """The ks of pass@k, ascending."""
        return tuple(sorted(set(self.k))) or tuple(k for k in _USUAL_K if k <= self.samples)


class EvaluationConfig(Tree):
    """Everything one evaluation depends on."""

    profile: str = Field("", description="Path of a YAML file with values of this config. Empty: none is read.")
    run: str = Field("evaluation", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Name of its folder.")
    store: StoreUrl = Field("kodforge-store", description="Folder or fsspec URL that holds the runs.")
    storage: Storage = Storage()
    cache: Place = Field(
        "",
        description="Where the model's answers are kept: a local SQLite file, or `postgresql://user@host/database`. "
        "Empty: `<store>/answers.sqlite`; must be given where the store is not a local folder.",
    )
    seed: int = Field(0, ge=0, le=2**31, description="Seed of the first sample, the others follow; and of intervals.")
    shard_size: int = Field(32, ge=1, le=10_000, description="Items per shard.")
    shards_in_flight: int = Field(4, ge=1, le=256, description="Shards at once in one process.")
    evaluation: Evaluation = Evaluation()
    budget: Budget = Budget()
    sandbox: Sandbox = Sandbox()

    @classmethod
    def values_of_profile(cls, given: dict[str, Any], environment: dict[str, Any]) -> dict[str, Any]:
        name = given.get("profile")
        return read_profile(name) if name else {}

    @model_validator(mode="after")
    def _knows_its_prices(self) -> Self:
        model = self.evaluation.model
        if self.budget.usd is not None and model and model.prices.usd(0, 0) is None:
            raise ValueError(
                f"budget.usd is {self.budget.usd} and the prices of evaluation.model are not known, so that it could "
                f"not be kept. Set evaluation.model.prices.input and .output (USD per million tokens), or use "
                f"budget.tokens"
            )
        return self

    @property
    def title(self) -> str:
        """Benchmark and model, as part of a path."""
        benchmark = self.evaluation.benchmark.rstrip("/").rpartition("/")[2]
        asked = self.evaluation.model
        model = (asked.model or asked.kind.value) if asked else ""
        parts = [re.sub(r"[^A-Za-z0-9._]+", "-", part).strip("-.") for part in (benchmark, model)]
        return "-".join(part for part in parts if part)[:120] or "items"
