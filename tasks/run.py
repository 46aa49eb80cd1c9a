"""One run: its config, its place in the store, and the endpoints it talks to right now."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Receipt, Stage
from tasks.errors import BadInput
from tasks.planning import plan_in_the_making
from tasks.settings import Budget, BuildConfig, Endpoint, Role, Storage, Teachers, fingerprint
from tasks.store import Store


class StageName(StrEnum):
    """The stages of a run, in order; each is a folder of the run."""

    ROWS = "rows"
    SEEDS = "seeds"
    PROMPTS = "prompts"
    QUESTIONS = "questions"
    ATTEMPTS = "attempts"
    VERDICTS = "verdicts"
    SOLUTIONS = "solutions"
    CROSSCHECKS = "crosschecks"
    AUDITS = "audits"
    TRIPLETS = "triplets"
    SIGNATURES = "signatures"
    EXAMINATIONS = "examinations"
    CENTROIDS = "centroids"
    PLACEMENTS = "placements"
    EDGES = "edges"
    DUPLICATES = "duplicates"
    CURATED = "curated"
    SELECTED = "selected"
    PLACINGS = "placings"
    CONVERSIONS = "conversions"
    RETOLD = "retold"
    CONVERTED = "converted"
    RESPONSES = "responses"
    GRADES = "grades"
    CANDIDATES = "candidates"
    REFERENCES = "references"


class Purpose(BaseModel):
    """On whose account a teacher is asked: a stage of a run, within the run's budget."""

    model_config = ConfigDict(frozen=True)

    run: str = ""
    stage: str = ""
    budget: Budget = Budget()


class Run(BaseModel):
    """What a shard task needs to know.

    ``teachers`` are the endpoints of ``config.teachers`` with the URLs of those that were started for the run;
    the URL of an endpoint changes no result and is part of no fingerprint.
    """

    model_config = ConfigDict(frozen=True)

    config: BuildConfig
    teachers: Teachers

    @property
    def store(self) -> Store:
        return Store.of(self.config)

    @property
    def cache_path(self) -> str:
        return answers_path(self.config)

    @property
    def last_stage(self) -> StageName:
        """The stage whose rows are released."""
        return StageName.SELECTED if self.config.curation.mix.selects else StageName.CURATED

    def stage(self, name: StageName) -> Stage:
        return Stage(self.store, self.config.run, name)

    def purpose(self, account: str) -> Purpose:
        """What a call is booked on: a stage, or a part of one that has an account of its own."""
        return Purpose(run=self.account, stage=str(account), budget=self.config.budget)

    @property
    def account(self) -> str:
        """What the run is called where several stores may share one file of answers."""
        return account_of(self.config.store, self.config.run)

    def receipts(self, name: StageName) -> list[Receipt]:
        """Receipts of a finished stage, in shard order.

        Raises:
            BadInput: the stage has not finished in this run.
        """
        manifest = self.stage(name).manifest()
        if manifest is None:
            raise BadInput(
                f"run {self.config.run!r} in {self.config.store!r} has no finished stage {name.value!r}. Run the "
                f"stages before it first, or the whole build with `kodforge run`"
            )
        return [Receipt.model_validate(shard) for shard in manifest["shards"]]

    def finish(self, name: StageName, receipts: list[Receipt]) -> None:
        """Write the manifest of a stage."""
        if plan_in_the_making() is None:
            self.stage(name).finish(receipts, config_fingerprint(self.config))


def account_of(store: str, run: str) -> str:
    """On what the calls of a run are booked: one name, however the store is spelled and wherever a process stands."""
    place = (
        store if "://" in store and not store.startswith("file:") else os.path.abspath(store.removeprefix("file://"))
    )
    return f"{place.rstrip('/')}/{run}"


class Stored(Protocol):
    """A config that says where its artifacts and answers are kept."""

    @property
    def store(self) -> str: ...
    @property
    def storage(self) -> Storage: ...
    @property
    def cache(self) -> str: ...


def answers_path(config: Stored) -> str:
    """Where the teachers' answers are, as ``open_cache`` takes it: a SQLite file, or a PostgreSQL database.

    Raises:
        BadInput: the store is remote and no other place was named.
    """
    if config.cache:
        return config.cache
    store = Store.of(config)
    if not store.is_local:
        raise BadInput(
            f"the teachers' answers need a place of their own, as store {config.store!r} is remote. Name a local file "
            f"(--set cache=/path/answers.sqlite), or a database that all hosts reach "
            f"(--set cache=postgresql://user@host/database)"
        )
    return store.path("answers.sqlite")


def config_fingerprint(config: BuildConfig) -> str:
    """Hash of all that can change a release: not where it is stored or how many boxes run at once."""
    return fingerprint(shareable_config(config))


_PRIVATE = {
    "base_url",
    "api_key_env",
    "api_key_block",
    "chat_template",
    "routes",
    "weight",
    "limits",
    "transport",
    "batching",
    "stream",
    "max_in_flight",
    "timeout_s",
    "retries",
}
"""Of an endpoint: where it is and how fast it may be asked."""


def shareable_config(config: BuildConfig) -> dict[str, object]:
    """The config as it may be published: no paths of this machine, no addresses, no names of keys."""
    return config.model_dump(
        mode="json",
        exclude={
            "store": True,
            "storage": True,
            "cache": True,
            "date": True,
            "busy_wait_s": True,
            "shards_in_flight": True,
            "engine": True,
            "budget": True,
            "kpis": True,
            "release": {"path", "keep", "hub"},
            "curation": {
                "decontamination": {"benchmarks": {"__all__": {"path"}}},
                "drift": {"against"},
                "review": True,
            },
            "sandbox": {"slots", "image", "recycle_after"},
            "teachers": {**{role.value: _PRIVATE for role in Role}, "reasoners": {"__all__": _PRIVATE}},
            "subsets": {name: {"seeds": {"path"}} for name in config.subsets},
        },
    )


def wire_settings(endpoint: Endpoint) -> dict[str, object]:
    """What of an endpoint decides its answers: the model and how it is asked."""
    return endpoint.model_dump(mode="json", include={"model", "sampling", "user_turn", "extra_body"})
