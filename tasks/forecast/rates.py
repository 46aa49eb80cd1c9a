"""How fast things are: what a forecast is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from tasks.errors import BadInput
from tasks.settings import Section

DEFAULT = Path(__file__).resolve().parents[2] / "deployments" / "rates.yaml"
"""Measured rates, with where each was measured."""


class TeacherRates(Section):
    """The endpoint that answers."""

    first_token_s: float = Field(ge=0, description="Until an answer begins, seconds.")
    tokens_per_s: float = Field(gt=0, description="Of one answer.")
    streams: int = Field(ge=1, description="Answers that the endpoint writes at once, for all workers together.")
    failed: float = Field(ge=0, lt=1, description="Share of the tries that fail and are made again.")
    retry_s: float = Field(ge=0, description="Pause before a try is made again, seconds.")


class WorkerRates(Section):
    """One machine: a process that submits and writes shards, with its sandbox."""

    cores: int = Field(ge=1, description="Of the machine; so many boxes run at once, unless `sandbox.slots` says less.")
    task_s: float = Field(ge=0, description="What Prefect takes for a task run, seconds of the worker's process.")
    hours_between_crashes: float = Field(gt=0, description="Of one worker, on average.")
    restart_s: float = Field(ge=0, description="Until a worker that crashed works again, seconds.")


class ServerRates(Section):
    """The Prefect server."""

    task_s: float = Field(ge=0, description="What a task run takes of it, seconds.")
    task_bytes: float = Field(ge=0, description="What a task run, its states, logs and events take in its database.")


class Calls(Section):
    """What a teacher is asked on one account, such as `attempts` or `contracts`.

    `per_row` counts calls for each row that the account's stage takes in: questions for `questions`, tries for
    `attempts`, rows for `responses`.
    """

    per_row: float = Field(ge=0)
    prompt_tokens: float = Field(ge=0)
    completion_tokens: float = Field(ge=0)
    spread: float = Field(ge=0, description="Standard deviation of the logarithm of the completion's tokens.")
    answer_bytes: float = Field(ge=0, description="Of an answer in the file of answers.")


class StageRates(Section):
    """A stage, per row that comes in."""

    sandbox_s: float = Field(0.0, ge=0, description="Time in a box, all runs together, seconds.")
    sandbox_spread: float = Field(0.0, ge=0, description="Standard deviation of its logarithm.")
    own_s: float = Field(0.0, ge=0, description="The worker's own work: reading, comparing, writing, seconds.")
    bytes: float = Field(0.0, ge=0, description="In the store, rejects included.")
    kept: float = Field(1.0, ge=0, description="Rows out per row in.")


class Whole(Section):
    """A step over all rows at once: seconds of one core are `start_s` + `row_s` for each row."""

    start_s: float = Field(ge=0)
    row_s: float = Field(ge=0)
    most_cores: int = Field(ge=1, description="It gains nothing from more.")
    bytes: float = Field(0.0, ge=0, description="In the store, per row.")
    kept: float = Field(1.0, ge=0, description="Rows out per row in.")


class Outcomes(Section):
    """How questions fare: shares of those that are easy, medium, hard, and never solved; one where nothing is known."""

    easy: float = Field(ge=0)
    medium: float = Field(ge=0)
    hard: float = Field(ge=0)
    failed: float = Field(ge=0)


class Rates(Section):
    """All of them.

    Raises:
        BadInput: by ``read_rates``, where a file does not hold them.
    """

    teacher: TeacherRates
    worker: WorkerRates
    server: ServerRates
    calls: dict[str, Calls]
    stages: dict[str, StageRates]
    curation: Whole
    publishing: Whole
    outcomes: dict[str, Outcomes] = Field(description="By subset; `*` stands for all others.")

    def stage(self, name: str) -> StageRates:
        return self.stages.get(name, StageRates())

    def outcome(self, subset: str) -> Outcomes:
        return self.outcomes.get(subset, self.outcomes["*"])


def read_rates(path: Path = DEFAULT, overrides: dict[str, Any] | None = None) -> Rates:
    """Rates of a YAML file.

    Args:
        overrides: values that take the place of the file's, nested as they are there.

    Raises:
        BadInput: the file cannot be read, or a rate is missing or out of bounds.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Rates.model_validate(merged(values, overrides or {}))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"the rates {str(path)!r} cannot be read: {error}. Take {DEFAULT.name} for a pattern") from error
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in found["loc"])
        raise BadInput(f"{path}: {where or 'the file'}: {found['msg']}. Take {DEFAULT.name} for a pattern") from error


def merged(values: Any, overrides: Any) -> Any:
    """Nested mappings, those of the second over those of the first."""
    if not isinstance(values, dict) or not isinstance(overrides, dict):
        return values if overrides == {} else overrides
    both = {name: merged(values[name], given) if name in values else given for name, given in overrides.items()}
    return {**values, **both}
