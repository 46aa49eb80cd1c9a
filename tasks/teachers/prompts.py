"""The prompt templates: Jinja files beside this module, cut into messages by lines such as ``=== user ===``.

A template ``NAME_small`` is for models under 3B: short, with worked examples, and with a GBNF grammar of the same name
that leaves the model no way to break the format.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cache
from importlib import resources
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined, Template

from tasks.models import Call
from tasks.settings import Endpoint
from tasks.teachers.requests import Answer

_ROLE = re.compile(r"^=== (user|assistant) ===$", re.MULTILINE)


@cache
def _source(name: str) -> str:
    return (resources.files("tasks.teachers") / "prompts" / f"{name}.md.j2").read_text(encoding="utf-8")


_ENVIRONMENT = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 - not HTML


@cache
def _template(name: str) -> Template:
    return _ENVIRONMENT.from_string(_source(name))


@cache
def _messages(name: str) -> tuple[tuple[str, Template], ...]:
    """(role, template) of each message, cut before anything is filled in: a seed may hold any line."""
    system, *rest = _ROLE.split(_source(name))
    turns = zip(rest[::2], rest[1::2], strict=True)
    parts = [*([("system", system)] if system.strip() else []), *turns]
    return tuple((role, _ENVIRONMENT.from_string(text)) for role, text in parts)


def template_id(name: str) -> str:
    """``name@hash``: a changed template or grammar has another id."""
    content = _source(name) + (grammar(name) or "")
    return f"{name}@{hashlib.sha256(content.encode()).hexdigest()[:12]}"


def render(name: str, **values: Any) -> str:
    """A template's text.

    Raises:
        jinja2.UndefinedError: a variable of the template was not given.
    """
    return _template(name).render(**values)


def chat(name: str, **values: Any) -> tuple[tuple[str, str], ...]:
    """A template as (role, content) messages; what stands before the first role, if anything, is the system message."""
    return tuple((role, template.render(**values).strip()) for role, template in _messages(name))


@cache
def fitting(name: str, size: Literal["standard", "small"]) -> str:
    """The template of that name for models of that size: the standard one where there is no smaller."""
    small = resources.files("tasks.teachers") / "prompts" / f"{name}_small.md.j2"
    return f"{name}_small" if size == "small" and small.is_file() else name


@cache
def grammar(name: str) -> str | None:
    """The grammar that goes with a template, None where it has none."""
    file = resources.files("tasks.teachers") / "prompts" / f"{name}.gbnf"
    return file.read_text(encoding="utf-8") if file.is_file() else None


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
