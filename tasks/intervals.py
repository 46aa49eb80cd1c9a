"""Shares with their uncertainty, and how far two labels agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import sqrt

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
