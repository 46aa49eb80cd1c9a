"""What must not reach a teacher: secrets (detect-secrets) and personal data (Presidio's patterns), found line by line.

Both are extras of kodforge, needed only where a subset's seeds are screened.
"""

from __future__ import annotations

import importlib.util
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tasks.errors import BadInput
from tasks.models import RejectReason

_SURE = 0.4
"""Presidio's score from which a match counts."""


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
    from detect_secrets.core.secrets_collection import SecretsCollection  # noqa: PLC0415 - an extra
    from detect_secrets.settings import default_settings  # noqa: PLC0415

    # It reads files only: which lines of one are code, and with which quotes, it tells by the name.
    with tempfile.TemporaryDirectory(prefix="kodforge-") as folder, default_settings():
        path = Path(folder) / "seed.py"
        path.write_text(text, encoding="utf-8", errors="replace")
        found = SecretsCollection()
        found.scan_file(str(path))
        return sorted({f"{secret.type} in line {secret.line_number}" for _, secret in found})


def find_personal_data(text: str) -> list[str]:
    """What personal data a text holds: a kind and a line each, never the data."""
    found = set()
    for recognizer in _recognizers():
        for match in recognizer.analyze(text, recognizer.supported_entities, None) or []:
            if match.score >= _SURE:
                kind = match.entity_type.replace("_", " ").lower()
                found.add(f"{kind} in line {text.count(chr(10), 0, match.start) + 1}")
    return sorted(found)


def objection(text: str) -> tuple[RejectReason, str] | None:
    """Why a text may not be shown to a teacher, and where; None where nothing was found."""
    if secrets := find_secrets(text):
        return RejectReason.SECRET, "; ".join(secrets)
    if data := find_personal_data(text):
        return RejectReason.PERSONAL_DATA, "; ".join(data)
    return None
