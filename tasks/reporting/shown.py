"""Texts as a report may show them: what curation would hold back as secret or personal is left out, of any row."""

from __future__ import annotations

from tasks.curation.content.scan import scan
from tasks.curation.texts import RowTexts
from tasks.redaction import redacted
from tasks.settings.content import Content

_PRIVATE = ("secret", "password", "email", "phone")
"""Rules of content."""
_LONGEST = 1_500
"""Characters of a text."""


def private_in(text: str) -> str:
    """What is found in a text that is not to be passed on, as a rule of content; empty where nothing is."""
    (found,) = scan([RowTexts("", text)], Content()) if text else ([],)
    return next((one.rule for one in found if one.rule in _PRIVATE), "")


def shown(text: str, longest: int = _LONGEST) -> str:
    """The beginning of a text, and how much is left out; where something private is in it, only that."""
    if rule := private_in(text):
        return f"(not shown: {rule})"
    # What this process knows to be secret may be cut in two by the end.
    start = redacted(text[: 2 * longest])[:longest]
    return start if len(text) <= longest else f"{start}\n… {len(text) - longest:,} characters more"


def in_one_line(text: str, longest: int) -> str:
    """A text as a label: its beginning in one line, under the same rule."""
    line = " ".join(shown(text, 4 * longest).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
