"""What passes from an experiment to those who read its results."""

from __future__ import annotations

from pydantic import Field

from tasks.models.vocabulary import Row


class GroupComparison(Row):
    """What pass@k of ``recipe`` is above that of ``against``, for the same base model and the same items."""

    model: str
    evaluation: str = Field(description="`average`: the mean over all evaluations.")
    k: int
    recipe: str
    against: str = Field(description="`base`: the base model as it is.")
    seeds: tuple[int, int]
    items: int
    difference: float
    low: float = Field(description="Interval of 95 %, over items and seeds.")
    high: float
    p: float = Field(description="Two-sided.")
    adjusted_p: float = Field(description="By Holm's method, over all comparisons of the experiment.")
    beyond_chance: bool = Field(description="Whether the adjusted p is below 0.05.")
