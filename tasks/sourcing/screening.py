"""What must not reach a teacher: secrets and personal data in seeds of the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from tasks.models import RejectReason
from tasks.scanners import Found
from tasks.scanners.personal import check_presidio, find_accounts, find_emails, find_phones
from tasks.scanners.secrets import find_secrets


def check_screening() -> None:
    """Raises:
    BadInput: the scanners are not installed.
    """
    check_presidio()


def _told(found: Iterable[Found]) -> str:
    """A kind and a line each, never the thing itself."""
    return "; ".join(f"{kind} in line {line}" for line, kind in sorted({(one.line, one.kind) for one in found}))


def objection(text: str) -> tuple[RejectReason, str] | None:
    """Why a text may not be shown to a teacher, and where; None where nothing was found."""
    if secrets := _told(find_secrets(text, as_config=True)):
        return RejectReason.SECRET, secrets
    if data := _told(chain(find_emails(text), find_phones(text), find_accounts(text))):
        return RejectReason.PERSONAL_DATA, data
    return None
