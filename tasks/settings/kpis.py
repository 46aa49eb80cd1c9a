"""The numbers that a team decides on, and what they should be."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from tasks.settings.section import Section


class KpiName(StrEnum):
    # what comes of questions
    YIELD = "yield"
    TRAIN_YIELD = "train_yield"
    VERIFIED = "verified"
    ATTEMPTS_PASSED = "attempts_passed"
    CONVERTED = "converted"
    # what it takes
    TOKENS_PER_ROW = "tokens_per_row"
    USD_PER_ROW = "usd_per_row"
    SANDBOX_S_PER_ROW = "sandbox_s_per_row"
    HOURS = "hours"
    # the tests
    MUTATION_SCORE = "mutation_score"
    BRANCH_COVERAGE = "branch_coverage"
    ASSERTS_PER_TEST = "asserts_per_test"
    FLAKY = "flaky"
    # what curation found
    DUPLICATES = "duplicates"
    CONTAMINATED = "contaminated"
    UNSAFE = "unsafe"
    # how hard it is
    EASY = "easy"
    MEDIUM = "medium"
    HARD = "hard"
    SOLVER_PASSED = "solver_passed"
    SOLVER_AGREEMENT = "solver_agreement"
    RESPONSES_PASSED = "responses_passed"
    ROWS_ANSWERED = "rows_answered"
    # what it is good for
    GAIN = "gain"


class Target(Section):
    """What a number should be: a bound, or one on either side."""

    at_least: float | None = Field(None, description="The number, or more.")
    at_most: float | None = Field(None, description="The number, or less.")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least is {self.at_least:g}, which is more than at_most, {self.at_most:g}")
        return self


class Kpis(Section):
    """What `kodforge kpis` shows, and a build at its end."""

    targets: dict[KpiName, Target] = Field(
        {}, description="What the numbers should be, as in {yield: {at_least: 0.3}, usd_per_row: {at_most: 0.02}}."
    )
    against: str = Field(
        "", description="What a build is compared with: a run in the same store, or a JSON file of `kodforge kpis`."
    )
    experiment: str = Field(
        "", description="results.json of an experiment that was trained on the release, for `gain`. Empty: not known."
    )
    recipe: str = Field("", description="Of the experiment, for `gain`. Empty: the first one.")
