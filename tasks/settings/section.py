"""What every section of the config is made of, and the fingerprint of a section."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict


def without_defaults(schema: dict[str, Any]) -> None:
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
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=without_defaults)


class Tree(BaseSettings):
    """A whole config: the parameter of a flow, whose values may come from a profile and the environment too."""

    model_config = SettingsConfigDict(
        env_prefix="KODFORGE_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        json_schema_extra=without_defaults,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        profile = cls.values_of_profile(init_settings(), env_settings())
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=profile)

    @classmethod
    def values_of_profile(cls, given: dict[str, Any], environment: dict[str, Any]) -> dict[str, Any]:
        """The values of the profile, for what neither parameter nor environment gives.

        Args:
            given: what was passed.
            environment: what the environment has.
        """
        raise NotImplementedError


def with_usual(model: type[BaseModel], values: Any) -> Any:
    """Values for a section, in which each part that is given in part is filled up with its defaults."""
    if not isinstance(values, dict):
        return values
    usual = {
        name: field.default.model_dump()
        for name, field in model.model_fields.items()
        if isinstance(field.default, Section)
    }
    return {
        name: {**usual[name], **given} if name in usual and isinstance(given, dict) else given
        for name, given in values.items()
    }


def fingerprint(*parts: Any) -> str:
    """A short stable hash of JSON-like values and pydantic models."""
    plain = [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts]
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]
