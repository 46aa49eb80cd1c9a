"""How often reasoning models are asked, what counts as a right answer, and which answers become training data."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from tasks.settings.section import Section


class AnswerChoice(StrEnum):
    """Which of the right answers to a row is taken: the `first`, as KodCode does it, or the `shortest`."""

    FIRST = "first"
    SHORTEST = "shortest"


class Preferences(Section):
    """Pairs of a right and a wrong answer to the same row, for preference training such as DPO."""

    per_row: int = Field(1, ge=0, le=1000, description="Pairs of a row, at most; each answer is in one of them.")
    across_reasoners: bool = Field(
        False,
        description="Whether the right and the wrong answer of a pair may come from two models. Such a pair also tells "
        "one model's manner from the other's.",
    )
    length_ratio: float | None = Field(
        None,
        ge=1,
        description="The longer answer of a pair is at most so many times as long as the shorter one, and of several "
        "pairs the most alike in length is taken, so that length is not what is learnt. Empty: length has no say.",
    )


class Reasoning(Section):
    """`teachers.reasoners` names the models; without one nothing is asked."""

    tries: int = Field(3, ge=1, le=128, description="Answers of each reasoner to each row.")
    accept_alias: bool = Field(
        False,
        description="Whether an answer whose only function has another name than the question states may pass under "
        "an alias, which is recorded. Otherwise it is judged as written, and the alias recorded beside.",
    )
    choice: AnswerChoice = Field(AnswerChoice.FIRST, description="Which of several right answers is taken.")
    preferences: Preferences = Preferences()
