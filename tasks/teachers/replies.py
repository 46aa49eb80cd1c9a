"""Reading replies: tolerant of what models really write, strict in what comes out."""

from __future__ import annotations

import re
from dataclasses import dataclass

SECTIONS = ("Analysis", "Question", "Solution", "Test", "Completion")
_TAG = re.compile(rf"<\|\s*({'|'.join(SECTIONS)})\s+(Begin|End)\s*\|>", re.IGNORECASE)
_FENCE = re.compile(r"^(`{3,}|~{3,})[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^\1[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_THINK = re.compile(r"\s*<think>(.*?)</think>", re.DOTALL)
_PYTHON = frozenset({"python", "py", "python3"})
_HEADING = re.compile(
    r"""^\s*(?:[#>*_\s]*)                                    # Markdown around it
        (?:(?:coding|programming|practice|new)\s+)?
        (?:question|problem|task|exercise|instruction)\s*
        (?:\#?\d+|[ivx]+)?\s*
        [*_]*\s*(?::|\.|-|\n|$)[*_]*\s*""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class Malformed:
    """A reply without what was asked for, and one sentence on what is missing."""

    reason: str


def split_reasoning(text: str) -> tuple[str, str]:
    """(reasoning, answer): a leading ``<think>`` block is reasoning."""
    if found := _THINK.match(text):
        return found.group(1).strip(), text[found.end() :].lstrip()
    return "", text


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def section(text: str, name: str) -> str | None:
    """What stands between the begin and end tags of a section, stripped; None where it has no begin tag.

    A missing end tag is forgiven: the section ends at the next tag or at the end of the text. Of several sections of
    one name the last begun one counts, since models that correct themselves write the section again.
    """
    text = _unix(text)
    tags = list(_TAG.finditer(text))
    found = None
    for position, tag in enumerate(tags):
        if tag.group(1).lower() == name.lower() and tag.group(2).lower() == "begin":
            end = tags[position + 1].start() if position + 1 < len(tags) else len(text)
            found = text[tag.end() : end].strip()
    return found


def code(text: str) -> str:
    """The code in a section: that of its Python fence, of its first fence where none is Python's, or the text itself.

    Ends in exactly one newline; empty where there is no code.
    """
    text = _unix(text)
    fences = [(match.group(2).lower(), match.group(3)) for match in _FENCE.finditer(text)]
    body = next((inner for language, inner in fences if language in _PYTHON), fences[0][1] if fences else text)
    body = body.strip("\n").rstrip()
    return f"{body}\n" if body.strip() else ""


def parse_pair(text: str) -> tuple[str, str] | Malformed:
    """Solution and tests of a reply, each as code. Whether they parse as Python is the sandbox's to say."""
    found = {}
    for name in ("Solution", "Test"):
        raw = section(text, name)
        if raw is None:
            return Malformed(f"the reply has no {name} section")
        found[name] = code(raw)
        if not found[name]:
            return Malformed(f"the {name} section is empty")
    return found["Solution"], found["Test"]


def clean_question(text: str) -> str:
    """The question without headings such as ``Question 3:`` or ``**Problem**`` in front; may be empty."""
    text = _unix(text).strip()
    while match := _HEADING.match(text):
        text = text[match.end() :].strip()
    return text


def abstained(text: str) -> bool:
    """Whether the teacher found the document unfit: it says ``BAD_DOCUMENT`` and asks no question."""
    return "BAD_DOCUMENT" in text and section(text, "Question") in (None, "", "BAD_DOCUMENT")
