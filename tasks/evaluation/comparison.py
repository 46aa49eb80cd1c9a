"""Two results on the same items, compared item by item."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict, Field

from tasks.errors import BadInput
from tasks.evaluation.result import digest_of
from tasks.intervals import bootstrap_mean, pass_at_k, sign_flip_p
from tasks.models import EvalItem
from tasks.models.scores import EvaluationResult, ItemResult

LEVEL = 0.05
_FEWEST = 2


class Difference(BaseModel):
    """pass@k of the later result less that of the earlier one, over the items of both."""

    model_config = ConfigDict(extra="forbid")

    k: int
    items: int
    earlier: float
    later: float
    difference: float
    low: float = Field(description="Interval of 95 %: bootstrap over the items, both results of an item together.")
    high: float
    p: float = Field(description="Two-sided, of the sign-flip test.")
    gained: int = Field(description="Items that the later result passes more often.")
    lost: int
    within_noise: bool = Field(description="Whether chance may well explain it: p of 0.05 or more.")


class Comparison(BaseModel):
    """An evaluation against an earlier one."""

    model_config = ConfigDict(extra="forbid")

    model: str
    against: str
    benchmark: str
    same: int = Field(description="Items of both, with equal content.")
    changed: list[str] = Field(description="Ids in both whose content differs: not compared.")
    only_one: int = Field(description="Items of one result alone: not compared.")
    asked_otherwise: list[str] = Field(description="What of the way of asking and judging differs, in words.")
    differences: list[Difference]


def check_comparable(items: Sequence[EvalItem], earlier: EvaluationResult) -> None:
    """See that items can be compared with an earlier result.

    Raises:
        BadInput: there are no two items in both.
    """
    before = {(one.id, one.digest) for one in earlier.items}
    same = sum((item.id, digest_of(item)) in before for item in items)
    if same < _FEWEST:
        raise BadInput(
            f"the earlier result, of {earlier.benchmark!r}, has {len(before)} items, and {same} of the {len(items)} "
            f"items here are among them. Compare results on the same benchmark"
        )


def compare(later: EvaluationResult, earlier: EvaluationResult, seed: int = 0) -> Comparison:
    """Compare two results by the items that both have."""
    before = {one.id: one for one in earlier.items}
    after = {one.id: one for one in later.items}
    common = [name for name in after if name in before]
    same = [name for name in common if before[name].digest == after[name].digest]
    ks = [one.k for one in later.scores if one.k in {other.k for other in earlier.scores}]
    pairs = [(before[name], after[name]) for name in same]
    found = (_difference(pairs, k, seed) for k in ks)
    return Comparison(
        model=later.asked.model,
        against=earlier.asked.model,
        benchmark=later.benchmark,
        same=len(same),
        changed=[name for name in common if name not in set(same)],
        only_one=len(before) + len(after) - 2 * len(common),
        asked_otherwise=_otherwise(later, earlier),
        differences=[one for one in found if one is not None],
    )


def _difference(pairs: Sequence[tuple[ItemResult, ItemResult]], k: int, seed: int) -> Difference | None:
    values = [
        (pass_at_k(one.samples, one.passed, k), pass_at_k(other.samples, other.passed, k))
        for one, other in pairs
        if one.samples >= k and other.samples >= k
    ]
    if len(values) < _FEWEST:
        return None
    changes = [after - before for before, after in values]
    low, high = bootstrap_mean(changes, seed)
    p = sign_flip_p(changes, seed)
    return Difference(
        k=k,
        items=len(values),
        earlier=fmean(before for before, _ in values),
        later=fmean(after for _, after in values),
        difference=fmean(changes),
        low=low,
        high=high,
        p=p,
        gained=sum(change > 0 for change in changes),
        lost=sum(change < 0 for change in changes),
        within_noise=p >= LEVEL,
    )


def _otherwise(later: EvaluationResult, earlier: EvaluationResult) -> list[str]:
    one, other = earlier.asked.model_dump(mode="json"), later.asked.model_dump(mode="json")
    return [
        f"{name.replace('_', ' ')}: {one[name]} then, {other[name]} now"
        for name in one
        if name not in ("model", "seed") and one[name] != other[name]
    ]
