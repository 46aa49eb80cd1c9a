"""pass@k over items, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from tasks.intervals import bootstrap_mean, pass_at_k, wilson
from tasks.models.scores import Estimate


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
