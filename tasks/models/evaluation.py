"""Rows of an evaluation: the items of a benchmark, what a model answered, what the sandbox made of it."""

from __future__ import annotations

from pydantic import Field

from tasks.models.sourcing import Call
from tasks.models.verification import ProgramRun
from tasks.models.vocabulary import Row, Style, Tier, Verdict


class EvalItem(Row):
    """One item of a benchmark, whatever format it was read from."""

    id: str = Field(description="As the benchmark names it.")
    prompt: str = Field(description="What a model is asked: a task in words, or code to be completed.")
    style: Style
    stub: str = Field(description="Code that an answer may go on from, or take for granted; empty where none is given.")
    entry_point: str = Field(description="Function or class that the tests use; empty for a program.")
    test: str = Field(description="A pytest file that imports from `solution`; empty where `io` judges.")
    io: list[ProgramRun]
    canonical_solution: str = Field(description="As an answer: whole code, or what follows `stub`; may be empty.")
    libraries: list[str] = Field(description="Top-level modules beside the standard library that it names.")
    difficulty: str = Field(description="As the benchmark has it; empty where it tells none.")
    date: str = Field(description="ISO date of publication; empty where none is told.")
    topic: str = Field(description="As the benchmark has it; empty where it tells none.")


class EvalAnswer(Row):
    """One sample of a model at one item."""

    answer_id: str = Field(description="`<item>/<number>`")
    item_id: str = Field(description="As the benchmark names it.")
    number: int = Field(description="1-based.")
    text: str = Field(description="What it said after it had thought.")
    finish_reason: str = Field(description="As the endpoint says.")
    code: str = Field(description="What is run; empty where the answer holds no code.")
    call: Call


class EvalVerdict(Row):
    """What the tests of an item make of one sample."""

    answer_id: str = Field(description="`<item>/<number>`")
    item_id: str = Field(description="As the benchmark names it.")
    passed: bool = Field(description="Whether the answer counts as right.")
    verdict: Verdict | None = Field(description="None where the answer holds no code.")
    reason: str = Field(description="One sentence: why this verdict.")
    integrity_tier: Tier | None
    wall_s: float = Field(description="Seconds.")
    backend: str = Field(description="`docker` or `bubblewrap`.")
    image: str = Field(description="Digest of what ran.")


class Failure(Row):
    """What a model got wrong, as the subset Feedback reads it."""

    id: str = Field(description="Of the item or the row.")
    prompt: str = Field(description="What was asked.")
    answer: str = Field(description="What the model wrote.")
    expected: str = Field(description="Why it failed, and a solution that passes.")
    topic: str = Field(description="Empty where none is told.")
