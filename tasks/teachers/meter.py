"""What the teachers of a process are doing: rate, tokens, cost, errors by kind. Counted here, shown elsewhere."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tasks import metrics

_WINDOW_S = 60.0
_OPERATIONS = {"/chat/completions": "chat", "/completions": "text_completion", "/embeddings": "embeddings"}
"""What a path asks for, in OpenTelemetry's words."""


class Outcome(StrEnum):
    """How a request ends; one that is refused, or not asked for want of budget, ends with the reason of its reject."""

    ANSWERED = "answered"
    CACHED = "cached"
    ABANDONED = "abandoned"
    """The run was stopped, or its teacher was not to be had."""


@dataclass(frozen=True)
class Reading:
    """Counts since the process started, and the rate over the last minute.

    Attributes:
        answered: requests that a server answered; ``cached`` came from disk.
        usd: None where a price is unknown.
        per_s: answers of servers per second.
        errors: tries that failed and requests that were refused, by kind; most of the tries were followed by another.
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


class Tally:
    """Counts of what one stage asks of one model. Thread-safe.

    Attributes:
        labels: of its metrics.
    """

    def __init__(self, stage: str, model: str) -> None:
        self.labels = {"stage": stage, "model": model}
        self._gen_ai = {
            "gen_ai.provider.name": "openai",  # whose protocol it is
            "gen_ai.request.model": model,
            "stage": stage,
        }
        self._lock = threading.Lock()
        self.asked_for = self.in_flight = self.tokens = 0
        self.ended: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.usd: float | None = 0.0
        self._recent: deque[float] = deque()

    @property
    def waiting(self) -> int:
        """Requests that are neither with a server nor at their end."""
        return max(0, self.asked_for - self.ended.total() - self.in_flight)

    def asked(self, number: int) -> None:
        with self._lock:
            self.asked_for += number

    def merged(self) -> None:
        """A request is the same as one that is under way, and is answered with it."""
        self.asked(-1)

    def sent(self, change: int) -> None:
        """A request went out (1), or is no longer in flight (-1)."""
        with self._lock:
            self.in_flight += change

    def ends(self, outcome: str, number: int = 1) -> None:
        """Requests have come to an end other than an answer of a server."""
        with self._lock:
            self.ended[outcome] += number

    def failed(self, kind: str) -> None:
        """A try failed, and another may follow."""
        with self._lock:
            self.failures[kind] += 1

    def tried(self, path: str, server: str, started: float, failure: str = "") -> None:
        """A server was asked once, and how long that took.

        Args:
            path: of the request.
            server: its host.
            started: the monotonic clock's time then.
            failure: its kind; empty where there was an answer.
        """
        labels = {**self._gen_ai, "gen_ai.operation.name": _OPERATIONS[path], "server.address": server}
        if failure:
            labels["error.type"] = failure
        metrics.DURATION.record(time.monotonic() - started, labels)

    def answered(self, path: str, prompt_tokens: int, completion_tokens: int, usd: float | None) -> None:
        """An answer is on disk."""
        with self._lock:
            self.ended[Outcome.ANSWERED] += 1
            self.tokens += prompt_tokens + completion_tokens
            self.usd = None if usd is None or self.usd is None else self.usd + usd
            self._recent.append(time.monotonic())
            self._forget()
        labels = {**self._gen_ai, "gen_ai.operation.name": _OPERATIONS[path]}
        metrics.TOKENS.record(prompt_tokens, {**labels, "gen_ai.token.type": "input"})
        metrics.TOKENS.record(completion_tokens, {**labels, "gen_ai.token.type": "output"})

    def _forget(self) -> None:
        now = time.monotonic()
        while self._recent and self._recent[0] < now - _WINDOW_S:
            self._recent.popleft()

    @property
    def of_last_minute(self) -> int:
        """Answers of servers."""
        with self._lock:
            self._forget()
            return len(self._recent)

    def errors(self) -> Counter[str]:
        """Tries that failed, and requests that were refused, by kind."""
        with self._lock:
            refused = {kind: number for kind, number in self.ended.items() if kind not in _NO_ERRORS}
            return self.failures + Counter(refused)


_NO_ERRORS = {*Outcome, "budget_exhausted"}


class Meter:
    """The tallies of all clients of a process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._started = time.monotonic()
        metrics.REQUESTS.watch(self._ended)
        metrics.RETRIES.watch(self._failed)
        metrics.COST.watch(self._paid)
        metrics.IN_FLIGHT.watch(self._in_flight)
        metrics.WAITING.watch(self._waiting)

    def of(self, stage: str, model: str) -> Tally:
        """The tally of a stage and a model."""
        with self._lock:
            if (stage, model) not in self._tallies:
                self._tallies[stage, model] = Tally(stage, model)
            return self._tallies[stage, model]

    def _all(self) -> list[Tally]:
        with self._lock:
            return list(self._tallies.values())

    def read(self) -> Reading:
        """The counts now."""
        tallies = self._all()
        span = min(_WINDOW_S, max(1e-3, time.monotonic() - self._started))
        ended, errors = Counter[str](), Counter[str]()
        for tally in tallies:
            ended.update(tally.ended)
            errors.update(tally.errors())
        answered, cached = ended[Outcome.ANSWERED], ended[Outcome.CACHED]
        costs = [tally.usd for tally in tallies]
        return Reading(
            asked=sum(tally.asked_for for tally in tallies) - (ended.total() - answered - cached),
            answered=answered,
            cached=cached,
            in_flight=sum(tally.in_flight for tally in tallies),
            tokens=sum(tally.tokens for tally in tallies),
            usd=None if None in costs else sum(usd for usd in costs if usd is not None),
            per_s=sum(tally.of_last_minute for tally in tallies) / span,
            errors=dict(errors),
        )

    def _ended(self) -> Iterator[tuple[float, metrics.Labels]]:
        for tally in self._all():
            # None answered is told, too: Prometheus sees no increase in a series that begins with some.
            for outcome, number in {Outcome.ANSWERED.value: 0, **tally.ended}.items():
                yield number, {**tally.labels, "outcome": outcome}

    def _failed(self) -> Iterator[tuple[float, metrics.Labels]]:
        for tally in self._all():
            for kind, number in list(tally.failures.items()):
                yield number, {**tally.labels, "kind": kind}

    def _paid(self) -> Iterator[tuple[float, metrics.Labels]]:
        for tally in self._all():
            if tally.usd is not None:
                yield tally.usd, tally.labels

    def _in_flight(self) -> Iterator[tuple[float, metrics.Labels]]:
        for tally in self._all():
            yield tally.in_flight, tally.labels

    def _waiting(self) -> Iterator[tuple[float, metrics.Labels]]:
        for tally in self._all():
            yield tally.waiting, tally.labels


METER = Meter()
"""Of this process."""
