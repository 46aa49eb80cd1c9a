"""Whether words may be told: what is said of a finding must not hold the secret beside it."""

from __future__ import annotations

from tasks.scanners.personal import find_emails, find_phones
from tasks.scanners.secrets import find_secrets


def may_be_told(text: str) -> bool:
    """Whether a short text holds no secret and nothing personal, read as it stands and as a literal of code."""
    secret = find_secrets(text, as_config=True) or find_secrets(repr(text))
    return not (secret or any(find_emails(text)) or any(find_phones(text)))
