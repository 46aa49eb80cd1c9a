"""Rows that are made of the curated ones: other styles, and what reasoning models answer."""

from __future__ import annotations

from pydantic import Field

from tasks.models.sourcing import Call
from tasks.models.verification import ProgramRun, TestOutcome
from tasks.models.vocabulary import Row, Split, Style, Tier, Verdict


class Placing(Row):
    """Where a row of a run goes, before anything is made of it."""

    question_id: str
    group: str = Field(description="Id of the first row of its group: rows of one group never lie in two splits.")
    split: Split


class Conversion(Row):
    """A row told in another style, as the converter gave it; nothing of it has run."""

    question_id: str = Field(description="That of the row it was made of, with the suffix of its style.")
    converted_from: str = Field(description="Id of the row it was made of.")
    subset: str
    style: Style
    question: str
    solution: str
    test: str
    io: list[ProgramRun]
    examples: str = Field(description="A pytest file over the examples that the question gives; empty where none.")
    call: Call


class Response(Row):
    """One try of a reasoning model at a row."""

    response_id: str = Field(description="`<question_id>/<reasoner>/<number>`")
    question_id: str
    subset: str
    style: Style
    reasoner: str = Field(description="Its name in the config.")
    number: int = Field(description="1-based.")
    text: str = Field(description="What it said after it had thought.")
    reasoning: str
    finish_reason: str
    code: str = Field(description="The program in `text`; empty where it holds none.")
    call: Call


class Grade(Row):
    """What the tests of a row make of one response."""

    response_id: str
    question_id: str
    passed: bool = Field(description="As written; under an alias only where the config accepts it.")
    verdict: Verdict | None = Field(description="As written; None where the response holds no code.")
    reason: str
    integrity_tier: Tier | None
    alias: str = Field(description="`wanted = own`, where its only function has another name; else empty.")
    alias_verdict: Verdict | None = Field(description="What it would be under that alias.")
    tests: list[TestOutcome]
    wall_s: float
    sandbox_s: float
