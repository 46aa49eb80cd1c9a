"""What the teachers are doing right now: rate, tokens, cost, errors by kind."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field

_WINDOW_S = 60.0


@dataclass(frozen=True)
class Reading:
    """Counts since the process started, and the rate over the last minute.

    Attributes:
        answered: requests that a server answered; ``cached`` came from disk.
        usd: None where a price is unknown.
        per_s: answers of servers per second.
        errors: tries that failed, by kind; most of them were tried again.
    """

    asked: int
    answered: int
    cached: int
    in_flight: int
    tokens: int
    usd: float | None
    per_s: float
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def eta_s(self) -> float | None:
        """Seconds until the requests known so far are answered; None where there is no telling."""
        left = self.asked - self.answered - self.cached
        return left / self.per_s if self.per_s and left > 0 else None

    def __str__(self) -> str:
        parts = [f"{self.answered} answers ({self.per_s:.1f}/s)"]
        if self.cached:
            parts.append(f"{self.cached} from disk")
        parts.append(f"{self.tokens:,} tokens")
        parts.append("cost unknown" if self.usd is None else f"${self.usd:.4f}")
        if self.in_flight:
            parts.append(f"{self.in_flight} in flight")
        if self.errors:
            parts.append("errors: " + ", ".join(f"{kind} {count}" for kind, count in sorted(self.errors.items())))
        return ", ".join(parts)


class Meter:
    """Counts for all clients of a process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._usd: float | None = 0.0
        self._recent: deque[float] = deque()
        self._started = time.monotonic()

    def asked(self, number: int) -> None:
        self._add("asked", number)

    def cached(self, number: int) -> None:
        self._add("cached", number)

    def sent(self, change: int) -> None:
        """A request went out (1), or is no longer in flight (-1)."""
        self._add("in_flight", change)

    def dropped(self) -> None:
        """A request ended without an answer."""
        self._add("asked", -1)

    def failed(self, kind: str) -> None:
        """A try failed."""
        with self._lock:
            self._errors[kind] += 1

    def answered(self, tokens: int, usd: float | None) -> None:
        now = time.monotonic()
        with self._lock:
            self._counts["answered"] += 1
            self._counts["tokens"] += tokens
            self._usd = None if usd is None or self._usd is None else self._usd + usd
            self._recent.append(now)
            self._forget(now)

    def _add(self, what: str, number: int) -> None:
        with self._lock:
            self._counts[what] += number

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0] < now - _WINDOW_S:
            self._recent.popleft()

    def read(self) -> Reading:
        """The counts now."""
        now = time.monotonic()
        with self._lock:
            self._forget(now)
            span = min(_WINDOW_S, max(1e-3, now - self._started))
            return Reading(
                asked=self._counts["asked"],
                answered=self._counts["answered"],
                cached=self._counts["cached"],
                in_flight=self._counts["in_flight"],
                tokens=self._counts["tokens"],
                usd=self._usd,
                per_s=len(self._recent) / span,
                errors=dict(self._errors),
            )


METER = Meter()
"""Of this process."""
