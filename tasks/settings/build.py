"""The whole config of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from tasks.settings.curation import Curation
from tasks.settings.engine import Engine
from tasks.settings.kpis import Kpis
from tasks.settings.post_training import PostTraining
from tasks.settings.section import Tree
from tasks.settings.sources import Diversity, Licences, QuestionRules, SubsetOptions
from tasks.settings.stages import Release, Sandbox
from tasks.settings.teachers import Budget, Teachers
from tasks.settings.verification import Verification

PROFILES = Path(__file__).resolve().parents[2] / "deployments" / "profiles"


class BuildConfig(Tree):
    """Everything one run depends on. Two runs with equal configs make equal releases."""

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
    subsets: dict[str, SubsetOptions] = Field(
        {}, description="Which subsets of the catalogue to make (see `kodforge sources`), and how much of each."
    )
    only: list[str] = Field([], description="Make only these of `subsets`; empty makes all of them.")
    licences: Licences = Licences()
    questions: QuestionRules = QuestionRules()
    diversity: Diversity = Diversity()
    teachers: Teachers = Teachers()
    budget: Budget = Budget()
    verification: Verification = Verification()
    sandbox: Sandbox = Sandbox()
    curation: Curation = Curation()
    engine: Engine = Engine()
    post_training: PostTraining = PostTraining()
    release: Release = Release()
    kpis: Kpis = Kpis()

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
        values = read_profile(name)
        if any("rigour" in (source().get("verification") or {}) for source in (init_settings, env_settings)):
            # What the profile says of the effort is meant for its own rigour.
            values["verification"] = {**values.get("verification", {}), "effort": {}}
        profile = InitSettingsSource(settings_cls, init_kwargs=values)
        return init_settings, env_settings, profile

    @model_validator(mode="after")
    def _makes_something(self) -> BuildConfig:
        if not self.subsets:
            raise ValueError("subsets is empty: nothing to make. Name at least one that `kodforge sources` lists")
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
    def selected(self) -> dict[str, SubsetOptions]:
        """The subsets that this run makes."""
        return {name: options for name, options in self.subsets.items() if not self.only or name in self.only}


def read_profile(name: str) -> dict[str, Any]:
    """The values of a profile of a run, by name or by path of a YAML file.

    Raises:
        ValueError: no such profile, or the file is not a YAML mapping.
    """
    return named_profile(name, PROFILES)


def named_profile(name: str, folder: Path) -> dict[str, Any]:
    """The values of one of a folder's profiles, or of a YAML file of the user's.

    Raises:
        ValueError: no such profile, or the file is not a YAML mapping.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
        raise ValueError(f"no profile {name!r}: {path} is not a file. Known: {known}; or give a path to a YAML file")
    try:
        values = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ValueError(f"profile {path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"profile {path} must hold a mapping, got {type(values).__name__}")
    return {"profile": name, **values}
