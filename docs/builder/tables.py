"""Markdown of the reference pages: tables, and how types and values are told."""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", bytes: "bytes"}
_CODE = re.compile(r"(`+[^`]*`+)")
_SHOWN = 90
"""Characters of a default that a table shows."""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells may hold anything but line breaks, which become spaces."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    spans = _CODE.split(" ".join(text.split()))
    return "".join(part if number % 2 else part.replace("|", "\\|") for number, part in enumerate(spans))


def code(text: str) -> str:
    """Text in a code span, whatever backticks it holds."""
    fence = "``" if "`" in text else "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def prose(doc: str | None) -> str:
    """A docstring as Markdown: code spans have single backticks."""
    return (doc or "").replace("``", "`").strip()


def own_doc(kind: type) -> str:
    """What a class says of itself; empty where it only inherits what another one says."""
    return prose(kind.__dict__.get("__doc__"))


def parts_of(annotation: Any) -> list[type[BaseModel]]:
    """The models that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for argument in get_args(annotation) for part in parts_of(argument)]


def enums_of(annotation: Any) -> list[type[StrEnum]]:
    """The closed sets of values that a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [annotation]
    return [found for argument in get_args(annotation) for found in enums_of(argument)]


def told_type(annotation: Any, link: dict[type[BaseModel], str]) -> str:
    """A type in words; models that have a place of their own are linked.

    Raises:
        KeyError: it is a type that has no words here.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return told_type(arguments[0], link)
    if origin in (Union, types.UnionType):
        told = [told_type(argument, link) for argument in arguments if argument is not type(None)]
        return " or ".join(told) + (" or empty" if type(None) in arguments else "")
    if origin is Literal:
        return "one of " + ", ".join(code(str(argument)) for argument in arguments)
    if origin in (list, tuple, set, frozenset):
        return f"list of {told_type(arguments[0], link)}"
    if origin is dict:
        return f"mapping of {_key(arguments[0])} to {told_type(arguments[1], link)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}]({link[annotation]})" if annotation in link else annotation.__name__
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return "one of " + ", ".join(code(member.value) for member in annotation)
    return _PLAIN.get(annotation) or {"date": "date"}[annotation.__name__]


def _key(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " / ".join(code(member.value) for member in annotation)
    return "names"


def told_bounds(field: FieldInfo) -> str:
    """What a value must be: its bounds, its length, its form."""
    told = []
    for rule in field.metadata:
        for name, words in (("ge", "≥"), ("gt", ">"), ("le", "≤"), ("lt", "<")):
            if getattr(rule, name, None) is not None:
                told.append(f"{words} {getattr(rule, name):,}")
        if getattr(rule, "min_length", None):
            told.append("not empty")
        if getattr(rule, "pattern", None):
            told.append(f"as {code(rule.pattern)}")
    return ", ".join(told)


def told_default(field: FieldInfo) -> str:
    """The value of a field that is not given."""
    if field.default_factory is not None:
        return "by the machine"
    if field.default is PydanticUndefined:
        return "must be given"
    return told_value(field.default)


def told_value(value: Any) -> str:
    """A value as it is written in YAML on one line; of a section what differs from its own defaults."""
    if isinstance(value, BaseModel):
        value = {name: plain(part) for name, part in value if part != type(value).model_fields[name].default}
        if not value:
            return ""
    value = plain(value)
    if value is None or value in ("", [], {}):
        return "empty"
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return code(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


def plain(value: Any) -> Any:
    """A value of a config as JSON has it."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {str(plain(key)): plain(part) for key, part in value.items()}
    return value
