"""How fast an endpoint may be asked: allowances per minute, and a number of requests in flight that adapts.

All of it is plain arithmetic over a clock; waiting is the caller's.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Clock = Callable[[], float]
MOST_PAUSE_S = 600.0
"""A server that asks for a longer pause is not believed: it may mean a point in time, or another unit."""
_BURST_S = 1.0
_CUT = 0.7
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Bucket:
    """An allowance per minute that fills evenly, a second's worth at most.

    A single request that is larger than that is let through when the bucket is full, and paid off afterwards.

    Args:
        per_minute: requests or tokens.
    """

    def __init__(self, per_minute: float, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._at = clock()
        self.set(per_minute)
        self._level = self._most

    def set(self, per_minute: float) -> None:
        """Change the allowance."""
        self.per_minute = per_minute
        self._rate = per_minute / 60
        self._most = max(1.0, self._rate * _BURST_S)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._most, self._level + (now - self._at) * self._rate)
        self._at = now

    def wait_s(self, amount: float) -> float:
        """Seconds until so much may be taken; 0 where it may be now."""
        self._fill()
        missing = min(amount, self._most) - self._level
        return missing / self._rate if missing > 1e-9 else 0.0

    def take(self, amount: float) -> None:
        """Take it, or with a negative amount give it back."""
        self._fill()
        self._level = min(self._most, self._level - amount)


class Allowance:
    """Requests and tokens per minute: as configured, or as the server's headers tell.

    Args:
        requests_per_minute: None: what the server tells, if it does; ``tokens_per_minute`` likewise.
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._clock = clock
        self._configured = {"requests": requests_per_minute, "tokens": tokens_per_minute}
        self._buckets = {kind: Bucket(most, clock) for kind, most in self._configured.items() if most is not None}
        self._closed_until = 0.0

    def wait_s(self, tokens: float) -> float:
        """Seconds until a request of so many tokens may go; 0 where it may go now."""
        waits = [self._closed_until - self._clock()]
        waits += [bucket.wait_s(1 if kind == "requests" else tokens) for kind, bucket in self._buckets.items()]
        return max(0.0, *waits)

    def take(self, tokens: float) -> None:
        """Let a request of about so many tokens go."""
        for kind, bucket in self._buckets.items():
            bucket.take(1 if kind == "requests" else tokens)

    def correct(self, tokens: float) -> None:
        """Take so many tokens more than was thought; negative gives back."""
        if bucket := self._buckets.get("tokens"):
            bucket.take(tokens)

    def pause(self, seconds: float) -> None:
        """Let nothing go for a while."""
        self._closed_until = max(self._closed_until, self._clock() + min(seconds, MOST_PAUSE_S))

    def hear(self, headers: Mapping[str, str]) -> None:
        """Go by the ``x-ratelimit-*`` headers of a response; what is configured is only ever lowered by them."""
        for kind in ("requests", "tokens"):
            limit = _number(headers.get(f"x-ratelimit-limit-{kind}", ""))
            configured = self._configured[kind]
            if limit is not None and limit >= 1:
                allowed = limit if configured is None else min(limit, configured)
                if (bucket := self._buckets.get(kind)) is None:
                    self._buckets[kind] = Bucket(allowed, self._clock)
                elif bucket.per_minute != allowed:
                    bucket.set(allowed)
            remaining = _number(headers.get(f"x-ratelimit-remaining-{kind}", ""))
            if remaining is not None and remaining < 1:
                self.pause(duration_s(headers.get(f"x-ratelimit-reset-{kind}", "")) or 0.0)


class InFlight:
    """How many requests may be in flight: additive increase, multiplicative decrease (AIMD; Chiu and Jain, 1989).

    It starts at the most that is allowed, so that a server that can take it is used in full at once. Of the many
    requests that fail together when a server is overrun only the first counts: those that were sent before the last cut
    say nothing about the number after it.

    Args:
        most: it never goes above.
    """

    def __init__(self, most: int, clock: Clock = time.monotonic) -> None:
        self._most, self._clock = most, clock
        self._limit = float(most)
        self._cut_at = float("-inf")
        self.now = 0

    @property
    def limit(self) -> int:
        return int(self._limit)

    def succeeded(self) -> None:
        """A request was answered: one more in flight for each round of answers."""
        self._limit = min(float(self._most), self._limit + 1 / self._limit)

    def congested(self, sent_at: float) -> None:
        """The server said that it is too much, or did not answer in time.

        Args:
            sent_at: the clock's time when the request went out.
        """
        if sent_at > self._cut_at:
            self._limit = max(1.0, self._limit * _CUT)
            self._cut_at = self._clock()


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def duration_s(text: str) -> float | None:
    """Seconds in a header such as ``6m0s``, ``20ms``, ``1.5`` or an RFC 3339 time; None where it is none of these."""
    text = text.strip()
    if (found := _number(text)) is not None:
        return max(0.0, found)
    if parts := _DURATION.findall(text):
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(at.tzinfo)).total_seconds())


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The pause that a response asks for, in seconds: ``Retry-After`` as seconds or date, or ``retry-after-ms``."""
    if (milliseconds := _number(headers.get("retry-after-ms", ""))) is not None:
        return min(max(0.0, milliseconds / 1000), MOST_PAUSE_S)
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is None and text:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return None if seconds is None else min(max(0.0, seconds), MOST_PAUSE_S)
