"""What shards wait for: servers of which each does one thing at a time, in the order in which things come."""

from __future__ import annotations

import heapq
from collections.abc import Iterable


class Queue:
    """Servers that are alike, first come, first served.

    What is served is told when it comes, and it comes in the order of time: so that when it ends is known at once, and
    needs no event of its own. A batch of 256 calls is one event of a simulation, and yet each call has its own time.

    Args:
        servers: how many there are.
        per_s: how many may begin in a second; None: as many as there are servers.

    Attributes:
        busy_s: seconds of service, over all servers.
        waited_s: seconds that things waited.
        served: how many there were.
    """

    def __init__(self, servers: int, per_s: float | None = None) -> None:
        self.servers = servers
        self._free = [0.0] * servers
        self._gap = 1 / per_s if per_s else 0.0
        self._next = 0.0
        self.busy_s = self.waited_s = 0.0
        self.served = 0

    def serve(self, at: float, durations: Iterable[float], weights: Iterable[float] = ()) -> float:
        """Serve a batch that comes at a time; when the last of it ends.

        Args:
            weights: of what ``per_s`` counts, how much each takes; one where there is none.
        """
        free, replace, waited, end = self._free, heapq.heapreplace, 0.0, at
        served = list(durations)
        if self._gap:
            end, waited = self._paced(at, served, weights)
        else:
            for duration in served:
                start = free[0] if free[0] > at else at
                done = start + duration
                replace(free, done)
                waited += start - at
                end = done if done > end else end
        self.busy_s += sum(served)
        self.waited_s += waited
        self.served += len(served)
        return end

    def _paced(self, at: float, durations: Iterable[float], weights: Iterable[float]) -> tuple[float, float]:
        """As ``serve``, with no more begun in a second than may be; when the last ends, and how long all waited."""
        end, waited, heavy = at, 0.0, iter(weights)
        for duration in durations:
            start = max(at, self._free[0], self._next)
            self._next = start + self._gap * next(heavy, 1.0)
            heapq.heapreplace(self._free, start + duration)
            waited += start - at
            end = max(end, start + duration)
        return end, waited
