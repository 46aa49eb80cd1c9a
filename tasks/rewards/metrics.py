"""What a rewards server counts, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tasks.rewards.models import Reward

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Metrics:
    """Counters of one server.

    Args:
        waiting: how many completions are let in and not yet answered.
        slots: boxes at once.
    """

    def __init__(self, waiting: Callable[[], int], slots: int) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "kodforge_rewards_requests", "Requests for rewards, by status.", ["status"], registry=self._registry
        )
        self._completions = Counter(
            "kodforge_rewards_completions", "Completions judged, by verdict.", ["verdict"], registry=self._registry
        )
        self._cached = Counter(
            "kodforge_rewards_cached", "Completions whose code had been judged before.", registry=self._registry
        )
        self.seconds = Histogram(
            "kodforge_rewards_request_seconds",
            "From a batch's admission to its rewards.",
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._wall = Histogram(
            "kodforge_rewards_run_seconds",
            "Wall time of a run in the sandbox.",
            registry=self._registry,
            buckets=_SECONDS,
        )
        self.disconnected = Counter(
            "kodforge_rewards_disconnected", "Batches left by their client.", registry=self._registry
        )
        gauge = Gauge("kodforge_rewards_waiting", "Completions let in, not answered.", registry=self._registry)
        gauge.set_function(waiting)
        Gauge("kodforge_rewards_slots", "Boxes at once.", registry=self._registry).set(slots)

    def judged(self, rewards: Sequence[Reward]) -> None:
        """Count a batch."""
        for reward in rewards:
            self._completions.labels(reward.verdict or "no_code").inc()
            if reward.cached:
                self._cached.inc()
            elif reward.verdict is not None:
                self._wall.observe(reward.wall_s)

    def text(self) -> bytes:
        return generate_latest(self._registry)
