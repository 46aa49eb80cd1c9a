"""Cells of a row, and what is said where one is not what its format promises."""

from __future__ import annotations

import ast
import json
from datetime import date
from typing import Any

from tasks.tables import Row


def text_of(row: Row, column: str, required: bool = True) -> str:
    """A text; numbers and dates are told as texts.

    Args:
        required: whether there must be one; otherwise a missing one is empty.

    Raises:
        BadInput: there is none, or it is no text.
    """
    value = row.values.get(column)
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, date):
        value = value.isoformat()
    if value is None or value == "":
        if required:
            raise row.wrong(column, "is missing or empty. Every item needs one")
        return ""
    if not isinstance(value, str):
        raise row.wrong(column, f"must be a text, got {type(value).__name__}")
    return value.replace("\r\n", "\n")


def texts_of(row: Row, column: str) -> list[str]:
    """A list of texts: as such, as JSON, or as a Python literal; empty where there is none.

    Raises:
        BadInput: it is none of these.
    """
    value = row.values.get(column)
    if isinstance(value, str):
        value = _literal(row, column, value) if value.strip() else []
    if value is None:
        return []
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise row.wrong(column, f"must be a list of texts, got {str(value)[:100]!r}")
    return [one.replace("\r\n", "\n") for one in value]


def _literal(row: Row, column: str, text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    raise row.wrong(column, f"must be a list of texts, got {text[:100]!r}")


def json_of(row: Row, column: str, text: str) -> Any:
    """A text that holds JSON.

    Raises:
        BadInput: it does not.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise row.wrong(column, f"is no valid JSON: {error}") from error


def list_of(row: Row, column: str) -> list[Any]:
    """A list of anything, also as JSON text; empty where there is none.

    Raises:
        BadInput: it is no list.
    """
    value = row.values.get(column)
    if isinstance(value, str):
        value = json_of(row, column, value) if value.strip() else []
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise row.wrong(column, f"must be a list, got {type(value).__name__}")
    return list(value)
