"""Rows from seeds to questions."""

from __future__ import annotations

from pydantic import Field

from tasks.models.vocabulary import Row


class Provenance(Row):
    """Where a seed comes from. ``licence`` is an SPDX id, or ``LicenseRef-unknown``."""

    origin: str
    version: str
    path: str
    licence: str


class Seed(Row):
    seed_id: str
    subset: str
    text: str = Field(description="The page, the code, the question, or the prefix of an open user turn.")
    title: str = Field(description="What identifies the seed to a reader: a path, a qualified name, a title.")
    topic: str = Field("", description="What quotas count: a folder, a tag, a module; empty where nothing tells.")
    context: str = Field("", description="What the prompt tells beside the text: conventions, a wrong answer.")
    libraries: list[str] = Field([], description="Requirements (`name==version`) that its solutions may need.")
    reference: str = Field("", description="Python code that solves it: the snippet, or the data set's solution.")
    source: Provenance


class SeedGroup(Row):
    """The seeds of one prompt: one row asks the teacher for one question."""

    question_id: str
    subset: str
    number: int = Field(description="0-based position within the subset; also offsets the sampling seed.")
    operator: str = Field("", description="How the seed is to be evolved; empty where the subset has no operators.")
    seeds: list[Seed]


class Call(Row):
    """One answered teacher call, as lineage: with it the answer is found again in the response cache."""

    response_id: str = Field(description="Key of the response cache; empty where no teacher was asked.")
    model: str
    template: str = Field(description="`name@hash` of the prompt template.")
    sampling: str = Field(description="Sampling parameters as canonical JSON, the seed included.")
    prompt_tokens: int
    completion_tokens: int


class Rating(Row):
    """What the rater said of a question."""

    quality: str
    category: str
    call: Call


class Question(Row):
    question_id: str
    subset: str
    method: str = Field(description="How it was synthesised: a key of the catalogue's methods.")
    number: int
    operator: str = ""
    question: str
    contract: list[str] = Field(
        default=[], description="Signatures that it states, or `stdin/stdout`; empty where it need not state any."
    )
    seeds: list[Seed]
    call: Call
    contract_call: Call | None = Field(None, description="The call that completed the contract, where one was needed.")
    rating: Rating | None = None
