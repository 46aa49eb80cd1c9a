"""pass@k, without bias, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.intervals import bootstrap_mean, wilson


class Estimate(BaseModel):
    """pass@k over some items, with an interval of 95 %."""

    model_config = ConfigDict(extra="forbid")

    k: int
    items: int = Field(description="Those that have k samples.")
    value: float
    low: float
    high: float
    method: Literal["wilson", "bootstrap"]


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


def estimate(counts: Sequence[tuple[int, int]], k: int, seed: int = 0) -> Estimate | None:
    """The mean of pass@k over items, each given as (samples, passed); None where no item has k samples.

    The interval is over the draw of items: Wilson's where every item is passed or not, else that of a bootstrap.
    """
    values = [pass_at_k(samples, passed, k) for samples, passed in counts if samples >= k]
    if not values:
        return None
    decided = all(value in (0.0, 1.0) for value in values)
    low, high = wilson(round(sum(values)), len(values)) if decided else bootstrap_mean(values, seed)
    method: Literal["wilson", "bootstrap"] = "wilson" if decided else "bootstrap"
    return Estimate(k=k, items=len(values), value=fmean(values), low=low, high=high, method=method)
