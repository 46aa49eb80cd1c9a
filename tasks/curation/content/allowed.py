"""Words and values that the scanners of content let pass; the reasons are in ``allowed.yaml``."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any

from tasks.packaged import packaged_yaml
from tasks.scanners.tokens import Marks

_NONE: Marks = frozenset()
_OFFENSIVE: Marks = frozenset({"offensive"})
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_RANDOM = re.compile(r"\d[A-Za-z]")
"""Letters after digits: encoded data, whose letters spell anything in the long run."""
_BETWEEN = re.compile(r"[_-]+")


@cache
def _lists() -> dict[str, Any]:
    loaded: dict[str, Any]
    (loaded,) = packaged_yaml("tasks.curation.content", "allowed.yaml")
    return loaded


@cache
def _set(name: str) -> frozenset[str]:
    return frozenset(str(_lists()[name]).split())


@cache
def offensive_words() -> frozenset[str]:
    """Single words of better-profanity's list (MIT) that are offensive in code too, and their plurals."""
    told = (resources.files("better_profanity") / "profanity_wordlist.txt").read_text(encoding="utf-8")
    allowed = {word.lower() for group in _lists()["words"] for word in group["words"].split()}
    words = frozenset(word.lower() for word in told.split("\n") if re.fullmatch(r"\w{3,}", word)) - allowed
    return words | {f"{word}s" for word in words if len(word) > 3} - allowed


def offensive_in(token: str) -> list[str]:
    """Offensive words among those that a name is made of.

    >>> offensive_in("assert_classPassed")
    []
    """
    pieces = [part.lower() for part in _BETWEEN.split(token)]
    if not _RANDOM.search(token):
        pieces += [part.lower() for part in _PARTS.findall(token)]
    return sorted(offensive_words().intersection(pieces))


def offensive_marks(token: str) -> Marks:
    """The mark of an offensive token, for a ``TokenFilter``."""
    return _OFFENSIVE if offensive_in(token) else _NONE


def is_anybody(address: str) -> bool:
    """Whether an e-mail address is one that examples use."""
    name, _, domain = address.lower().partition("@")
    return (
        domain in _set("email_domains")
        or domain.startswith(("example.", "test."))
        or re.match(r"\w\.|\w\w\.\w\w$", domain) is not None
        or name.partition("+")[0].rstrip("0123456789") in _set("email_names")
    )


def is_test_value(value: str) -> bool:
    """Whether a value that is given as a secret says that it is none, or is too plain to be one."""
    plain = value.lower()
    if len(value) < 8 or len(set(value)) < 6 or any(part in plain for part in _set("secret_parts")):
        return True
    return re.fullmatch(r"[A-Za-z_ .,|()\[\]]+", value) is not None or not re.search(r"[A-Za-z]", value)
