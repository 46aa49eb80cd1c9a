"""Rows as what a model is asked and what it answers, in the two forms that trainers read."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

CONVERSATIONS = pa.list_(pa.struct([pa.field("from", pa.string()), pa.field("value", pa.string())]))
"""KodCode's and ShareGPT's: turns of `human` and `gpt`."""
MESSAGES = pa.list_(pa.struct([pa.field("role", pa.string()), pa.field("content", pa.string())]))
"""OpenAI's: turns of `user` and `assistant`."""
_ROLES = {"user": "human", "assistant": "gpt"}
_TICKS = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)
_TAGS = re.compile(r"</?think>")

Message = dict[str, str]


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def conversation(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages as ``CONVERSATIONS``."""
    return [{"from": _ROLES[one["role"]], "value": one["content"]} for one in messages]


def fenced(code: str) -> str:
    """Code as an answer: a fenced block of Python. Its fence is longer than any that the code holds."""
    fence = "`" * max([3, *(len(found) + 1 for found in _TICKS.findall(code))])
    return f"{fence}python\n{code.rstrip()}\n{fence}"


def thought(reasoning: str, answer: str) -> str:
    """An answer after its reasoning, as reasoning models write it; the answer alone where there is no reasoning.

    Reasoning that names the tags loses them, else a reader would take its rest for the answer.
    """
    reasoning = _TAGS.sub("", reasoning).strip()
    return f"<think>\n{reasoning}\n</think>\n\n{answer}" if reasoning else answer
