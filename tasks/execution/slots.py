"""Boxes in slots: each case waits for a free one; a box is replaced after any anomaly and after so many cases."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable

from tasks.errors import SandboxUnavailable
from tasks.execution import bubblewrap, dockerbox
from tasks.execution.box import Box, Flavour
from tasks.execution.environment import site_digest
from tasks.execution.image import has_image, image_id
from tasks.execution.protocol import Case, Evidence, Kind
from tasks.settings import Backend, Sandbox

_MOST_BOXES = 4
"""Boxes of different flavours that wait in a slot; of more the one that was used longest ago is ended."""


class BoxKiller(Exception):
    """Two boxes died under a case while another case ran well: the case did it."""


def resolve_backend(settings: Sandbox) -> Backend:
    """The backend that ``auto`` stands for on this machine: Docker where a daemon answers and has the image."""
    if settings.backend is not Backend.AUTO:
        return settings.backend
    return Backend.DOCKER if has_image(settings.image, settings.layers) else Backend.BUBBLEWRAP


class Slots:
    """``settings.slots`` places for boxes. Thread-safe.

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
            self._start, self.image = dockerbox.start_box, image_id(settings.image, settings.layers)
        else:
            self._start, self.image = bubblewrap.start_box, site_digest(settings.layers)
        self._free: queue.LifoQueue[dict[Flavour, Box]] = queue.LifoQueue()
        for _ in range(settings.slots):
            self._free.put({})
        self._closed = threading.Event()
        threading.Thread(target=self._warm_up, name="sandbox-warm-up", daemon=True).start()

    def _warm_up(self) -> None:
        """Start the boxes before they are needed. What fails here fails again, and is told, where a case needs it."""
        for _ in range(self.settings.slots):
            try:
                slot = self._free.get_nowait()
            except queue.Empty:
                return
            try:
                if not slot and not self._closed.is_set():
                    with contextlib.suppress(SandboxUnavailable):
                        slot[Flavour()] = self._start(self.settings, Flavour())
            finally:
                self._free.put(slot)

    def close(self) -> None:
        """End all boxes; waits for cases under way."""
        self._closed.set()
        for _ in range(self.settings.slots):
            for box in self._free.get().values():
                box.close()

    def run(self, kind: Kind, case: Case, flavour: Flavour) -> Evidence:
        """Run a case in a box of a flavour, once more in a fresh one if it dies under the case.

        Raises:
            BoxKiller: boxes die under this case, and under no other.
            SandboxUnavailable: the sandbox itself fails.
        """
        slot = self._free.get()
        try:
            for _ in range(2):
                box = slot.pop(flavour, None) or self._start(self.settings, flavour)
                try:
                    evidence = box.run(kind, case)
                except SandboxUnavailable as error:
                    box.close()
                    death = error
                    continue
                if suspicious(evidence) or box.cases >= self.settings.recycle_after:
                    box.close()
                else:
                    slot[flavour] = box  # the last, as it was taken out
                    if len(slot) > _MOST_BOXES:
                        slot.pop(next(iter(slot))).close()
                return evidence
            box = slot[flavour] = self._start(self.settings, flavour)
            if not self._canary(box):
                raise death
            raise BoxKiller
        finally:
            self._free.put(slot)


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
