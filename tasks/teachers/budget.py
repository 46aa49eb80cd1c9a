"""The hard cap: a request goes out only if its worst case still fits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tasks.settings import Budget
from tasks.teachers.cache import ResponseCache

_REFRESH_S = 1.0
"""How old the sum of what was spent may be; other processes of the run spend as well."""


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
        self._before: Cost | None = None
        self._on_disk, self._read_at = Cost(0, 0.0), float("-inf")
        self._reading, self._changed = asyncio.Lock(), asyncio.Event()

    @property
    def capped(self) -> bool:
        """Whether there is a cap at all."""
        return self._budget.usd is not None or self._budget.tokens is not None

    def _fits(self, cost: Cost) -> bool:
        assert self._before is not None
        # What this process has paid may not be on disk yet; what others have paid is only there.
        tokens = max(self._before.tokens + self._own.tokens, self._on_disk.tokens) + self._aside.tokens + cost.tokens
        usd = max(self._before.usd + self._own.usd, self._on_disk.usd) + self._aside.usd + cost.usd
        most_usd, most_tokens = self._budget.usd, self._budget.tokens
        return (most_tokens is None or tokens <= most_tokens) and (most_usd is None or usd <= most_usd + 1e-12)

    async def _refresh(self) -> None:
        async with self._reading:  # nobody goes on before the first look
            if time.monotonic() - self._read_at > _REFRESH_S:
                self._on_disk = Cost(*await asyncio.to_thread(self._cache.spent, self._run))
                self._read_at = time.monotonic()
                self._before = self._before or self._on_disk

    @asynccontextmanager
    async def aside(self, worst: Cost) -> AsyncIterator[None]:
        """Set a worst case aside for as long as the block lasts; waits while it would fit but for what is in flight.

        ``paid`` is to be called within the block.

        Raises:
            BudgetReached: it does not fit.
        """
        if self.capped:
            await self._refresh()
            while not self._fits(worst):
                if self._aside.tokens == 0:
                    raise BudgetReached
                self._changed.clear()
                await self._changed.wait()
                await self._refresh()
        self._aside.tokens += worst.tokens
        self._aside.usd += worst.usd
        try:
            yield
        finally:
            self._aside.tokens -= worst.tokens
            self._aside.usd -= worst.usd
            self._changed.set()

    def paid(self, cost: Cost) -> None:
        """Count what a request really cost."""
        self._own.tokens += cost.tokens
        self._own.usd += cost.usd
