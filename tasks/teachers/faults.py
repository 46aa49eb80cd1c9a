"""What an unwelcome response means: try again, give up on this request, or stop the run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from tasks.teachers.limits import retry_after_s
from tasks.teachers.requests import Refused, WhyNot

REFUSED = frozenset({400, 413, 422})
MISCONFIGURED = frozenset({401, 402, 403, 404})
CONGESTED = frozenset({408, 429, 502, 503, 504, 529})
"""A server that says so has too much to do."""
TRIED_AGAIN = frozenset({408, 409, 425, 429})

_OVERFLOW = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,30}(tokens|length)|too many tokens|prompt is too long|"
    r"exceed\w* .{0,40}(context|n_ctx)|string_above_max_length",
    re.IGNORECASE | re.DOTALL,
)
_NO_CREDIT = re.compile(r"insufficient_quota|out of credit", re.IGNORECASE)
_SOON = re.compile(r"(try|retry)( again)? (in|after)\b", re.IGNORECASE)
"""Of limits by the minute, whose texts speak of quota and billing as well."""
_EVIDENCE = 2000


class Retry(Exception):
    """This try failed in a way that another may not.

    Attributes:
        kind: one or two words, for the count of errors.
        after_s: the pause that the server asks for.
        congested: the server has too much to do.
    """

    def __init__(self, kind: str, cause: str, after_s: float | None = None, congested: bool = False) -> None:
        super().__init__(cause)
        self.kind, self.after_s, self.congested = kind, after_s, congested


class Misconfigured(Exception):
    """No request can succeed as things are; carries the status."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


def check_status(status: int, headers: Mapping[str, str], text: str) -> Refused | None:
    """Go by a response's status; None for a 200.

    Args:
        text: the body, for what the status does not tell.

    Raises:
        Retry: another try may do.
        Misconfigured: no request can succeed.
    """
    if status == 200:
        return None
    if status == 429 and _NO_CREDIT.search(text) and not (retry_after_s(headers) is not None or _SOON.search(text)):
        raise Misconfigured(402)
    if status in MISCONFIGURED:
        raise Misconfigured(status)
    if status in REFUSED:
        why = WhyNot.CONTEXT_OVERFLOW if status == 413 or _OVERFLOW.search(text) else WhyNot.REFUSED
        return Refused(why=why, message=f"HTTP {status}: {_message(text)}")
    if status in TRIED_AGAIN or status >= 500:
        raise Retry(f"http {status}", f"HTTP {status}: {text[:200]}", retry_after_s(headers), status in CONGESTED)
    return Refused(why=WhyNot.REFUSED, message=f"HTTP {status}: {_message(text)}")


def _message(text: str) -> str:
    """What a body says on the error, where it is the protocol's object; else the body."""
    try:
        found = json.loads(text)["error"]
        message = found["message"] if isinstance(found, dict) else found
    except (ValueError, LookupError, TypeError):
        message = text
    return str(message)[:_EVIDENCE]
