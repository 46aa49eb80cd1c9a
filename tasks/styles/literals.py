"""Python literals wherever they stand in a text, and when two of them are the same value."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

STRING = re.compile(
    r"""(?:[rRuUbB]|[rR][bB]|[bB][rR])?(?:\"{3}(?:[^\\]|\\.)*?\"{3}|'{3}(?:[^\\]|\\.)*?'{3}|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')""",
    re.DOTALL,
)
_NUMBER = re.compile(r"[-+]?(?:0[xXbBoO][\da-fA-F_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)[jJ]?")
_WORD = re.compile(r"True|False|None|set\(\)")
_START = re.compile(r"(?<![\w.])(?=[\[({'\"\d.+-]|[rRuUbB]{1,2}['\"]|True\b|False\b|None\b|set\(\))")
_CLOSES = {"(": ")", "[": "]", "{": "}"}
_LONGEST = 20_000
"""Characters of one literal or call: what is longer is not looked for the end of."""
_DEEPEST = 50
"""Brackets within brackets: what is nested more deeply is a model that repeats itself."""


@dataclass(frozen=True)
class Found:
    """A value and where it stands: positions in the text."""

    value: Any
    start: int
    end: int


def closing(text: str, start: int) -> int | None:
    """Where the bracket that opens at a position is closed: the position after; None where it is not."""
    open_: list[str] = []
    at = start
    while at < min(len(text), start + _LONGEST):
        character = text[at]
        if character in "'\"" and (string := STRING.match(text, at)):
            at = string.end()
            continue
        if character in _CLOSES:
            open_.append(_CLOSES[character])
            if len(open_) > _DEEPEST:
                return None
        elif character in ")]}":
            if not open_ or open_.pop() != character:
                return None
            if not open_:
                return at + 1
        at += 1
    return None


def literal_at(text: str, start: int) -> Found | None:
    """The literal that begins at a position, the longest there is; None where none does."""
    end: int | None
    if text[start : start + 1] in _CLOSES:
        end = closing(text, start)
    else:
        match = _WORD.match(text, start) or STRING.match(text, start) or _NUMBER.match(text, start)
        end = match.end() if match else None
        if match and match[0].endswith(".") and not match[0][:-1].endswith("."):
            end = match.end() - 1  # the end of a sentence
    if end is None or end <= start or re.match(r"\w", text[end : end + 1]):
        return None
    try:
        return Found(ast.literal_eval(text[start:end].strip()), start, end)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def literals_in(text: str) -> Iterator[Found]:
    """The literals in a text, from left to right; none lies within another."""
    at = 0
    while match := _START.search(text, at):
        found = literal_at(text, match.start())
        if found:
            yield found
        at = found.end if found else match.start() + 1


def value_of(node: ast.expr) -> Any:
    """The value of an expression of literals, else its source as written by Python, which no literal equals."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return Source(ast.unparse(node))


@dataclass(frozen=True)
class Source:
    """What an expression is where its value is not known before it runs."""

    text: str


def key(value: Any) -> Hashable:
    """What two values have in common exactly if a reader takes them for the same: lists and tuples are, and numbers
    whose first seven digits are."""
    match value:
        case bool() | None | str() | bytes():
            return (type(value).__name__, value)
        case int():
            return ("number", value)
        case float() if math.isfinite(value):
            rounded = float(f"{value:.7g}")
            return ("number", int(rounded) if rounded.is_integer() else rounded)
        case list() | tuple():
            return ("sequence", tuple(map(key, value)))
        case set() | frozenset():
            return ("set", frozenset(map(key, value)))
        case dict():
            return ("dict", frozenset((key(name), key(item)) for name, item in value.items()))
        case Source(text=text):
            return ("source", "".join(text.split()))
    return (type(value).__name__, repr(value))


def weight(value: Any) -> int:
    """How much a value tells: 0 for what may stand anywhere by chance, as 0, True or an empty list; 3 and more for
    what hardly does."""
    match value:
        case None | bool() | 0 | 1 | -1:
            return 0
        case int() | float() | complex():
            return 3 if len(str(value)) > 3 else 1 if isinstance(value, int) and abs(value) < 10 else 2
        case str() | bytes():
            return min(len(value), 4) * 3 // 4 if len(value) > 1 else len(value)
        case list() | tuple() | set() | frozenset():
            return sum(map(weight, value)) + (len(value) > 0)
        case dict():
            return sum(weight(key) + weight(item) for key, item in value.items()) + (len(value) > 0)
    return 2  # an expression
