"""Rows of the dataset: labelled triplets, and what curation found about them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.models.curation import BenchmarkHit, ContentFinding, Labels
from tasks.models.sourcing import Call, Provenance, Rating
from tasks.models.verification import ProgramRun
from tasks.models.vocabulary import Difficulty, Row, Split, Style, Tier


class TestInfo(Row):
    """An entry point that the tests really use (KodCode lists every function, helpers included)."""

    docstring: str
    function_declaration: str
    function_name: str
    parameter_list: str


class Measure(Row):
    """One thing that was measured of an attempt, and what followed from it. Of each, more is better."""

    check: str = Field(description="A gate's name, as in the config.")
    value: float | None = Field(description="None where it was not measured.")
    reject_below: float
    caution_below: float
    outcome: Literal["met", "caution", "rejected", "not measured"]
    why: str = Field(description="What was found, in words.")


class SolverRate(Row):
    """How often a solver that saw no tests passed the row's tests."""

    passes: int
    tries: int
    rate: float
    low: float = Field(description="Wilson interval of 95 %.")
    high: float
    difficulty: Difficulty | None = Field(description="The label by this rate; None where no try passed.")
    models: list[str]


class Trial(Row):
    """One attempt as released. ``test_result`` is the verdict, or the reject reason of the reply."""

    file_source: str
    solution_code: str
    test_code: str
    test_coverage: float | None
    test_result: str
    quality: list[Measure] = Field(description="Empty where the attempt did not pass.")
    mends: str = Field(description="The `file_source` of the trial whose wrong tests were mended; else empty.")
    response_id: str
    prompt_tokens: int
    completion_tokens: int


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
    converted_from: str = Field("", description="Id of the row that this one tells in another style; else empty.")
    conversion_call: Call | None = None
    conversion_mends: list[str] = Field([], description="What was changed in what the converter wrote, and why.")
    sandbox_backend: str
    sandbox_image: str
    integrity_tier: Tier
    tests_passed: list[str]


class Triplet(Row):
    """A verified question, solution and tests: the columns of KodCode-V1 plus lineage."""

    version: str
    style: Style
    subset: str
    question_id: str
    question: str
    solution: str
    test: str
    io: list[ProgramRun] = Field(default=[], description="Of an `online_judge` row, in place of `test`.")
    test_info: list[TestInfo]
    gpt_pass_sequence: list[int]
    gpt_pass_trial_num: int
    gpt_difficulty: Difficulty
    gpt_pass_percentage: float
    trials: list[Trial]
    chosen_trial: int = Field(description="1-based position in `trials`.")
    statement_coverage: float | None
    branch_coverage: float | None
    mutation_score: float | None
    quality: list[Measure] = Field(description="All that was measured of the chosen attempt.")
    solver: SolverRate | None = Field(description="None where no solver was asked, or its tries could not be judged.")
    metadata: Metadata
    licence: str = Field(description="SPDX expression over the seeds' licences.")
    lineage: Lineage


class ReleaseRow(Triplet):
    """A triplet that stays in the dataset, with what curation found."""

    split: Split
    group: str = Field("", description="Rows of one group are about the same task, or one of its near relatives.")
    benchmark_similarity: float = Field(description="Of the strongest of `benchmark_hits`, 0 to 1; 0 where none is.")
    benchmark_item: str = Field(description="`<benchmark>/<item>` of the strongest hit.")
    benchmark_span: str = Field(description="What the row has in common with it.")
    benchmark_hits: list[BenchmarkHit] = Field(description="The strongest first.")
    content: list[ContentFinding]
    labels: Labels
    duplicates: list[str] = Field(description="Question ids of the rows that this one stands for.")
    filter_reason: str = Field(description="Why the row is in `use_with_caution`; empty in `train`.")
