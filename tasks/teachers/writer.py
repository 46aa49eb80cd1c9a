"""Group commit: what is waiting to be written goes to disk in one transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from tasks.teachers.cache import Fault, ResponseCache, Use
from tasks.teachers.requests import Answer, Vectors


class Writer:
    """Writes answers for all requests of an event loop, which waits for no disk.

    While one transaction is synced, all that comes in gathers for the next.
    """

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        self._answers: list[Answer | Vectors] = []
        self._uses: list[Use] = []
        self._faults: Counter[tuple[str, str, str]] = Counter()
        self._written: asyncio.Future[None] | None = None
        self._flusher: asyncio.Task[None] | None = None

    async def write(self, answers: Sequence[Answer | Vectors], uses: Sequence[Use]) -> None:
        """Returns when they are on disk.

        Raises:
            sqlite3.Error: they cannot be written (a full disk).
        """
        self._answers += answers
        self._uses += uses
        # Whoever gives up waiting does not give up the others' writes, nor its own.
        await asyncio.shield(self._begin())

    def failed(self, run: str, stage: str, kind: str) -> None:
        """Count a try of a run's request that failed. Nobody waits for it; what cannot be written is not told."""
        self._faults[run, stage, kind] += 1
        self._begin()

    def _begin(self) -> asyncio.Future[None]:
        """Have what is there written soon; done when it is on disk."""
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
            self._written.add_done_callback(_seen)
        if self._flusher is None:
            self._flusher = asyncio.ensure_future(self._flush())
        return self._written

    async def _flush(self) -> None:
        while self._written is not None:
            written, answers, uses = self._written, self._answers, self._uses
            faults = [Fault(*place, count) for place, count in self._faults.items()]
            self._written, self._answers, self._uses, self._faults = None, [], [], Counter()
            try:
                await asyncio.to_thread(self._cache.record, answers, uses, faults)
            except Exception as error:
                if not written.cancelled():
                    written.set_exception(error)
                continue
            if not written.cancelled():
                written.set_result(None)
        self._flusher = None


def _seen(written: asyncio.Future[None]) -> None:
    """Look at what came of a write, or asyncio would log that nobody did."""
    if not written.cancelled():
        written.exception()
