"""KodCode's difficulty label: how often the author agrees with its own tests."""

from __future__ import annotations

from tasks.models import Difficulty


def difficulty(passes: int, attempts: int) -> Difficulty:
    """Label by the share of attempts that pass: easy above 2/3, hard below 1/3, medium between.

    Source: Xu et al. 2025, arXiv 2503.02951, section 3.2. A question that no attempt passes has no label: it is
    rejected.

    Raises:
        ValueError: not ``1 <= passes <= attempts``.
    """
    if not 1 <= passes <= attempts:
        raise ValueError(f"passes must be between 1 and attempts, got {passes} of {attempts}")
    if 3 * passes > 2 * attempts:
        return Difficulty.EASY
    return Difficulty.HARD if 3 * passes < attempts else Difficulty.MEDIUM
