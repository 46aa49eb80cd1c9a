"""Rows of an evaluation: the items of a benchmark, what a model answered, what the sandbox made of it."""

from __future__ import annotations

from pydantic import Field

from tasks.models.sourcing import Call
from tasks.models.verification import ProgramRun
from tasks.models.vocabulary import Row, Style, Tier, Verdict


class EvalItem(Row):
    """One item of a benchmark, whatever format it was read from."""

    id: str
    prompt: str = Field(description="What a model is asked: a task in words, or code to be completed.")
    style: Style
    stub: str = Field(description="Code that an answer may go on from, or take for granted; empty where none is given.")
    entry_point: str = Field(description="Function or class that the tests use; empty for a program.")
    test: str = Field(description="A pytest file that imports from `solution`; empty where `io` judges.")
    io: list[ProgramRun]
    canonical_solution: str = Field(description="As an answer: whole code, or what follows `stub`; may be empty.")
    libraries: list[str] = Field(description="Top-level modules beside the standard library that it names.")
    difficulty: str
    date: str = Field(description="ISO date of publication; empty where none is told.")
    topic: str


class EvalAnswer(Row):
    """One sample of a model at one item."""

    answer_id: str = Field(description="`<item>/<number>`")
    item_id: str
    number: int = Field(description="1-based.")
    text: str = Field(description="What it said after it had thought.")
    finish_reason: str
    code: str = Field(description="What is run; empty where the answer holds no code.")
    call: Call


class EvalVerdict(Row):
    """What the tests of an item make of one sample."""

    answer_id: str
    item_id: str
    passed: bool
    verdict: Verdict | None = Field(description="None where the answer holds no code.")
    reason: str
    integrity_tier: Tier | None
    wall_s: float
    backend: str
    image: str


class Failure(Row):
    """What a model got wrong, as the subset Feedback reads it."""

    id: str
    prompt: str
    answer: str
    expected: str
    topic: str
