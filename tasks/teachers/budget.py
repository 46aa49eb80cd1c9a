"""The hard cap: a request goes out only if its worst case still fits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from tasks import metrics
from tasks.announcements import BUDGET_NEARLY, BUDGET_REACHED, announce_budget
from tasks.settings import Budget
from tasks.teachers.cache import ResponseCache

_NEARLY = 0.8
"""Share of a cap from which on its operators are told."""
_REFRESH_S, _REFRESH_NEAR_S = 1.0, 0.05
"""How old the sum of what was spent may be, and how old near the cap; other processes of the run spend as well."""


class BudgetReached(Exception):
    """The worst case of a request is more than what is left."""


@dataclass
class Cost:
    """Tokens and USD; USD counts as 0 where a price is unknown, which a cap in USD rules out."""

    tokens: int
    usd: float


class Purse:
    """What one run may still spend, for the requests of one process.

    Worst cases are set aside while requests are in flight, so that one process never spends more than the cap; several
    processes of a run on one cache at most by what the others have in flight.
    """

    def __init__(self, budget: Budget, run: str, cache: ResponseCache) -> None:
        self._budget, self._run, self._cache = budget, run, cache
        self._aside, self._own = Cost(0, 0.0), Cost(0, 0.0)
        self._booked, self._seen = Cost(0, 0.0), Cost(0, 0.0)
        self._on_disk, self._read_at = Cost(0, 0.0), float("-inf")
        self._reading, self._changed = asyncio.Lock(), asyncio.Event()
        self._announced: set[str] = set()
        if self.capped:
            metrics.SPENT.watch(self._metered_spent)
            metrics.BUDGET.watch(self._metered_limit)

    @property
    def capped(self) -> bool:
        """Whether there is a cap at all."""
        return self._budget.usd is not None or self._budget.tokens is not None

    @property
    def spent(self) -> Cost:
        """What the run has paid: the sum on disk when it was last read, and what this process has paid since."""
        return Cost(
            self._on_disk.tokens + self._own.tokens - self._seen.tokens,
            self._on_disk.usd + self._own.usd - self._seen.usd,
        )

    def _metered_spent(self) -> metrics.Reading:
        return [(getattr(self.spent, unit), labels) for _, unit, labels in self._caps()]

    def _metered_limit(self) -> metrics.Reading:
        return [(cap, labels) for cap, _, labels in self._caps()]

    def _caps(self) -> list[tuple[float, str, metrics.Labels]]:
        run = self._run.rpartition("/")[2]  # the store before it may be an address
        caps = {"usd": self._budget.usd, "tokens": self._budget.tokens}
        return [(cap, unit, {"run": run, "unit": unit}) for unit, cap in caps.items() if cap is not None]

    def _fits(self, cost: Cost) -> bool:
        tokens = self.spent.tokens + self._aside.tokens + cost.tokens
        usd = self.spent.usd + self._aside.usd + cost.usd
        most_usd, most_tokens = self._budget.usd, self._budget.tokens
        return (most_tokens is None or tokens <= most_tokens) and (most_usd is None or usd <= most_usd + 1e-12)

    async def _refresh(self, age_s: float) -> None:
        """Read the sum on disk, unless it was read so short a time ago.

        What is being written meanwhile may be counted twice until the next time, and nothing is left out.
        """
        async with self._reading:  # nobody goes on before the first look
            if time.monotonic() - self._read_at > age_s:
                seen = replace(self._booked)
                self._on_disk = Cost(*await asyncio.to_thread(self._cache.spent, self._run))
                self._seen, self._read_at = seen, time.monotonic()

    def _nears_the_cap(self, cost: Cost) -> bool:
        more = Cost(self._aside.tokens + cost.tokens, self._aside.usd + cost.usd)
        return any(getattr(self.spent, unit) + getattr(more, unit) >= _NEARLY * cap for cap, unit, _ in self._caps())

    @asynccontextmanager
    async def aside(self, worst: Cost) -> AsyncIterator[None]:
        """Set a worst case aside for as long as the block lasts; waits while it would fit but for what is in flight.

        ``paid`` is to be called within the block.

        Raises:
            BudgetReached: it does not fit.
        """
        if self.capped:
            await self._refresh(_REFRESH_NEAR_S if self._nears_the_cap(worst) else _REFRESH_S)
            while not self._fits(worst):
                if self._aside.tokens == 0:
                    if self._own.tokens != self._seen.tokens:  # some of it may be counted twice
                        await self._refresh(0)
                        continue
                    self._announce(BUDGET_REACHED)
                    raise BudgetReached
                self._changed.clear()
                await self._changed.wait()
                await self._refresh(_REFRESH_NEAR_S)
        self._aside.tokens += worst.tokens
        self._aside.usd += worst.usd
        try:
            yield
        finally:
            self._aside.tokens -= worst.tokens
            self._aside.usd -= worst.usd
            self._changed.set()

    def booked(self, cost: Cost) -> None:
        """What ``paid`` has counted is on disk."""
        self._booked.tokens += cost.tokens
        self._booked.usd += cost.usd

    def paid(self, cost: Cost) -> None:
        """Count what a request really cost; ``booked`` follows when that is on disk."""
        self._own.tokens += cost.tokens
        self._own.usd += cost.usd
        if any(getattr(self.spent, unit) >= _NEARLY * cap for cap, unit, _ in self._caps()):
            self._announce(BUDGET_NEARLY)

    def _announce(self, event: str) -> None:
        """Tell the run's operators once, by what automations make of it."""
        if event not in self._announced:
            self._announced.add(event)
            told = ", ".join(f"{getattr(self.spent, unit):,.6g} of {cap:,.6g} {unit}" for cap, unit, _ in self._caps())
            announce_budget(self._run, event, f"{told} used")
