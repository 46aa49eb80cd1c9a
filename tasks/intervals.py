"""Shares with their uncertainty, whether two measurements differ beyond chance, and how far two labels agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, prod, sqrt

import numpy as np

_Z = 1.959963984540054
"""Of a normal distribution, 95 % lie within so many standard deviations."""


def wilson(passes: int, tries: int) -> tuple[float, float]:
    """The score interval of 95 % of a share.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.

    Raises:
        ValueError: not ``0 <= passes <= tries``, or no tries.
    """
    if not 0 <= passes <= tries or not tries:
        raise ValueError(f"passes must be between 0 and tries, of which there must be one, got {passes} of {tries}")
    share, spread = passes / tries, _Z**2 / tries
    middle = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * sqrt(share * (1 - share) / tries + spread / (4 * tries))
    return (0.0 if passes == 0 else max(0.0, middle - half), 1.0 if passes == tries else min(1.0, middle + half))


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The probability that at least one of k samples passes, without bias: ``1 - C(n - c, k) / C(n, k)``.

    Source: Chen et al. 2021, "Evaluating large language models trained on code", arXiv 2107.03374, equation 1.

    Args:
        samples: n, those that were drawn.
        passed: c, those of them that pass.

    Raises:
        ValueError: not ``0 <= passed <= samples`` or not ``1 <= k <= samples``.
    """
    if not 0 <= passed <= samples or not 1 <= k <= samples:
        raise ValueError(f"0 <= passed <= samples and 1 <= k <= samples must hold, got {passed} of {samples}, k {k}")
    if samples - passed < k:
        return 1.0
    return 1.0 - prod(1.0 - k / n for n in range(samples - passed + 1, samples + 1))


_RESAMPLES = 10_000
_AT_ONCE = 2_000_000
"""Values that are drawn at once, so that many items do not fill the memory."""


def bootstrap_mean(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The percentile interval of 95 % of a mean, over 10,000 resamples of the values.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("values must not be empty")
    given, random = np.asarray(values, dtype=float), np.random.default_rng(seed)
    step = max(1, _AT_ONCE // len(given))
    means = [
        random.choice(given, size=(min(step, _RESAMPLES - start), len(given))).mean(axis=1)
        for start in range(0, _RESAMPLES, step)
    ]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)


def sign_flip_p(differences: Sequence[float], seed: int = 0) -> float:
    """Two-sided p-value of paired differences being about nothing: how often as large a mean comes about where the sign
    of each is left to chance, over 10,000 draws. Of one sample per item it agrees with McNemar's exact test.

    Source: Fisher 1935, "The design of experiments", section 21.

    Raises:
        ValueError: there are no differences.
    """
    if not differences:
        raise ValueError("differences must not be empty")
    given, random = np.asarray(differences, dtype=float), np.random.default_rng(seed)
    given = given[given != 0]
    if not len(given):
        return 1.0
    step = max(1, _AT_ONCE // len(given))
    seen = abs(given.sum()) - 1e-9
    as_large = 0
    for start in range(0, _RESAMPLES, step):
        signs = random.integers(0, 2, size=(min(step, _RESAMPLES - start), len(given)), dtype=np.int8) * 2 - 1
        as_large += int((np.abs(signs @ given) >= seen).sum())
    return (as_large + 1) / (_RESAMPLES + 1)


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
    from scipy.stats import fisher_exact  # noqa: PLC0415 - it takes longer to import than all else here

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
    return Difference(value, value - _Z * error, value + _Z * error, erfc(abs(value) / error / sqrt(2)))


def holm(p: Sequence[float]) -> list[float]:
    """p values for what is looked at together: that any of them falls below a level by chance is no likelier than it.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda one: p[one])):
        highest = max(highest, min(1.0, p[place] * (len(p) - rank)))
        adjusted[place] = highest
    return adjusted


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement of two labels beyond chance: 1 is perfect, 0 is chance; None without rows, or where one label is all
    that both ever say.

    Source: Cohen 1960, "A coefficient of agreement for nominal scales", Educational and Psychological Measurement 20.
    """
    if not pairs:
        return None
    total = len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(two for _, two in pairs)
    chance = sum(first[label] * second[label] for label in first) / total**2
    if chance == 1:
        return None
    return (sum(one == two for one, two in pairs) / total - chance) / (1 - chance)
