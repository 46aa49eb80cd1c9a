"""Whether two measurements differ beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.stats import fisher_exact, norm

from tasks.intervals import wilson

_Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class Difference:
    """The second measurement less the first.

    Attributes:
        low, high: interval of 95 %.
        p: how likely a difference as large as this is where there is none.
    """

    value: float
    low: float
    high: float
    p: float


def difference_of_shares(passes: tuple[int, int], tries: tuple[int, int]) -> Difference:
    """Of two independent shares: ``passes[i]`` of ``tries[i]``.

    Source: the interval is Newcombe's method 10 (1998, "Interval estimation for the difference between independent
    proportions", Statistics in Medicine 17), p that of Fisher's exact test.

    Raises:
        ValueError: not ``0 <= passes <= tries``, or no tries.
    """
    one, two = (count / of for count, of in zip(passes, tries, strict=True))
    (low1, high1), (low2, high2) = (wilson(count, of) for count, of in zip(passes, tries, strict=True))
    table = np.array([[count, of - count] for count, of in zip(passes, tries, strict=True)])
    return Difference(
        two - one,
        two - one - sqrt((two - low2) ** 2 + (high1 - one) ** 2),
        two - one + sqrt((high2 - two) ** 2 + (one - low1) ** 2),
        float(fisher_exact(table).pvalue),
    )


def difference_of_estimates(values: tuple[float, float], errors: tuple[float, float]) -> Difference:
    """Of two independent estimates with standard errors, by the normal distribution."""
    value, error = values[1] - values[0], sqrt(errors[0] ** 2 + errors[1] ** 2)
    if not error:
        return Difference(value, value, value, float(value == 0))
    return Difference(value, value - _Z * error, value + _Z * error, float(2 * norm.sf(abs(value) / error)))


def holm(p: Sequence[float]) -> list[float]:
    """p values for what is looked at together: that any of them falls below a level by chance is no likelier than it.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda one: p[one])):
        highest = max(highest, min(1.0, p[place] * (len(p) - rank)))
        adjusted[place] = highest
    return adjusted
