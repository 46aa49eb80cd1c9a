"""Sets to train and to evaluate with, and how large they are."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tasks.settings.mix import Mix
from tasks.settings.section import Section


class HeldOut(Section):
    """Whole groups of related rows are held out, so that nothing like an evaluation row is trained on."""

    share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the train rows that is held out for evaluation, in each subset and of each difficulty.",
    )
    largest: float = Field(
        0.1,
        gt=0,
        le=1,
        description="The largest group that is held out, as a share of all that is: one group must not be most of it.",
    )
    common_seed: float = Field(
        0.05,
        gt=0,
        le=1,
        description="A seed that more than this share of the rows was made from says too little of what they are about "
        "to relate them.",
    )


class SetOptions(Section):
    """Whether a set is made, and how large."""

    enabled: bool = Field(True, description="Whether it is made.")
    rows: int | None = Field(
        None,
        ge=1,
        description="Rows of its `train` split at most, by a hash of the row's id and the seed, so that a smaller set "
        "is part of a larger one. Empty: all.",
    )


class SolverRates(StrEnum):
    """What of rows that a solver always or never solves. A group of equal rewards has no advantage to learn from (GRPO,
    Shao et al. 2024, arXiv 2402.03300)."""

    IGNORE = "ignore"
    PREFER_BETWEEN = "prefer_between"
    REQUIRE_BETWEEN = "require_between"


class RlOptions(Mix):
    """Rows for reinforcement learning: which, and how many, by the same rules as `curation.mix`."""

    enabled: bool = Field(True, description="Whether it is made.")
    size: int | None = Field(10_000, ge=1, description="Rows at most, as in KodCode-Light-RL-10K. Empty: all.")
    solver_rates: SolverRates = Field(
        SolverRates.PREFER_BETWEEN,
        description="Rows that a solver solves sometimes, but not always: `prefer_between` takes them first, "
        "`require_between` no others, nor those that no solver was asked about.",
    )
    any_tier: bool = Field(
        False,
        description="Take rows too whose tests run in the process of the answer, which could forge what they say: a "
        "policy that is rewarded for it learns to.",
    )
    spare: float = Field(
        0.02, ge=0, le=1, description="Share of further rows whose references are run, to replace those that fail."
    )


class Sets(Section):
    """Which sets a release holds beside the rows themselves."""

    sft: SetOptions = Field(SetOptions(), description="Conversations of questions and verified solutions.")
    sft_reasoning: SetOptions = Field(
        SetOptions(), description="Conversations of questions and what reasoning models answered, with all tries."
    )
    preference: SetOptions = Field(SetOptions(), description="Pairs of a right and a wrong answer to a question.")
    rl: RlOptions = Field(RlOptions(), description="Prompts with verified rewards.")
    curriculum: bool = Field(True, description="The train rows once more, easiest first.")
    evaluation: bool = Field(True, description="The rows that are held out, as `kodforge evaluate` takes them.")
