"""Replies that must be JSON of a known form: asked for by schema, repaired where that is safe, validated always."""

from __future__ import annotations

import json
import re
from typing import TypeVar

import json_repair
from pydantic import BaseModel, ValidationError

from tasks.teachers.replies import Malformed

M = TypeVar("M", bound=BaseModel)
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)


def schema_of(model: type[BaseModel]) -> str:
    """A model's JSON schema for ``TeacherRequest.json_schema``; always the same text for the same model."""
    return json.dumps(model.model_json_schema(), sort_keys=True)


def parse_structured(text: str, model: type[M]) -> M | Malformed:
    """The object in a reply.

    Taken are, in this order: the reply, its first fenced block, what stands between its outer braces; each as it is and
    then mended (trailing commas, quotes, a missing end). What comes out satisfies the model, or nothing does.
    """
    text = text.strip()
    candidates = [text]
    if found := _FENCED.search(text):
        candidates.append(found.group(1).strip())
    start, end = text.find("{"), text.rfind("}")
    if start >= 0:
        candidates.append(text[start : end + 1] if end > start else text[start:])
    why = "the reply holds no JSON object"
    for candidate in candidates:
        try:
            return model.model_validate_json(candidate)
        except ValidationError as error:
            if not candidate.startswith("{"):
                continue
            why = _first(error)
        try:
            return model.model_validate(json_repair.loads(candidate, skip_json_loads=True))
        except ValidationError as error:
            why = _first(error)
        except (ValueError, RecursionError):
            continue
    return Malformed(why)


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    where = ".".join(map(str, found["loc"])) or "the object"
    return f"{where}: {found['msg']}"
