"""Where the seconds of a task go: waiting for teachers, for the sandbox, or its own work.

It is the task's own thread that waits; what others do meanwhile is not added up, so that the parts make the whole.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Waiting(StrEnum):
    """What a task waits for."""

    TEACHER = "teacher"
    SANDBOX = "sandbox"


@dataclass
class Spent:
    """Seconds of one task."""

    total: float = 0.0
    teacher: float = 0.0
    sandbox: float = 0.0

    @property
    def other(self) -> float:
        """Its own work: reading, comparing, writing."""
        return max(0.0, self.total - self.teacher - self.sandbox)


_SPENT: ContextVar[Spent | None] = ContextVar("_SPENT", default=None)


@contextmanager
def measured() -> Iterator[Spent]:
    """Measure the block; what it yields is complete when the block has ended."""
    spent = Spent()
    token, started = _SPENT.set(spent), time.monotonic()
    try:
        yield spent
    finally:
        spent.total = time.monotonic() - started
        _SPENT.reset(token)


@contextmanager
def waiting_for(what: Waiting) -> Iterator[None]:
    """Count the block's seconds as waiting; nothing where no task is measured."""
    spent, started = _SPENT.get(), time.monotonic()
    try:
        yield
    finally:
        if spent is not None:
            setattr(spent, what, getattr(spent, what) + time.monotonic() - started)
