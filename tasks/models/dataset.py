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

    docstring: str = Field(description="Empty where it has none.")
    function_declaration: str = Field(description="As in `def f(x):`.")
    function_name: str = Field(description="As the tests import it.")
    parameter_list: str = Field(description="As in `(x)`; empty for a class.")


class Measure(Row):
    """One thing that was measured of an attempt, and what followed from it. Of each, more is better."""

    check: str = Field(description="A gate's name, as in the config.")
    value: float | None = Field(description="None where it was not measured.")
    reject_below: float = Field(description="Bound of the gate.")
    caution_below: float = Field(description="Bound of the gate.")
    outcome: Literal["met", "caution", "rejected", "not measured"] = Field(description="By value and bounds.")
    why: str = Field(description="What was found, in words.")


class SolverRate(Row):
    """How often a solver that saw no tests passed the row's tests."""

    passes: int = Field(description="Tries that passed.")
    tries: int = Field(description="Tries that were judged.")
    rate: float = Field(description="Passes by tries.")
    low: float = Field(description="Wilson interval of 95 %.")
    high: float = Field(description="Its other end.")
    difficulty: Difficulty | None = Field(description="The label by this rate; None where no try passed.")
    models: list[str] = Field(description="Who was asked.")


class Trial(Row):
    """One attempt as released. ``test_result`` is the verdict, or the reject reason of the reply."""

    file_source: str = Field(description="Id of the attempt.")
    solution_code: str = Field(description="solution.py.")
    test_code: str = Field(description="test_solution.py.")
    test_coverage: float | None = Field(description="Share of the branches that the tests take.")
    test_result: str = Field(description="The verdict, or why the reply was rejected.")
    quality: list[Measure] = Field(description="Empty where the attempt did not pass.")
    mends: str = Field(description="The `file_source` of the trial whose wrong tests were mended; else empty.")
    response_id: str = Field(description="Key of the response cache.")
    prompt_tokens: int = Field(description="Of its call.")
    completion_tokens: int = Field(description="Of its call.")


class Metadata(Row):
    original_instruction: str = Field(description="The question before it was told in another style.")
    prompt_id: str = Field(description="`name@hash` of the template that asked for the question.")
    row_id: int = Field(description="0-based position within the subset.")
    seed_ids: list[str] = Field(description="What the prompt showed.")


class Lineage(Row):
    """From a released row back to everything that made it."""

    method: str = Field(description="A key of the catalogue's methods.")
    sources: list[Provenance]
    libraries: list[str] = Field(description="Requirements that its seeds name.")
    operator: str = Field(description="How the seed was evolved; empty where the subset has no operators.")
    question_call: Call
    contract_call: Call | None
    rating: Rating | None
    solution_call: Call
    converted_from: str = Field("", description="Id of the row that this one tells in another style; else empty.")
    conversion_call: Call | None = None
    conversion_mends: list[str] = Field([], description="What was changed in what the converter wrote, and why.")
    sandbox_backend: str = Field(description="`docker` or `bubblewrap`.")
    sandbox_image: str = Field(description="Digest of what ran.")
    integrity_tier: Tier
    tests_passed: list[str] = Field(description="Ids of the tests.")


class Triplet(Row):
    """A verified question, solution and tests: the columns of KodCode-V1 plus lineage."""

    version: str = Field(description="Of the schema, as in `kodforge-6`.")
    style: Style
    subset: str = Field(description="As in the catalogue.")
    question_id: str = Field(description="As in `Docs_00000003_I`.")
    question: str = Field(description="What is asked.")
    solution: str = Field(description="solution.py, as it ran.")
    test: str = Field(description="test_solution.py, as it ran.")
    io: list[ProgramRun] = Field(default=[], description="Of an `online_judge` row, in place of `test`.")
    test_info: list[TestInfo]
    gpt_pass_sequence: list[int] = Field(description="1 for each attempt that passed its own tests, else 0.")
    gpt_pass_trial_num: int = Field(description="How many passed.")
    gpt_difficulty: Difficulty
    gpt_pass_percentage: float = Field(description="Share that passed, 0 to 1.")
    trials: list[Trial]
    chosen_trial: int = Field(description="1-based position in `trials`.")
    statement_coverage: float | None = Field(description="Share, 0 to 1.")
    branch_coverage: float | None = Field(description="Share, 0 to 1.")
    mutation_score: float | None = Field(description="Share of the mutants that the tests catch.")
    quality: list[Measure] = Field(description="All that was measured of the chosen attempt.")
    solver: SolverRate | None = Field(description="None where no solver was asked, or its tries could not be judged.")
    metadata: Metadata = Field(description="Ids that lead back.")
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
    filter_reason: str = Field(
        description="Why the row is in `use_with_caution`. In `train` empty, or who accepted it over which objections."
    )
