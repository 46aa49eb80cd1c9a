"""The whole config of a run."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, model_validator

from tasks.settings.curation import Curation
from tasks.settings.engine import Engine
from tasks.settings.kpis import Kpis
from tasks.settings.place import Place, StoreUrl
from tasks.settings.post_training import PostTraining
from tasks.settings.section import Tree
from tasks.settings.sources import Diversity, Licences, QuestionRules, SubsetOptions
from tasks.settings.stages import Release, Sandbox
from tasks.settings.storage import Storage
from tasks.settings.teachers import Budget, Teachers
from tasks.settings.verification import Verification

DATE = "{date}"
PROFILES = Path(__file__).resolve().parents[2] / "deployments" / "profiles"


class BuildConfig(Tree):
    """Everything one run depends on. Two runs with equal configs make equal releases."""

    profile: str = Field("demo", description="`demo`, `pilot`, `full`, or the path of a YAML file.")
    run: str = Field(
        "demo",
        pattern=r"^([A-Za-z0-9]|\{date\})([A-Za-z0-9._-]|\{date\}){0,63}$",
        description="Name of the run's folder. `{date}` in it becomes the day that the run is for, and each day draws "
        "other questions.",
    )
    date: datetime.date | None = Field(
        None,
        description="The day that `{date}` in `run` stands for. Empty: the day, in UTC, that the flow run was "
        "scheduled for, which stays the same when it is retried; on the console today.",
    )
    busy_wait_s: float = Field(
        600,
        ge=0,
        le=604_800,
        description="Seconds to wait where another flow run is writing the same run; then this one fails.",
    )
    store: StoreUrl = Field("kodforge-store", description="Folder or fsspec URL that holds the runs.")
    storage: Storage = Storage()
    cache: Place = Field(
        "",
        description="Where the teachers' answers are kept, for all runs: a local SQLite file, or for several hosts "
        "`postgresql://user@host/database`, with the password in PGPASSWORD, `.pgpass` or the Prefect Secret block "
        "that `?password_block=` names. Empty: `<store>/answers.sqlite`; must be given where the store is not a local "
        "folder.",
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
    report: bool = Field(True, description="Whether a build ends with its report, `report.html` in the run's folder.")

    @classmethod
    def values_of_profile(cls, given: dict[str, Any], environment: dict[str, Any]) -> dict[str, Any]:
        values = read_profile(given.get("profile") or environment.get("profile") or "demo")
        if any("rigour" in (source.get("verification") or {}) for source in (given, environment)):
            # What the profile says of the effort is meant for its own rigour.
            values["verification"] = {**values.get("verification", {}), "effort": {}}
        return values

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
    def is_dated(self) -> bool:
        """Whether `run` names a day that has to be put in yet."""
        return DATE in self.run

    def on(self, day: datetime.date) -> BuildConfig:
        """The config of one day: its run is named by the day, and its seed draws other questions than another day's."""
        if not self.is_dated:
            return self
        mixed = hashlib.sha256(f"{self.seed} {day.isoformat()}".encode()).digest()
        seed = int.from_bytes(mixed[:4], "big") >> 1
        return self.model_copy(update={"run": self.run.replace(DATE, day.isoformat()), "date": day, "seed": seed})

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
