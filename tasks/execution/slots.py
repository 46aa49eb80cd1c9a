"""Boxes for cases: so many at work at once, others idle; one is replaced after any anomaly and after so many cases."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import cache

from tasks import metrics
from tasks.errors import SandboxUnavailable
from tasks.execution import bubblewrap
from tasks.execution.box import Box, Flavour
from tasks.execution.environment import site_digest
from tasks.execution.protocol import Case, Evidence, Kind
from tasks.settings import Backend, Sandbox

_IDLE_PER_SLOT, _LEAST_IDLE = 4, 12
"""So many boxes may be idle; of more the one that was used longest ago is ended. Two re-runs make three flavours out of
each set of preloaded modules."""


class BoxKiller(Exception):
    """Two boxes died under a case while another case ran well: the case did it."""


@cache
def resolve_backend(settings: Sandbox) -> Backend:
    """The backend that ``auto`` stands for on this machine: Docker where a daemon answers and has the image.

    Decided once in a process: a daemon that dies meanwhile is waited for, and no other backend does its work.
    """
    if settings.backend is not Backend.AUTO:
        return settings.backend
    from tasks.execution.image import has_image  # noqa: PLC0415 - Docker's client takes long to import

    return Backend.DOCKER if has_image(settings.image, settings.layers) else Backend.BUBBLEWRAP


DIED = "died"
"""Of the causes that a box ended for, the one that somebody should know of."""


class Slots:
    """``settings.slots`` boxes at work at once. Thread-safe.

    Attributes:
        busy: slots with a case in them; ``waiting``: cases that wait for one.

    Args:
        canary: whether a fresh box judges a pair of known verdict rightly; asked when boxes die under a case.

    Raises:
        SandboxUnavailable: there is no image to start boxes from.
    """

    def __init__(self, settings: Sandbox, canary: Callable[[Box], bool]) -> None:
        self.settings, self._canary = settings, canary
        self.backend = resolve_backend(settings)
        self._start: Callable[[Sandbox, Flavour], Box]
        if self.backend is Backend.DOCKER:
            from tasks.execution import dockerbox  # noqa: PLC0415 - as above
            from tasks.execution.image import image_id  # noqa: PLC0415

            self._start, self.image = dockerbox.start_box, image_id(settings.image, settings.layers)
        else:
            self._start, self.image = bubblewrap.start_box, site_digest(settings.layers)
        self._free = threading.Semaphore(settings.slots)
        self.waiting = self.busy = 0
        self._counting = threading.Lock()
        self._idle: list[tuple[Flavour, Box]] = []
        """The last used at the end."""
        self._idle_lock = threading.Lock()
        self._closed = threading.Event()
        self._closing = threading.Lock()
        threading.Thread(target=self._warm_up, name="sandbox-warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        """Start the boxes before they are needed. What fails here fails again, and is told, where a case needs it."""
        usual = Flavour()
        for _ in range(self.settings.slots):
            if self._closed.is_set() or not self._free.acquire(blocking=False):
                return
            try:
                with contextlib.suppress(SandboxUnavailable):
                    self._put_back(usual, self._start(self.settings, usual))
            finally:
                self._free.release()

    def close(self) -> None:
        """End all boxes; waits for cases under way. Closing again does nothing."""
        with self._closing:
            if self._closed.is_set():
                return
            self._closed.set()
        for _ in range(self.settings.slots):
            self._free.acquire()
        for _, box in self._idle:
            box.close()

    def run(self, kind: Kind, case: Case, flavour: Flavour) -> Evidence:
        """Run a case in a box of a flavour, once more in a fresh one if it dies under the case.

        Raises:
            BoxKiller: boxes die under this case, and under no other.
            SandboxUnavailable: the sandbox itself fails.
        """
        with self._slot():
            for idle in (self._taken(flavour), None):
                box = idle or self._start(self.settings, flavour)
                try:
                    evidence = box.run(kind, case)
                except SandboxUnavailable as error:
                    self._end(box, DIED)
                    death = error
                    continue
                if suspicious(evidence):
                    self._end(box, "suspicious")
                elif box.cases >= self.settings.recycle_after:
                    self._end(box, "used up")
                else:
                    self._put_back(flavour, box)
                return evidence
            with contextlib.closing(self._start(self.settings, flavour)) as box:
                if not self._canary(box):
                    raise death
            raise BoxKiller

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        """Wait for a free slot, and hold it."""
        self._count(waiting=1)
        try:
            self._free.acquire()
        finally:
            self._count(waiting=-1)
        self._count(busy=1)
        try:
            yield
        finally:
            self._count(busy=-1)
            self._free.release()

    def _count(self, waiting: int = 0, busy: int = 0) -> None:
        with self._counting:
            self.waiting += waiting
            self.busy += busy

    def _end(self, box: Box, cause: str) -> None:
        """End a box that is not to be used again."""
        metrics.BOXES.add(1, {"cause": cause, "backend": self.backend.value})
        box.close()

    def _taken(self, flavour: Flavour) -> Box | None:
        """An idle box of a flavour: the one used last, which has most of its memory in the CPU's caches."""
        with self._idle_lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][0] == flavour:
                    return self._idle.pop(place)[1]
        return None

    def _put_back(self, flavour: Flavour, box: Box) -> None:
        most = max(_LEAST_IDLE, _IDLE_PER_SLOT * self.settings.slots)
        with self._idle_lock:
            self._idle.append((flavour, box))
            old = self._idle.pop(0)[1] if len(self._idle) > most else None
        if old:
            self._end(old, "idle")


def suspicious(evidence: Evidence) -> bool:
    """Whether the box may carry traces of this case into the next."""
    own_end = evidence.exit_code is not None and evidence.signal is None
    return (
        evidence.timed_out
        or evidence.output_exceeded
        or not own_end
        or evidence.leftover_processes > 0
        or not evidence.clean
    )
