"""Limits that all workers share, kept by the Prefect server: requests in flight, and requests per second.

A slot is used for one request after the other for a while before it is given back, and permissions of a rate are
fetched for all that wait at once: asking the server for each request would cost more than many a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client

from tasks.errors import BadInput, TeacherUnavailable

T = TypeVar("T")
HOLD_S = 10.0
"""How long a process keeps a slot that it has use for. Others may be waiting for it."""
LEASE_S = 60.0
"""After so long without a renewal the server takes a slot back: the least that it grants."""
_IDLE_S = 0.5
_RENEW_S = LEASE_S / 4
_AGAIN_S = 60.0
"""How long a Prefect server that does not answer is waited for."""
_MOST_PAUSE_S = 2.0
_LOCKED, _GONE = 423, 410


class _LeaseLost(Exception):
    """The server has taken the slot back, or somebody has given it back."""


class _Prefect:
    """A connection to the server, opened when it is first needed. For one event loop."""

    def __init__(self, limit: str) -> None:
        self._limit = limit
        self._client: PrefectClient | None = None
        self._opening = asyncio.Lock()

    async def ask(self, question: Callable[[PrefectClient], Awaitable[T]]) -> T | None:
        """What the server answers; None where it grants nothing now.

        Raises:
            BadInput: there is no such limit.
            TeacherUnavailable: the server did not answer for a minute.
            _LeaseLost: it does not have the lease that it was asked of.
        """
        deadline, pause = time.monotonic() + _AGAIN_S, 0.2
        while True:
            try:
                async with self._opening:
                    if self._client is None:
                        self._client = await get_client().__aenter__()
                return await question(self._client)
            except httpx.HTTPStatusError as error:
                if error.response.status_code == _LOCKED:
                    return None
                if error.response.status_code == 404:
                    raise self.unknown() from error
                if error.response.status_code == _GONE:
                    raise _LeaseLost from error
                problem: Exception = error
            except (httpx.HTTPError, RuntimeError) as error:
                problem = error
            if time.monotonic() > deadline:
                raise TeacherUnavailable(
                    f"the Prefect server, which keeps the limit {self._limit!r}, did not answer for {_AGAIN_S:g} s "
                    f"({type(problem).__name__} {problem}). Run again when it is well"
                ) from problem
            await asyncio.sleep(pause)
            pause = min(_MOST_PAUSE_S, 2 * pause)

    def unknown(self) -> BadInput:
        return BadInput(
            f"there is no Prefect global concurrency limit {self._limit!r}. Make it: prefect gcl create {self._limit} "
            f"--limit 10"
        )


@dataclass(eq=False)
class _Slot:
    lease: UUID
    until: float


class SharedSlots:
    """The slots of a limit that this process holds. For one event loop.

    Args:
        name: of a Prefect global concurrency limit without slot decay.
    """

    def __init__(self, name: str) -> None:
        self._name, self._prefect = name, _Prefect(name)
        self._free: list[_Slot] = []
        self._held: set[_Slot] = set()
        self._waiting: deque[asyncio.Future[_Slot]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._buyer: asyncio.Task[None] | None = None
        self._renewer: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold a slot for as long as the block lasts; waits for one.

        Raises:
            BadInput: there is no such limit.
            TeacherUnavailable: the Prefect server does not answer.
        """
        slot = self._free.pop() if self._free else await self._wait()
        try:
            yield
        finally:
            self._done(slot)

    async def _wait(self) -> _Slot:
        turn: asyncio.Future[_Slot] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if self._buyer is None or self._buyer.done():
            self._buyer = asyncio.ensure_future(self._buy())
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and not turn.exception():
                self._done(turn.result())
            raise

    def _next(self) -> asyncio.Future[_Slot] | None:
        """Whoever has waited longest and still does."""
        while self._waiting:
            if not (turn := self._waiting.popleft()).done():
                return turn
        return None

    def _done(self, slot: _Slot) -> None:
        """A request with this slot has ended: it is another one's, is kept for a moment, or given back."""
        if time.monotonic() >= slot.until:
            self._spawn(self._give_back(slot))
        elif turn := self._next():
            turn.set_result(slot)
        else:
            self._free.append(slot)
            asyncio.get_running_loop().call_later(_IDLE_S, self._unused, slot)

    def _unused(self, slot: _Slot) -> None:
        if slot in self._free:
            self._free.remove(slot)
            self._spawn(self._give_back(slot))

    async def _buy(self) -> None:
        """Get slots for those that wait, one after the other."""
        pause = _IDLE_S
        try:
            while any(not turn.done() for turn in self._waiting):
                found = await self._prefect.ask(self._increment)
                if found is None:
                    await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - workers ask at different times
                    pause = min(_MOST_PAUSE_S, 1.5 * pause)
                    continue
                pause = _IDLE_S
                slot = _Slot(found, time.monotonic() + HOLD_S)
                self._held.add(slot)
                if self._renewer is None or self._renewer.done():
                    self._renewer = asyncio.ensure_future(self._renew())
                self._done(slot)
        except Exception as error:
            while turn := self._next():
                turn.set_exception(error)

    async def _increment(self, client: PrefectClient) -> UUID:
        response = await client.increment_concurrency_slots_with_lease(
            names=[self._name], slots=1, mode="concurrency", lease_duration=LEASE_S
        )
        found: dict[str, Any] = response.json()
        if not found["limits"]:
            raise self._prefect.unknown()
        return UUID(found["lease_id"])

    async def _renew(self) -> None:
        while self._held:
            await asyncio.sleep(_RENEW_S)
            await asyncio.gather(*map(self._renew_one, self._held))

    async def _renew_one(self, slot: _Slot) -> None:
        try:
            await self._prefect.ask(
                lambda client: client.renew_concurrency_lease(lease_id=slot.lease, lease_duration=LEASE_S)
            )
        except (BadInput, TeacherUnavailable, _LeaseLost):
            # It may be another's by now: the request under way ends, no other one begins.
            slot.until = 0.0

    async def _give_back(self, slot: _Slot) -> None:
        self._held.discard(slot)
        with contextlib.suppress(BadInput, TeacherUnavailable, _LeaseLost):  # then its lease ends
            await self._prefect.ask(lambda client: client.release_concurrency_slots_with_lease(lease_id=slot.lease))

    def _spawn(self, work: Any) -> None:
        self._tasks.add(task := asyncio.ensure_future(work))
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give back all slots that no request has."""
        while self._free:
            self._spawn(self._give_back(self._free.pop()))
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_MOST_PAUSE_S)


class SharedRate:
    """Permissions of a rate that all workers share. For one event loop.

    Args:
        name: of a Prefect global concurrency limit with slot decay.
    """

    def __init__(self, name: str) -> None:
        self._name, self._prefect = name, _Prefect(name)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._buyer: asyncio.Task[None] | None = None
        self._limit = 0

    async def one(self) -> None:
        """Wait until one more request may go.

        Raises:
            BadInput: there is no such limit.
            TeacherUnavailable: the Prefect server does not answer.
        """
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if self._buyer is None or self._buyer.done():
            self._buyer = asyncio.ensure_future(self._buy())
        await turn

    async def _buy(self) -> None:
        try:
            if not self._limit:
                found = await self._prefect.ask(lambda client: client.read_global_concurrency_limit_by_name(self._name))
                self._limit = found.limit if found else 1
            share = wanted = max(1, self._limit // 4)  # others wait, too
            while waiting := [turn for turn in self._waiting if not turn.done()]:
                self._waiting = deque(waiting)
                count = min(wanted, len(waiting))
                granted = await self._prefect.ask(
                    lambda client, count=count: client.increment_concurrency_slots(  # type: ignore[misc]
                        names=[self._name], slots=count, mode="rate_limit"
                    )
                )
                if granted is None:
                    wanted = max(1, count // 2)
                    await asyncio.sleep(0.02 if count > 1 else _IDLE_S / 5)
                    continue
                wanted = share
                while count and self._waiting:
                    if not (turn := self._waiting.popleft()).done():
                        turn.set_result(None)
                        count -= 1
        except Exception as error:
            for turn in self._waiting:
                if not turn.done():
                    turn.set_exception(error)
            self._waiting.clear()


_slots: dict[str, SharedSlots] = {}
_rates: dict[str, SharedRate] = {}


@asynccontextmanager
async def holding(slots: str, rate: str) -> AsyncIterator[None]:
    """Hold a slot, and have a permission of a rate, of the limits of these names; empty for none.

    Raises:
        BadInput: there is no such limit.
        TeacherUnavailable: the Prefect server does not answer.
    """
    async with contextlib.AsyncExitStack() as stack:
        if slots:
            await stack.enter_async_context(_slots.setdefault(slots, SharedSlots(slots)).one())
        if rate:
            await _rates.setdefault(rate, SharedRate(rate)).one()
        yield


async def give_back() -> None:
    """Give back the slots that this process holds for nothing, as it ends."""
    await asyncio.gather(*(slots.close() for slots in _slots.values()))
