"""Errors as they may be shown: one line, without keys, passwords or what was asked of a teacher."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

HIDDEN = "***"
LONGEST = 600
"""Characters of a cause: enough for a message of kodforge's with an address and what to do."""

_SECRET_NAME = re.compile(r"(?i)(?:key|token|secret|passw(?:or)?d|pwd|credentials?|auth(?:_string)?)$")
_SHORTEST = 8
"""Of what a variable with such a name holds; shorter values would hide ordinary words."""
_PATTERNS = (
    (re.compile(r"(?<=://)[^\s/@:]*:[^\s@]+(?=@)"), HIDDEN),  # the login of a URL
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"(?i)\b((?:api[_-]?key|access[_-]?key|secret|token|password|passwd|signature|sig)['\"]?\s*[=:]\s*['\"]?)"
            r"[^\s'\",&;)]{6,}"
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"\b(?:sk|pk|rk)-[\w-]{16,}|\bhf_\w{16,}|\bgh[pousr]_\w{20,}|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), HIDDEN),
)
_known: set[str] = set()


def remember(secret: object) -> None:
    """Have a key that was read from elsewhere than the environment hidden, too; of a mapping, all of its texts."""
    if isinstance(secret, Mapping):
        for one in secret.values():
            remember(one)
    elif isinstance(secret, str) and len(secret) >= _SHORTEST:
        _known.add(secret)


def hider() -> Callable[[str], str]:
    """``without_known`` for many texts: what is secret is looked up once."""
    held = {value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= _SHORTEST}
    secrets = sorted(held | _known, key=len, reverse=True)

    def hide(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return text

    return hide


def without_known(text: str) -> str:
    """A text without what this process knows to be secret; apart from that it is as it was, programs too."""
    return hider()(text)


def redacted(text: str) -> str:
    """A text without what this process knows to be secret, and without what looks like it."""
    text = without_known(text)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def one_line(text: str, longest: int = LONGEST) -> str:
    """A text in one redacted line of a bounded length."""
    line = " ".join(redacted(text[: 20 * longest]).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def cause(error: BaseException) -> str:
    """What an error says, after its kind: ``TeacherUnavailable: http://host/v1 cannot be reached``."""
    told = one_line(str(error))
    return f"{type(error).__name__}: {told}" if told else type(error).__name__


def redact(error: BaseException) -> None:
    """Take secrets out of an error and of those it came from, before Prefect logs and keeps them."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        args = tuple(redacted(part) if isinstance(part, str) else part for part in one.args)
        if args != one.args:
            one.args = args
        one = one.__cause__ or one.__context__
