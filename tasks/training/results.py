"""What came of an experiment: scores of every model and recipe, and which of their differences are beyond chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tasks.errors import BadInput
from tasks.intervals import holm, pass_at_k, sign_flip_p, wilson
from tasks.models.scores import Estimate, EvaluationResult
from tasks.models.training import GroupComparison
from tasks.settings.experiment import BASE
from tasks.training.cells import TrainedCell

SCHEMA: Literal["kodforge-experiment-1"] = "kodforge-experiment-1"
AVERAGE = "average"
"""What the mean over all evaluations is called."""
LEVEL = 0.05
_DRAWS = 4000
_Array = NDArray[np.float64]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CellScore(_Part):
    """One cell or base model on one evaluation."""

    model: str
    recipe: str
    seed: int | None = Field(description="None for a base model.")
    evaluation: str
    scores: list[Estimate] = Field(description="pass@k over all items.")


class GroupScore(_Part):
    """A model by one recipe on one evaluation, over its seeds; the interval is over items and seeds."""

    model: str
    recipe: str
    evaluation: str = Field(description="`average`: the mean over all evaluations.")
    k: int
    seeds: int
    items: int
    value: float
    low: float
    high: float


class ExperimentResult(_Part):
    """All that is reported of an experiment."""

    schema_version: Literal["kodforge-experiment-1"] = SCHEMA
    name: str
    release: str
    cells: list[TrainedCell]
    cell_scores: list[CellScore]
    scores: list[GroupScore]
    comparisons: list[GroupComparison]
    failed: dict[str, str] = Field(description="Cells that are missing, and why.")


Runs = Mapping[tuple[str, str, int | None], Mapping[str, EvaluationResult]]
"""Results by base model, recipe and seed, then by evaluation."""


def summarise_experiment(
    name: str, release: str, cells: Sequence[TrainedCell], runs: Runs, failed: dict[str, str]
) -> ExperimentResult:
    """Scores and comparisons of all that was evaluated.

    Raises:
        BadInput: two results of one evaluation are about different items.
    """
    groups = _groups(runs)
    comparisons = [
        found
        for model in dict.fromkeys(model for model, _ in groups)
        for against, recipe in combinations([recipe for one, recipe in groups if one == model], 2)
        for found in _compare(model, recipe, against, groups)
    ]
    adjusted = holm([one.p for one in comparisons])
    return ExperimentResult(
        name=name,
        release=release,
        cells=list(cells),
        cell_scores=[
            CellScore(model=model, recipe=recipe, seed=seed, evaluation=evaluation, scores=result.scores)
            for (model, recipe, seed), results in runs.items()
            for evaluation, result in results.items()
        ],
        scores=[score for place, group in groups.items() for score in _scores(*place, group)],
        comparisons=[
            one.model_copy(update={"adjusted_p": p, "beyond_chance": p < LEVEL})
            for one, p in zip(comparisons, adjusted, strict=True)
        ],
        failed=failed,
    )


_Group = dict[tuple[str, int], _Array]
"""pass@k by evaluation and k: shape (seeds, items)."""


def _groups(runs: Runs) -> dict[tuple[str, str], _Group]:
    """The cells that differ by their seed alone, base models first."""
    ids: dict[str, list[tuple[str, str]]] = {}
    rows: dict[tuple[str, str], dict[tuple[str, int], list[_Array]]] = {}
    for (model, recipe, _), results in sorted(runs.items(), key=lambda one: one[0][1] != BASE):
        for evaluation, result in results.items():
            items = sorted(result.items, key=lambda item: item.id)
            told = [(item.id, item.digest) for item in items]
            if ids.setdefault(evaluation, told) != told:
                raise BadInput(
                    f"evaluation {evaluation!r} has other items for {model} / {recipe} than for the first cell: its "
                    f"file changed meanwhile. Delete the experiment's evaluations and run it again"
                )
            for score in result.scores:
                values = np.array([pass_at_k(one.samples, one.passed, score.k) if one.samples >= score.k else np.nan
                                   for one in items])  # fmt: skip
                rows.setdefault((model, recipe), {}).setdefault((evaluation, score.k), []).append(values)
    return {place: {name: np.array(one) for name, one in group.items()} for place, group in rows.items()}


def _first_k(group: _Group) -> dict[str, tuple[int, _Array]]:
    """Of each evaluation its least k."""
    found: dict[str, tuple[int, _Array]] = {}
    for (evaluation, k), values in sorted(group.items()):
        found.setdefault(evaluation, (k, values))
    return found


def _scores(model: str, recipe: str, group: _Group) -> list[GroupScore]:
    places: list[tuple[str, int, list[_Array]]] = [(name, k, [values]) for (name, k), values in group.items()]
    first = _first_k(group)
    if len(first) > 1:
        places.append((AVERAGE, min(k for k, _ in first.values()), [values for _, values in first.values()]))
    found = []
    for name, k, every in places:
        parts = [part[:, ~np.isnan(part).any(axis=0)] for part in every]
        if not all(part.size for part in parts):
            continue
        low, high = _interval(parts)
        told = {"model": model, "recipe": recipe, "evaluation": name, "k": k, "seeds": len(parts[0])}
        value = fmean(float(part.mean()) for part in parts)
        found.append(GroupScore(**told, items=sum(p.shape[1] for p in parts), value=value, low=low, high=high))
    return found


def _interval(parts: Sequence[_Array]) -> tuple[float, float]:
    """Of 95 %, over items and seeds; never narrower than Wilson's, which holds where no item passes, or all do."""
    low, high = np.quantile(_draws(parts, 1), [0.025, 0.975])
    if len(parts) == 1 and np.isin(parts[0], (0, 1)).all():
        items = parts[0].shape[1]
        lowest, highest = wilson(round(float(parts[0].mean()) * items), items)
        low, high = min(low, lowest), max(high, highest)
    return float(low), float(high)


def _compare(model: str, recipe: str, against: str, groups: Mapping[tuple[str, str], _Group]) -> list[GroupComparison]:
    """Two recipes of one base model on each evaluation, and on all of them."""
    one, other = _first_k(groups[model, recipe]), _first_k(groups[model, against])
    pairs = {name: (one[name][0], _both(one[name][1], other[name][1])) for name in one if name in other}
    pairs = {name: (k, both) for name, (k, both) in pairs.items() if both[0].size}
    places = [(name, k, [both]) for name, (k, both) in pairs.items()]
    if len(pairs) > 1:
        places.append((AVERAGE, min(k for k, _ in pairs.values()), [both for _, both in pairs.values()]))
    found = []
    for name, k, parts in places:
        draws = _draws([left for left, _ in parts], 1) - _draws([right for _, right in parts], 2)
        changes = [(left.mean(axis=0) - right.mean(axis=0)) / left.shape[1] / len(parts) for left, right in parts]
        low, high = np.quantile(draws, [0.025, 0.975])
        p = max(sign_flip_p(np.concatenate(changes).tolist()), _tail(draws))
        found.append(
            GroupComparison(
                model=model,
                evaluation=name,
                k=k,
                recipe=recipe,
                against=against,
                seeds=(len(parts[0][0]), len(parts[0][1])),
                items=sum(left.shape[1] for left, _ in parts),
                difference=float(sum(change.sum() for change in changes)),
                low=low,
                high=high,
                p=p,
                adjusted_p=p,
                beyond_chance=False,
            )
        )
    return found


def _both(one: _Array, other: _Array) -> tuple[_Array, _Array]:
    """The items that both have enough samples of."""
    there = ~(np.isnan(one).any(axis=0) | np.isnan(other).any(axis=0))
    return one[:, there], other[:, there]


def _draws(parts: Sequence[_Array], group: int) -> _Array:
    """Means over bootstrap samples of items and of seeds, averaged over evaluations; shape (draws,).

    The same items are drawn for every group, so that what two have in common drops out of their difference; seeds are
    drawn for each by itself, and are the same for all evaluations, as the models are.

    Source: Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice", arXiv
    2108.13264, whose bootstrap is stratified in the same way.

    Args:
        parts: of each evaluation the values, shape (seeds, items).
        group: seed of the draw of seeds.
    """
    random, drawn = np.random.default_rng(0), np.zeros(_DRAWS)
    seeds = _shares(np.random.default_rng(group), len(parts[0]))
    for part in parts:
        drawn += np.einsum("ds,ds->d", _shares(random, part.shape[1]) @ part.T, seeds)
    return drawn / len(parts)


def _shares(random: np.random.Generator, count: int) -> _Array:
    """How often each of so many is in each draw, as a share; shape (draws, count)."""
    return random.multinomial(count, np.full(count, 1 / count), size=_DRAWS) / count


def _tail(draws: _Array) -> float:
    """Two-sided p of draws being about nothing."""
    rarer = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (_DRAWS + 1))
