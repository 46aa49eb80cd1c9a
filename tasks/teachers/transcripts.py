"""The demo teacher's transcripts: which written reply answers which request."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from tasks.packaged import packaged_yaml
from tasks.teachers import conversions, reasoned
from tasks.teachers.replies import clean_question

NO_TRANSCRIPT = (
    "I am kodforge's demo teacher and answer from transcripts only; there is none for this prompt. "
    "Use the demo profile's seeds, or another endpoint."
)
_RATES, _NAMES, _SOLVES, _TESTS = '"quality"', "<|Signature Begin|>", "<|Solution Begin|>", "<|Test Begin|>"
"""What of the prompts tells what is asked about a question: a rating, a signature, a solution, tests."""
_STUB, _DRIVER = "<|Completion Begin|>", "<|Driver Begin|>"
"""The same of its other styles: as a stub, as a program."""
_TAG = "<|"
"""Begins each section that a reply should have. A prompt that asks for none is for one that reasons."""


@dataclass(frozen=True)
class Reply:
    """What the server sends: a text, or an HTTP error where ``status`` is not 200.

    ``reasoning`` goes beside the text, as ``reasoning_content``.
    """

    text: str
    finish_reason: str = "stop"
    status: int = 200
    reasoning: str = ""


def _pair_reply(entry: dict[str, Any], attempt: dict[str, Any]) -> str:
    if "reply" in attempt:
        return str(attempt["reply"])
    test = attempt.get("test") or next(other["test"] for other in entry["attempts"] if "test" in other)
    return (
        f"Here is a solution with its tests.\n\n"
        f"<|Solution Begin|>\n```python\n{attempt['solution']}```\n<|Solution End|>\n\n"
        f"<|Test Begin|>\n```python\n{test}```\n<|Test End|>\n"
    )


def _question_reply(entry: dict[str, Any]) -> Reply:
    if "error" in entry:
        return Reply(entry["error"]["message"], status=int(entry["error"]["status"]))
    if "reply" in entry:
        return Reply(str(entry["reply"]), entry.get("finish_reason", "stop"))
    analysis = f"<|Analysis Begin|>\n{entry['analysis']}<|Analysis End|>\n\n" if "analysis" in entry else ""
    return Reply(f"{analysis}<|Question Begin|>\n{entry['question']}<|Question End|>\n")


def _text_of(entry: dict[str, Any]) -> str:
    """What an entry without a seed says: a question, or another reply."""
    return str(entry["question"] if "question" in entry else entry["reply"]).strip()


def _rating_reply(entry: dict[str, Any]) -> Reply:
    rating = {"reason": "As the transcript says.", "quality": "good", "category": "Function Generation"}
    return Reply(json.dumps(rating | entry.get("rating", {})))


def _signature_reply(entry: dict[str, Any]) -> Reply:
    """The declaration that an entry gives, or that of the function or class which its first solution is about."""
    if "signature" in entry:
        return Reply(f"<|Signature Begin|>\n{entry['signature']}\n<|Signature End|>\n")
    attempt = next(one for one in entry["attempts"] if "solution" in one)
    imported = re.search(r"^from solution import (\w+)", _pair_reply(entry, attempt), re.MULTILINE)
    assert imported is not None
    found = re.search(
        rf"^((?:async )?(?:def|class) {imported[1]}\b.*?):\n", attempt["solution"], re.MULTILINE | re.DOTALL
    )
    assert found is not None
    return Reply(f"<|Signature Begin|>\n{found[1]}: ...\n<|Signature End|>\n")


def _solver_reply(entry: dict[str, Any], seed: int) -> Reply:
    """What the entry gives for solvers, else the solutions of its attempts in turn."""
    solutions = entry.get("solver") or [one["solution"] for one in entry["attempts"] if "solution" in one]
    return Reply(f"<|Solution Begin|>\n```python\n{solutions[seed % len(solutions)]}```\n<|Solution End|>\n")


def _tests_reply(entry: dict[str, Any]) -> Reply:
    """The tests that an entry gives for those who ask for better ones."""
    if "mended" not in entry:
        return Reply("I can see nothing wrong with these tests.")
    return Reply(f"<|Test Begin|>\n```python\n{entry['mended']}```\n<|Test End|>\n")


class Transcripts:
    """Replies by request.

    Args:
        entries: dicts with ``id``; ``prefix`` or ``match``; ``question`` and ``attempts``, or ``reply``, or ``error``;
            perhaps ``rating``, ``signature``, ``solver`` (a list of solutions), ``mended`` (tests) and ``reasoned`` (a
            list of dicts with perhaps ``thoughts``, ``solution`` or ``text``, and ``finish_reason``), the answers to
            further calls about that question. An entry with ``of`` adds to that one what it is in other styles:
            ``completion``, a stub; ``problem``, a reply or a dict with ``statement``, ``driver`` and ``inputs``.
    """

    def __init__(self, entries: Iterable[dict[str, Any]]) -> None:
        self._by_prefix: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._by_match: list[dict[str, Any]] = []
        self._by_question: dict[str, dict[str, Any]] = {}
        self._by_telling: dict[str, tuple[dict[str, Any], str]] = {}
        told = list(entries)
        others = {one["of"]: one for one in told if "of" in one}
        for own in (one for one in told if "of" not in one):
            entry = {**others.get(own["id"], {}), **own}
            if "prefix" in entry:
                self._by_prefix[entry["prefix"]].append(entry)
                self._by_question[clean_question(_text_of(entry))] = entry
            else:
                self._by_match.append(entry)
            if "question" in entry:
                self._by_question[clean_question(entry["question"])] = entry
            if "attempts" in entry:
                self._by_telling.update({text: (entry, driver) for text, driver in reasoned.tellings(entry).items()})
        self._by_question.pop("", None)

    def complete(self, prompt: str, seed: int) -> Reply:
        """The rest of an open user turn, by the longest known prefix that it ends in; the empty one is one."""
        for prefix in sorted(self._by_prefix, key=len, reverse=True):
            if prompt.endswith(prefix):
                entries = self._by_prefix[prefix]
                entry = entries[seed % len(entries)]
                return Reply(_text_of(entry).removeprefix(prefix), entry.get("finish_reason", "stop"))
        return Reply(NO_TRANSCRIPT)

    def chat(self, prompt: str, seed: int) -> Reply:
        """The reply to a chat: about a known question that it holds, else a question for its seed."""
        if _TAG not in prompt and _RATES not in prompt and (found := self._reasoned(prompt, seed)):
            return found
        asked = max((question for question in self._by_question if question in prompt), key=len, default=None)
        if asked is not None:
            entry = self._by_question[asked]
            if _STUB in prompt:
                return Reply(conversions.completion(entry, prompt))
            if _DRIVER in prompt:
                return Reply(conversions.problem(entry))
            if _RATES in prompt:
                return _rating_reply(entry)
            if _NAMES in prompt:
                return _signature_reply(entry)
            if _TESTS not in prompt:
                return _solver_reply(entry, seed)
            if _SOLVES not in prompt:
                return _tests_reply(entry)
            return Reply(_pair_reply(entry, entry["attempts"][seed % len(entry["attempts"])]))
        places = [(prompt.find(entry["match"]), -len(entry["match"]), entry["id"], entry) for entry in self._by_match]
        place = min((place for place in places if place[0] >= 0), default=None, key=lambda place: place[:3])
        return _question_reply(place[3]) if place else Reply(NO_TRANSCRIPT)

    def _reasoned(self, prompt: str, seed: int) -> Reply | None:
        """The answer to a task in any style, after some thought; None to a prompt that holds no known one."""
        asked = reasoned.flat(prompt)
        told = max((text for text in self._by_telling if text in asked), key=len, default=None)
        if told is None:
            return None
        text, thoughts, finish_reason = reasoned.reply(*self._by_telling[told], seed)
        return Reply(text, finish_reason, reasoning=thoughts)


@cache
def packaged() -> Transcripts:
    """The transcripts that come with kodforge."""
    return Transcripts(entry for entries in packaged_yaml("tasks.teachers", "transcripts") for entry in entries)
