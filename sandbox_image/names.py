"""Functions and classes that both sides of an isolated case have, and so cross by name."""

from __future__ import annotations

import builtins
import collections
import dataclasses
import datetime
import decimal
import fractions
import json
import math
import operator
import queue
import re
import statistics
from typing import Any

from sandbox_image.values import Malformed

BUILTIN_EXCEPTIONS: dict[str, type[BaseException]] = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException) and not issubclass(value, BaseExceptionGroup)
}
BUILTINS = {
    name: value
    for name, value in vars(builtins).items()
    if (isinstance(value, type) or callable(value)) and name not in ("eval", "exec", "compile", "open", "__import__")
}
LIBRARY = {
    module.__name__: module
    for module in (collections, dataclasses, datetime, decimal, fractions, json, math, operator, queue, re, statistics)
}
"""Modules whose classes and functions cross by name."""


def by_name(value: Any) -> list[Any] | None:
    """The entry of a function or class that both sides have; None for any other value."""
    name = getattr(value, "__name__", None)
    if not isinstance(name, str):
        return None
    if BUILTINS.get(name) is value:
        return ["builtin", name]
    for module, found in LIBRARY.items():
        if getattr(found, name, None) is value:
            return ["library", module, name]
    return None


def from_name(entry: list[Any], classes_only: bool = False) -> Any:
    """The function or class of an entry that ``by_name`` made.

    Raises:
        Malformed: there is none.
    """
    found = None
    match entry:
        case ["builtin", str(name)]:
            found = BUILTINS.get(name)
        case ["library", str(module), str(name)]:
            found = getattr(LIBRARY.get(module), name, None)
    if isinstance(found, type) or (callable(found) and not classes_only):
        return found
    raise Malformed(f"no such thing: {entry!r}"[:200])
