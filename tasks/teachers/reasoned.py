"""How the demo teacher answers as a model that reasons: with the solutions of its transcripts, after a thought."""

from __future__ import annotations

import re
from typing import Any
from zlib import crc32

from tasks.teachers.replies import clean_question

_THOUGHTS = "I go through the rules of the task one by one, and write down the shortest program that keeps them all."
_DECLARATION = re.compile(r"^(?:async )?(?:def|class) .*$", re.MULTILINE)


def flat(text: str) -> str:
    """A text with single spaces: a stub has the question in a docstring, which is indented."""
    return " ".join(text.split())


def tellings(entry: dict[str, Any]) -> dict[str, str]:
    """What a prompt about an entry's task holds, in whatever style it asks: flat texts, and with each the driver that
    makes a program of a solution; empty where functions are asked for."""
    found = {flat(clean_question(entry["question"])): ""}
    if declared := _DECLARATION.search(entry.get("completion", "")):
        found[flat(declared[0])] = ""
    if isinstance(told := entry.get("problem"), dict):
        found[flat(told["statement"].split("\n\n")[0])] = told["driver"]
    found.pop("", None)
    return found


def reply(entry: dict[str, Any], driver: str, seed: int) -> tuple[str, str, str]:
    """Text, reasoning beside it, and finish reason: what the entry gives for models that reason, else the solutions of
    its attempts in turn.

    Servers differ in how they tell a thought, and so do the entries: in tags, in tags of which the chat template has
    the first one, or in a field of its own.
    """
    solutions = [one["solution"] for one in entry["attempts"] if "solution" in one]
    written = [{"solution": f"{one}\n\n{driver}" if driver else one} for one in solutions]
    if not driver:
        written = entry.get("reasoned", written)
    one = written[seed % len(written)]
    thoughts, finish_reason = one.get("thoughts", _THOUGHTS), one.get("finish_reason", "stop")
    text = one.get("text", f"Here is the program.\n\n```python\n{one.get('solution', solutions[0])}```\n")
    match crc32(str(entry["id"]).encode()) % 3:
        case 0:
            return text, thoughts, finish_reason
        case 1 if finish_reason == "stop":
            return f"{thoughts}\n</think>\n\n{text}", "", finish_reason
    return f"<think>\n{thoughts}\n</think>\n\n{text}" if text else f"<think>\n{thoughts}", "", finish_reason
