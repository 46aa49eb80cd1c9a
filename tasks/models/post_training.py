"""Rows that are made of the curated ones: other styles, and what reasoning models answer."""

from __future__ import annotations

from pydantic import Field

from tasks.models.sourcing import Call
from tasks.models.verification import ProgramRun, TestOutcome
from tasks.models.vocabulary import Row, Split, Style, Tier, Verdict


class Placing(Row):
    """Where a row of a run goes, before anything is made of it."""

    question_id: str = Field(description="As in `Docs_00000003_I`.")
    group: str = Field(
        description="Id of the first row of its group. Of a group all rows are in `evaluation`, or none is."
    )
    split: Split


class Conversion(Row):
    """A row told in another style, as the converter gave it; nothing of it has run."""

    question_id: str = Field(description="That of the row it was made of, with the suffix of its style.")
    converted_from: str = Field(description="Id of the row it was made of.")
    subset: str = Field(description="As in the row it was made of.")
    style: Style
    question: str = Field(description="The stub, or the statement.")
    solution: str = Field(description="The completed stub, or the program.")
    test: str = Field(description="Empty for a program.")
    io: list[ProgramRun]
    driver: str = Field("", description="The end of an `online_judge` solution: reads, calls the rest, and prints.")
    examples: str = Field(description="A pytest file over the examples that the question gives; empty where none.")
    mends: list[str] = Field([], description="What was left out of the converter's text or added to it, and why.")
    call: Call


class Response(Row):
    """One try of a reasoning model at a row."""

    response_id: str = Field(description="`<question_id>/<reasoner>/<number>`")
    question_id: str = Field(description="Of the row that was asked.")
    subset: str = Field(description="As in the row.")
    style: Style
    reasoner: str = Field(description="Its name in the config.")
    number: int = Field(description="1-based.")
    text: str = Field(description="What it said after it had thought.")
    reasoning: str = Field(description="What it thought; empty where it tells none.")
    finish_reason: str = Field(description="As the endpoint says.")
    code: str = Field(
        description="The program in `text`, of a `complete` row joined to its stub, as it is run; empty for none."
    )
    call: Call


class Grade(Row):
    """What the tests of a row make of one response."""

    response_id: str = Field(description="`<question_id>/<reasoner>/<number>`")
    question_id: str = Field(description="Of the row that was asked.")
    passed: bool = Field(description="As written; under an alias only where the config accepts it.")
    verdict: Verdict | None = Field(description="As written; None where there is no code, or the reply was cut off.")
    reason: str = Field(description="One sentence: why this verdict.")
    integrity_tier: Tier | None = Field(description="As `tests` and `wall_s` of the run that `passed` goes by.")
    alias: str = Field(description="`wanted = own`, where its only function has another name; else empty.")
    alias_verdict: Verdict | None = Field(description="What it would be under that alias.")
    tests: list[TestOutcome] = Field(description="What each test came to.")
    wall_s: float = Field(description="Seconds.")
    sandbox_s: float = Field(description="Of all its runs; 0 where an earlier one had the same code and tests.")


class Candidate(Row):
    """A row that may go into the set for reinforcement learning, if its solution still passes."""

    question_id: str = Field(description="As in `Docs_00000003_I`.")
    subset: str = Field(description="As in the catalogue.")


class Reference(Row):
    """The solution of a candidate, run again: it passed."""

    question_id: str = Field(description="As in `Docs_00000003_I`.")
    verdict: Verdict
    integrity_tier: Tier
    wall_s: float = Field(description="Seconds.")
    backend: str = Field(description="`docker` or `bubblewrap`.")
    image: str = Field(description="Digest of what ran: the Docker image, or the bubblewrap environment.")
