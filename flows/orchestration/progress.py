"""How far a long stage is: a progress artifact in the Prefect UI and lines in the log, with what the teachers do."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from tasks.teachers.meter import METER

EVERY_S = 10.0


@contextmanager
def stage_progress(stage: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show progress for as long as the block lasts; yields a callback that takes the number of finished shards."""
    logger = get_run_logger()
    artifact = create_progress_artifact(0.0, key=f"{stage}-progress", description=f"Shards of {stage}")
    assert isinstance(artifact, UUID)
    state = _State(total)
    ended = threading.Event()

    def show() -> None:
        text = f"{stage}: {state}"
        logger.info("%s", text)
        try:
            update_progress_artifact(artifact, progress=state.percent, description=text)
        except Exception as error:  # a server that is busy must not stop the work that it shows
            logger.debug("the progress could not be shown: %s", error)

    def tick() -> None:
        while not ended.wait(EVERY_S):
            show()

    def advance(done: int) -> None:
        state.done = done
        show()

    thread = threading.Thread(
        target=contextvars.copy_context().run, args=(tick,), daemon=True, name=f"{stage}-progress"
    )
    thread.start()
    try:
        yield advance
    finally:
        ended.set()
        thread.join(EVERY_S)  # not for as long as its client tries again where the server is away


class _State:
    def __init__(self, total: int) -> None:
        self._total, self._started = total, time.monotonic()
        self.done = 0

    @property
    def percent(self) -> float:
        return 100.0 * self.done / self._total if self._total else 100.0

    def __str__(self) -> str:
        parts = [f"{self.done} of {self._total} shards"]
        if self.done < self._total and (eta := self._eta_s()) is not None:
            parts.append(f"about {_span(eta)} to go")
        reading = METER.read()
        if reading.asked or reading.answered:
            parts.append(str(reading))
        return ", ".join(parts)

    def _eta_s(self) -> float | None:
        if self.done:
            return (time.monotonic() - self._started) / self.done * (self._total - self.done)
        return METER.read().eta_s


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
