"""A number with its uncertainty: of a run, and of each of its subsets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tasks.intervals import wilson
from tasks.settings.kpis import KpiName

_Z = NormalDist().inv_cdf(0.975)


class Figure(BaseModel):
    """A value; None where it was not measured. Intervals are those of 95 %; None where it is counted, not sampled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float | None = None
    low: float | None = None
    high: float | None = None
    count: int = Field(0, description="What it was measured on: rows, questions, attempts, answers.")
    passes: int | None = Field(None, description="Of a share: how many of them.")
    error: float | None = Field(None, description="Standard error, where it is no share.")

    @classmethod
    def share(cls, passes: int, tries: int) -> Self:
        """A share with Wilson's interval."""
        if not tries:
            return cls()
        low, high = wilson(passes, tries)
        return cls(value=passes / tries, low=low, high=high, count=tries, passes=passes)

    @classmethod
    def mean(cls, values: Sequence[float]) -> Self:
        """A mean of rows, with an interval by the normal distribution from 2 on."""
        if not len(values):
            return cls()
        given = np.asarray(values, float)
        if len(given) < 2:
            return cls(value=float(given[0]), count=1)
        return cls.estimate(float(given.mean()), float(given.std(ddof=1)) / sqrt(len(given)), len(given))

    @classmethod
    def estimate(cls, value: float, error: float, count: int) -> Self:
        return cls(value=value, low=value - _Z * error, high=value + _Z * error, count=count, error=error)

    @classmethod
    def amount(cls, value: float | None, count: int = 0) -> Self:
        """Something that was counted."""
        return cls(value=value, count=count)


class Kpi(BaseModel):
    """One of the numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: KpiName
    figure: Figure
    subsets: dict[str, Figure] = Field({}, description="The same of each subset; empty where it is not told apart.")


class RunKpis(BaseModel):
    """All numbers of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal["kodforge-kpis-1"] = "kodforge-kpis-1"
    run: str
    config: str = Field(description="Fingerprint of the run's config.")
    kpis: list[Kpi]

    def of(self, name: KpiName) -> Kpi:
        """One of the numbers; one without a value where it is missing."""
        return next((one for one in self.kpis if one.name is name), Kpi(name=name, figure=Figure()))


def share_by_subset(name: KpiName, passes: Mapping[str, int], tries: Mapping[str, int]) -> Kpi:
    """A share of all, and of each subset."""
    return Kpi(
        name=name,
        figure=Figure.share(sum(passes.get(subset, 0) for subset in tries), sum(tries.values())),
        subsets={subset: Figure.share(passes.get(subset, 0), tries[subset]) for subset in sorted(tries)},
    )


def mean_by_subset(name: KpiName, values: Mapping[str, Sequence[float]]) -> Kpi:
    """A mean over all rows, and over those of each subset."""
    every = [value for of_subset in values.values() for value in of_subset]
    return Kpi(
        name=name,
        figure=Figure.mean(every),
        subsets={subset: Figure.mean(values[subset]) for subset in sorted(values) if values[subset]},
    )


def agreement(pairs: Mapping[tuple[str, str], int]) -> Figure:
    """Cohen's kappa of two labels, with its standard error.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20.
    """
    total = sum(pairs.values())
    if total < 2:
        return Figure()
    labels = {label for pair in pairs for label in pair}
    first, second = Counter[str](), Counter[str]()
    for (one, two), count in pairs.items():
        first[one] += count
        second[two] += count
    observed = sum(count for (one, two), count in pairs.items() if one == two) / total
    chance = sum(first[label] * second[label] for label in labels) / total**2
    if chance == 1:
        return Figure()
    error = sqrt(observed * (1 - observed) / total) / (1 - chance)
    return Figure.estimate((observed - chance) / (1 - chance), error, total)
