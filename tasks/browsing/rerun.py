"""A row run again in the sandbox, as it is and with the run's own limits; one at a time."""

from __future__ import annotations

from threading import Lock

from tasks.execution.pool import Look, SandboxPool
from tasks.models import Pair, PairVerdict
from tasks.settings import Sandbox


class Rerunner:
    """Judges pairs in one box, which starts with the first of them. Thread-safe: who comes second waits.

    Args:
        settings: those of the run.
    """

    def __init__(self, settings: Sandbox) -> None:
        self._settings = settings.model_copy(update={"slots": 1})
        self._lock = Lock()
        self._pool: SandboxPool | None = None

    def run(self, pair: Pair) -> PairVerdict:
        """The verdict on a pair now.

        Raises:
            SandboxUnavailable: the sandbox does not work here.
        """
        with self._lock:
            if self._pool is None:
                self._pool = SandboxPool(self._settings)
            return self._pool.run(pair, Look(coverage=self._settings.coverage))

    def close(self) -> None:
        """End the box."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None
