"""The prompt templates: Jinja files beside this module, each with a system and a user part."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from tasks.models import Call
from tasks.settings import Endpoint
from tasks.teachers.requests import Answer

_USER = "\n=== user ===\n"


@cache
def _source(name: str) -> str:
    return (resources.files("tasks.teachers") / "prompts" / f"{name}.md.j2").read_text(encoding="utf-8")


@cache
def _template(name: str) -> Template:
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - not HTML
    return environment.from_string(_source(name))


def template_id(name: str) -> str:
    """``name@hash``: a changed template has another id."""
    return f"{name}@{hashlib.sha256(_source(name).encode()).hexdigest()[:12]}"


def render(name: str, **values: Any) -> str:
    """A template's text.

    Raises:
        jinja2.UndefinedError: a variable of the template was not given.
    """
    return _template(name).render(**values)


def chat(name: str, **values: Any) -> tuple[tuple[str, str], ...]:
    """A template as messages: what stands before ``=== user ===`` is the system message."""
    system, _, user = render(name, **values).partition(_USER)
    return (("system", system.strip()), ("user", user.strip()))


def call_of(answer: Answer, template: str, endpoint: Endpoint, seed: int) -> Call:
    """An answered call as lineage."""
    sampling = {**endpoint.sampling.model_dump(mode="json"), "seed": seed}
    return Call(
        response_id=answer.response_id,
        model=endpoint.model,
        template=template_id(template),
        sampling=json.dumps(sampling, sort_keys=True),
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )
