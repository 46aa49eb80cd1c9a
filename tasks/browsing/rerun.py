"""A row run again in the sandbox, as it is and with the run's own limits; one at a time."""

from __future__ import annotations

from threading import BoundedSemaphore, Lock

from tasks.errors import KodforgeError, SandboxUnavailable
from tasks.execution.pool import Look, SandboxPool
from tasks.models import Pair, PairVerdict
from tasks.settings import Sandbox


class RerunBusy(KodforgeError):
    """One row is run again and another waits for that: no more are taken."""


class Rerunner:
    """Judges pairs in one box, which starts with the first of them. Thread-safe: who comes second waits.

    Args:
        settings: those of the run.
    """

    def __init__(self, settings: Sandbox) -> None:
        self._settings = settings.model_copy(update={"slots": 1})
        self._room = BoundedSemaphore(2)
        self._lock = Lock()
        self._closed = False
        self._pool: SandboxPool | None = None

    def run(self, pair: Pair) -> PairVerdict:
        """The verdict on a pair now.

        Raises:
            SandboxUnavailable: the sandbox does not work here, or the box was ended for good.
            RerunBusy: two others are under way.
        """
        if not self._room.acquire(blocking=False):
            raise RerunBusy(f"one row is run at a time, and another waits before {pair.id}. Try again in a moment")
        try:
            return self._run(pair)
        finally:
            self._room.release()

    def _run(self, pair: Pair) -> PairVerdict:
        with self._lock:
            if self._closed:
                raise SandboxUnavailable(f"this server is being stopped. Start it again, and run {pair.id} there")
            if self._pool is None:
                self._pool = SandboxPool(self._settings)
            return self._pool.run(pair, Look(coverage=self._settings.coverage))

    def close(self) -> None:
        """End the box, after the pair that it runs; nothing is run any more."""
        self._closed = True
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None
