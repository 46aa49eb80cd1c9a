"""From what a model wrote to the program that is judged."""

from __future__ import annotations

from tasks.extraction.code import code_in
from tasks.models import Style
from tasks.syntax import MOST_READ
from tasks.teachers.replies import split_reasoning


def program_of(text: str, style: Style, question: str) -> tuple[str, str]:
    """(program, why there is none) of a completion: what was thought is left out.

    A text of more than ``MOST_READ`` characters is not read: hardly any answer is as long, and a policy that repeats
    itself would hold up its own training.
    """
    if len(text) > MOST_READ:
        return "", f"the completion has {len(text):,} characters, read are at most {MOST_READ:,}"
    _, answer = split_reasoning(text)
    found = code_in(answer, question, style)
    if not found and not answer.strip():
        return "", "the completion ended within its reasoning" if text.strip() else "the completion is empty"
    return found, "" if found else "the completion holds no code"
