"""What must not reach a teacher: secrets (detect-secrets) and personal data (Presidio's patterns), found line by line.

Both are extras of kodforge, needed only where a subset's seeds are screened.
"""

from __future__ import annotations

import importlib.util
import re
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

from tasks.errors import BadInput
from tasks.models import RejectReason

_SURE = 0.4
"""Presidio's score from which a match counts."""
_GIVEN = re.compile(
    r"""(?i)(secret|token|passw(or)?d|pwd|api_?key)\w*['"]?\s*[:=,]\s*[bfru]{0,2}(?P<quote>['"])[^'"\s]{8,}(?P=quote)"""
)
"""A literal given to something called a secret, in ways that detect-secrets does not read: bytes, defaults."""
_BEARER = re.compile(r"\bBearer [\w.~+/-]{20,}")
_DIGEST = re.compile(r"(?i)checksum|sha\d|md5|digest|hash")
_NOBODY = re.compile(r"(^|\.)example\.(com|org|net)$|\.(test|invalid|example|local)$")
_ONE_AT_A_TIME = threading.Lock()
"""The settings of detect-secrets are the process's."""


def check_screening() -> None:
    """Raises:
    BadInput: the scanners are not installed.
    """
    missing = [name for name in ("detect_secrets", "presidio_analyzer") if importlib.util.find_spec(name) is None]
    if missing:
        raise BadInput(
            f"seeds of your own are screened for secrets and personal data, and {', '.join(missing)} is not installed. "
            f"Install it: pip install 'kodforge[screening]'"
        )


@cache
def _recognizers() -> list[Any]:
    from presidio_analyzer import PatternRecognizer  # noqa: PLC0415 - an extra, and slow to import
    from presidio_analyzer.predefined_recognizers import (  # noqa: PLC0415
        CreditCardRecognizer,
        EmailRecognizer,
        IbanRecognizer,
        PhoneRecognizer,
    )

    # Presidio's own check of addresses fetches a list of domains from the network; its pattern alone does not.
    email = PatternRecognizer(supported_entity="EMAIL_ADDRESS", patterns=EmailRecognizer.PATTERNS)
    # Without a region only numbers with a country's code count: code is full of digits.
    return [email, CreditCardRecognizer(), IbanRecognizer(), PhoneRecognizer(supported_regions=[None])]


def find_secrets(text: str) -> list[str]:
    """What secrets a text holds: a kind and a line each, never the secret."""
    lines = text.split("\n")
    found = {(number, kind) for number, kind in _scanned(text) if not _is_digest(kind, lines[number - 1])}
    for number, line in enumerate(lines, 1):
        if _GIVEN.search(line) or _BEARER.search(line):
            found.add((number, "Secret Keyword"))
    return [f"{kind} in line {number}" for number, kind in sorted(found)]


def _scanned(text: str) -> set[tuple[int, str]]:
    """(line, kind) of what detect-secrets finds, in the text as code and as configuration: it reads each kind of file
    by rules of its own. Comments that tell it to look away are those of the text's author, and not heeded."""
    from detect_secrets.core.secrets_collection import SecretsCollection  # noqa: PLC0415 - an extra
    from detect_secrets.settings import default_settings  # noqa: PLC0415

    found = set()
    with _ONE_AT_A_TIME, tempfile.TemporaryDirectory(prefix="kodforge-") as folder, default_settings() as settings:
        settings.disable_filters("detect_secrets.filters.allowlist.is_line_allowlisted")
        for name in ("seed.py", "seed.yaml"):
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8", errors="replace")
            secrets = SecretsCollection()
            secrets.scan_file(str(path))
            found |= {(secret.line_number, secret.type) for _, secret in secrets}
    return found


def _is_digest(kind: str, line: str) -> bool:
    return "Entropy" in kind and _DIGEST.search(line) is not None


def find_personal_data(text: str) -> list[str]:
    """What personal data a text holds: a kind and a line each, never the data."""
    found = set()
    for recognizer in _recognizers():
        for match in recognizer.analyze(text, recognizer.supported_entities, None) or []:
            if match.score >= _SURE and not _is_code(match.entity_type, text, match.start, match.end):
                kind = match.entity_type.replace("_", " ").lower()
                found.add((text.count("\n", 0, match.start) + 1, kind))
    return [f"{kind} in line {number}" for number, kind in sorted(found)]


def _is_code(kind: str, text: str, start: int, end: int) -> bool:
    """Whether a match is a number with a fraction, a product of matrices, or the address of nobody or a repository."""
    if kind == "CREDIT_CARD":
        return re.search(r"[\d.]$", text[:start]) is not None
    if kind == "EMAIL_ADDRESS":
        name, _, domain = text[start:end].partition("@")
        end_of = domain.rpartition(".")[2]
        return name == "git" or not re.fullmatch(r"[a-z]{2,}", end_of) or _NOBODY.search(domain) is not None
    return False


def objection(text: str) -> tuple[RejectReason, str] | None:
    """Why a text may not be shown to a teacher, and where; None where nothing was found."""
    if secrets := find_secrets(text):
        return RejectReason.SECRET, "; ".join(secrets)
    if data := find_personal_data(text):
        return RejectReason.PERSONAL_DATA, "; ".join(data)
    return None
