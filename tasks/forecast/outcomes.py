"""How the questions of a shard fare: drawn from how questions of their subsets fared."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tasks.acceptance import settled, to_ask
from tasks.forecast.rates import Outcomes
from tasks.settings import Policy, Verification

Floats = npt.NDArray[np.float64]
_BOUNDS = {"easy": (2 / 3, 1.0), "medium": (1 / 3, 2 / 3), "hard": (0.02, 1 / 3), "failed": (0.0, 0.0)}
"""Of the pass rate, by KodCode's label; a question that an attempt in fifty passes is hard, as far as ten can tell."""


def pass_rates(outcomes: Outcomes, count: int, draw: np.random.Generator) -> Floats:
    """Pass rates of so many questions."""
    shares = np.array([getattr(outcomes, name) for name in _BOUNDS])
    kinds = draw.choice(len(_BOUNDS), size=count, p=shares / shares.sum())
    low, high = np.array(list(_BOUNDS.values())).T
    rates: Floats = draw.uniform(low[kinds], high[kinds])
    return rates


class Tries:
    """The attempts at the questions of a shard, round by round, by the pipeline's own policy.

    Args:
        rates: the chance of each question that an attempt passes.

    Attributes:
        passes, made: of each question so far.
    """

    def __init__(self, rates: Floats, rules: Verification, draw: np.random.Generator) -> None:
        self._rates, self._rules, self._draw = rates, rules, draw
        self.passes = np.zeros(len(rates), dtype=int)
        self.made = np.zeros(len(rates), dtype=int)
        # As (passes, made) is all that it depends on, each case is decided once.
        most = rules.attempts
        self._settled = np.array(
            [[settled(passes, made, rules) if passes <= made else True for made in range(most + 1)]
             for passes in range(most + 1)]
        )  # fmt: skip

    def rounds(self) -> Iterator[int]:
        """How many questions are asked in each round; what became of them is known when the next is asked for."""
        for _ in range(self._rules.attempts):
            asked = self._to_ask()
            if not len(asked):
                return
            yield len(asked)
            self.made[asked] += 1
            self.passes[asked] += self._draw.random(len(asked)) < self._rates[asked]

    def _to_ask(self) -> npt.NDArray[np.intp]:
        if self._rules.policy is Policy.ADAPTIVE and self._rules.mean_attempts is not None:
            tries = list(zip(self.passes.tolist(), self.made.tolist(), strict=True))
            return np.array(to_ask(tries, self._rules), dtype=np.intp)
        return np.flatnonzero(~self._settled[self.passes, self.made])
