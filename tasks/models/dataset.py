"""Rows of the dataset: labelled triplets, and what curation found about them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.models.sourcing import Call, Provenance, Rating
from tasks.models.vocabulary import Difficulty, Row, Split, Tier, Verdict


class TestInfo(Row):
    """An entry point that the tests really use (KodCode lists every function, helpers included)."""

    docstring: str
    function_declaration: str
    function_name: str
    parameter_list: str


class Trial(Row):
    """One attempt as released. ``test_result`` is the verdict, or the reject reason of the reply."""

    file_source: str
    solution_code: str
    test_code: str
    test_coverage: float | None
    test_result: str
    response_id: str


class Metadata(Row):
    original_instruction: str
    prompt_id: str
    row_id: int
    seed_ids: list[str]


class Lineage(Row):
    """From a released row back to everything that made it."""

    method: str
    sources: list[Provenance]
    libraries: list[str]
    operator: str
    question_call: Call
    contract_call: Call | None
    rating: Rating | None
    solution_call: Call
    sandbox_backend: str
    sandbox_image: str
    integrity_tier: Tier
    control: Verdict | None
    tests_passed: list[str]


class Triplet(Row):
    """A verified question, solution and tests: the columns of KodCode-V1 plus lineage."""

    version: str
    style: Literal["instruct", "complete", "online_judge"]
    subset: str
    question_id: str
    question: str
    solution: str
    test: str
    test_info: list[TestInfo]
    gpt_pass_sequence: list[int]
    gpt_pass_trial_num: int
    gpt_difficulty: Difficulty
    gpt_pass_percentage: float
    trials: list[Trial]
    chosen_trial: int = Field(description="1-based position in `trials`.")
    statement_coverage: float | None
    branch_coverage: float | None
    metadata: Metadata
    licence: str = Field(description="SPDX expression over the seeds' licences.")
    lineage: Lineage


class DuplicateDecision(Row):
    """What deduplication found about one triplet. A representative names itself."""

    question_id: str
    representative: str
    kind: Literal["", "exact", "near"]
    similarity: float


class ReleaseRow(Triplet):
    """A triplet that stays in the dataset, with what curation found."""

    split: Split
    benchmark_similarity: float = Field(
        description="Largest share of one benchmark item's n-grams that the row contains, 0 to 1."
    )
    benchmark_item: str
    benchmark_span: str
    duplicates: list[str] = Field(description="Question ids of the rows that this one stands for.")
    filter_reason: str = Field(description="Why the row is in `use_with_caution`; empty in `train`.")
