"""Rows from seeds to questions."""

from __future__ import annotations

from pydantic import Field

from tasks.models.vocabulary import Row


class Provenance(Row):
    """Where a seed comes from. ``licence`` is an SPDX id, or ``LicenseRef-unknown``."""

    origin: str = Field(description="Package, data set, file or repository.")
    version: str = Field(description="Of the package, or the commit; empty where there is none.")
    path: str = Field(description="The place within it.")
    licence: str = Field(description="SPDX expression, or `LicenseRef-unknown`.")


class Seed(Row):
    seed_id: str = Field(description="Unique within the run.")
    subset: str = Field(description="As in the catalogue.")
    text: str = Field(description="The page, the code, the question, or the prefix of an open user turn.")
    title: str = Field(description="What identifies the seed to a reader: a path, a qualified name, a title.")
    topic: str = Field("", description="What quotas count: a folder, a tag, a module; empty where nothing tells.")
    context: str = Field("", description="What the prompt tells beside the text: conventions, a wrong answer.")
    libraries: list[str] = Field([], description="Requirements (`name==version`) that its solutions may need.")
    reference: str = Field("", description="Python code that solves it: the snippet, or the data set's solution.")
    source: Provenance


class SeedGroup(Row):
    """The seeds of one prompt: one row asks the teacher for one question."""

    question_id: str = Field(description="Of the question that is asked for.")
    subset: str = Field(description="As in the catalogue.")
    number: int = Field(description="0-based position within the subset; also offsets the sampling seed.")
    operator: str = Field("", description="How the seed is to be evolved; empty where the subset has no operators.")
    seeds: list[Seed] = Field(description="What the prompt shows.")


class Call(Row):
    """One answered teacher call, as lineage: with it the answer is found again in the response cache."""

    response_id: str = Field(description="Key of the response cache; empty where no teacher was asked.")
    model: str = Field(description="As the endpoint names it.")
    template: str = Field(description="`name@hash` of the prompt template.")
    sampling: str = Field(description="Sampling parameters as canonical JSON, the seed included.")
    prompt_tokens: int = Field(description="As the endpoint counts them.")
    completion_tokens: int = Field(description="As the endpoint counts them, reasoning included.")


class Rating(Row):
    """What the rater said of a question."""

    quality: str = Field(description="The grade, as in `good`.")
    category: str = Field(description="The kind of task, as in `Function Generation`.")
    call: Call


class Question(Row):
    question_id: str = Field(description="As in `Docs_00000003_I`.")
    subset: str = Field(description="As in the catalogue.")
    method: str = Field(description="How it was synthesised: a key of the catalogue's methods.")
    number: int = Field(description="0-based position within the subset.")
    operator: str = Field("", description="How the seed was evolved; empty where the subset has no operators.")
    question: str = Field(description="What is asked, the signature that was added included.")
    contract: list[str] = Field(
        default=[], description="Signatures that it states, or `stdin/stdout`; empty where it need not state any."
    )
    seeds: list[Seed] = Field(description="What the prompt showed.")
    call: Call
    contract_call: Call | None = Field(None, description="The call that completed the contract, where one was needed.")
    rating: Rating | None = None
