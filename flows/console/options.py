"""What the subcommands have in common: the options that give a config, and how a wrong one is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer
import yaml
from pydantic import ValidationError

from tasks.errors import BadInput
from tasks.redaction import redacted
from tasks.settings import BuildConfig

Profile = Annotated[str, typer.Option("--profile", help="demo, pilot, full, or the path of a YAML file.")]
Sets = Annotated[
    list[str],
    typer.Option("--set", metavar="KEY=VALUE", help="Override one value, as in verification.attempts=5."),
]


def load_config(profile: str, sets: list[str]) -> BuildConfig:
    """The config of a profile with overrides, and with the day in the name of a run that is named by one.

    Raises:
        BadInput: an override is malformed, or a value is out of bounds (each is named with its value).
    """
    try:
        config = BuildConfig(**with_overrides({"profile": profile}, sets))
    except ValidationError as error:
        raise BadInput(describe(error)) from error
    except ValueError as error:
        raise BadInput(str(error)) from error
    return config.on(config.date or datetime.now(UTC).date())


def with_overrides(values: dict[str, Any], sets: list[str]) -> dict[str, Any]:
    """Nested values, with those of ``--set`` put in.

    Raises:
        BadInput: an override is malformed.
    """
    for item in sets:
        key, equals, text = item.partition("=")
        if not equals or not key:
            raise BadInput(f"--set {item!r} is not KEY=VALUE, as in --set verification.attempts=5")
        place = values
        *path, last = key.split(".")
        for name in path:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                raise BadInput(f"--set {item!r}: {name!r} was already set to {place!r}, which has no parts")
        try:
            place[last] = yaml.safe_load(text) if text else ""
        except yaml.YAMLError as error:
            raise BadInput(f"--set {item!r}: the value is not valid YAML: {error}") from error
    return values


def describe(error: ValidationError) -> str:
    """Pydantic's findings, one line each: where, what is wrong, the value received, without passwords."""
    lines = []
    for found in error.errors(include_url=False):
        where = ".".join(str(part) for part in found["loc"] if part != "[key]") or "config"
        value = "" if found["type"] == "missing" or isinstance(found["input"], dict) else f", got {found['input']!r}"
        value = redacted(value)
        lines.append(f"{where}: {found['msg']}{value}")
    return "invalid config\n  " + "\n  ".join(lines)
