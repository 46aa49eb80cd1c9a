"""Requests under way, and who waits for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tasks.errors import TeacherStopped
from tasks.teachers.requests import Reply

STOPPED = "the run was stopped; answers received so far are kept, run the same command to go on"

_stopped_runs: set[str] = set()


def stop_run(account: str) -> None:
    """Begin no more requests of a run, in a worker process that other runs may share."""
    _stopped_runs.add(account)


def start_run(account: str) -> None:
    """Let a run ask, which may have been stopped before."""
    _stopped_runs.discard(account)


def is_stopped(account: str) -> bool:
    """Whether ``stop_run`` was called for a run."""
    return account in _stopped_runs


@dataclass
class Running:
    """A request under way, and how many callers wait for it."""

    future: asyncio.Future[Reply]
    waiting: int = 0

    def give_up(self) -> None:
        """One caller waits no longer."""
        self.waiting -= 1
        if not self.waiting:
            self.future.cancel()


class Pending:
    """What one caller waits for, by the numbers of its requests, and the first failure. For the event loop.

    Ended requests note themselves: looking for them among hundreds would take longer than to ask.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self._numbers: dict[asyncio.Future[Reply], list[int]] = {}
        self._running: dict[asyncio.Future[Reply], Running] = {}
        self._ended: list[asyncio.Future[Reply]] = []
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, running: Running) -> None:
        """Wait for a request too."""
        if running.future in self._numbers:
            self._numbers[running.future].append(number)
            return
        running.waiting += 1
        self._numbers[running.future], self._running[running.future] = [number], running
        running.future.add_done_callback(self._note)

    def _note(self, future: asyncio.Future[Reply]) -> None:
        self._ended.append(future)
        self._changed.set()

    async def ended(self) -> list[tuple[int, Reply]]:
        """Wait until something has ended, and take it out."""
        await self._changed.wait()
        self._changed.clear()
        ended, self._ended = self._ended, []
        done = []
        for future in ended:
            numbers = self._numbers.pop(future)
            del self._running[future]
            if future.cancelled() or future.exception() is not None:
                cause = TeacherStopped(STOPPED) if future.cancelled() else future.exception()
                self.failure = self.failure or cause
            else:
                done += [(number, future.result()) for number in numbers]
        return done

    async def give_up(self) -> None:
        """Wait for nothing any more."""
        for running in self._running.values():
            running.give_up()
