"""The one client: requests of any thread through the durable cache and the budget to an endpoint.

All clients of a process share one event loop in a thread of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache, partial
from itertools import islice
from typing import cast

from anyio.from_thread import BlockingPortal, start_blocking_portal

from tasks.errors import TeacherStopped
from tasks.run import Purpose
from tasks.settings import Budget, Endpoint, Transport
from tasks.teachers.batches import BatchTransport
from tasks.teachers.budget import BudgetReached, Cost, Purse
from tasks.teachers.cache import ResponseCache, Use
from tasks.teachers.dispatcher import Dispatcher
from tasks.teachers.meter import METER, Outcome, Tally
from tasks.teachers.pending import STOPPED, Pending, Running, is_stopped
from tasks.teachers.requests import (
    Answer,
    EmbeddingRequest,
    Refused,
    Reply,
    Request,
    TeacherRequest,
    Vectors,
    WhyNot,
)
from tasks.teachers.writer import Writer
from tasks.timings import Waiting, waiting_for

STOP_GRACE_S = 10.0
"""How long requests in flight may still be answered when the run is stopped."""
_LOOKED_UP = 256
"""Requests whose answers are looked for on disk at a time."""
_FIRST_LOOK_S, _MOST_LOOK_S = 0.1, 2.0
"""Between two looks for an answer that another process is getting."""

Result = Answer | Refused
NOBODY = Purpose()
_purses: dict[tuple[str, str, Budget], Purse] = {}
_stack = ExitStack()


class TeacherClient:
    """Asks one endpoint. All threads of a process share its connections and its limits.

    Args:
        endpoint: of kind ``openai``.
        answers: where answers are kept.
        role: the endpoint's place in the config, for messages; `teachers.` is left out.

    Raises:
        BadInput: a key cannot be found.
    """

    def __init__(self, endpoint: Endpoint, answers: ResponseCache, role: str = "author") -> None:
        self.endpoint, self.answers = endpoint, answers
        self._portal = event_loop()
        self._dispatcher: Dispatcher = self._portal.call(Dispatcher.open, endpoint, role)
        self._writer = Writer(answers)
        self._batches = BatchTransport(endpoint, self._dispatcher.servers[0], answers)
        self._under_way: dict[str, Running] = {}
        self._lookups: dict[int, set[str]] = {}
        self._letting_go: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()

    def __repr__(self) -> str:
        return f"TeacherClient({self.endpoint.model!r} at {self.endpoint.base_url!r})"

    def close(self) -> None:
        """Close all connections."""
        self._portal.call(self._dispatcher.close)

    def stop(self) -> None:
        """Send nothing more; wait a little for what is in flight, then drop it. What was answered is on disk."""
        self._portal.call(self._stop)

    async def _stop(self) -> None:
        self._dispatcher.stop()
        self._stopping.set()
        self._batches.stop(TeacherStopped(STOPPED))
        running = [one.future for one in self._under_way.values()]
        if running:
            await asyncio.wait(running, timeout=STOP_GRACE_S)
        for future in running:
            future.cancel()

    @property
    def is_refused(self) -> bool:
        """Whether no server takes requests as things are, for its key or the model."""
        return self._dispatcher.is_refused

    def check(self) -> None:
        """Reach every server and have its key accepted, without asking the model anything.

        Raises:
            TeacherUnavailable: nothing answers at one of them.
            TeacherMisconfigured: a key is refused.
        """
        self._portal.call(self._dispatcher.check)

    def ask_all(self, requests: Sequence[TeacherRequest], purpose: Purpose = NOBODY) -> list[Result]:
        """Answers in the order of the requests; those on disk are not asked again. Call it from any thread.

        Raises:
            TeacherMisconfigured, TeacherUnavailable, TeacherStopped: what was answered is on disk.
        """
        with waiting_for(Waiting.TEACHER):
            found = cast("dict[int, Result]", dict(self._numbered(requests, purpose)))
        return [found[number] for number in range(len(requests))]

    def embed_all(self, requests: Sequence[EmbeddingRequest], purpose: Purpose = NOBODY) -> list[Vectors | Refused]:
        """Vectors in the order of the requests; what is on disk is for the caller to leave out.

        Raises:
            As ``ask_all``.
        """
        with waiting_for(Waiting.TEACHER):
            found = cast("dict[int, Vectors | Refused]", dict(self._numbered(requests, purpose)))
        return [found[number] for number in range(len(requests))]

    def ask_each(
        self, requests: Iterable[TeacherRequest], purpose: Purpose = NOBODY
    ) -> Iterator[tuple[TeacherRequest, Result]]:
        """Requests with their answers as these come, with no more of both in memory than are in flight.

        Raises:
            As ``ask_all``.
        """
        waiting: dict[int, TeacherRequest] = {}

        def noted() -> Iterator[TeacherRequest]:
            for number, request in enumerate(requests):
                waiting[number] = request
                yield request

        for number, result in self._numbered(noted(), purpose):
            yield waiting.pop(number), cast("Result", result)

    def _numbered(self, requests: Iterable[Request], purpose: Purpose) -> Iterator[tuple[int, Reply]]:
        source = enumerate(requests)
        pending = Pending()
        width = 2 * sum(route.max_in_flight for route in self.endpoint.all_routes)
        if self.endpoint.transport is Transport.BATCH:
            width = self.endpoint.batching.most_requests
        try:
            while True:
                # After a failure nothing is begun; what is in flight may be answered and paid for, and is waited for.
                if is_stopped(purpose.run):
                    pending.failure = pending.failure or TeacherStopped(STOPPED)
                fresh = [] if pending.failure else list(islice(source, max(0, width - len(pending))))
                METER.of(purpose.stage, self.endpoint.model).asked(len(fresh))
                yield from self._portal.call(self._advance, pending, fresh, purpose)
                if not fresh and not pending:
                    break
        finally:
            self._portal.call(pending.give_up)
        if pending.failure:
            raise pending.failure

    async def _advance(
        self, pending: Pending, fresh: list[tuple[int, Request]], purpose: Purpose
    ) -> list[tuple[int, Reply]]:
        """Begin fresh requests, and wait for the next ones to end; nothing where none is under way."""
        done: list[tuple[int, Reply]] = []
        tally = METER.of(purpose.stage, self.endpoint.model)
        for start in range(0, len(fresh), _LOOKED_UP):
            some = [(number, one, one.key(self.endpoint)) for number, one in fresh[start : start + _LOOKED_UP]]
            on_disk, ours = await self._take([key for _, one, key in some if isinstance(one, TeacherRequest)])
            known = [(number, one, on_disk[key]) for number, one, key in some if key in on_disk]
            if known:
                tally.ends(Outcome.CACHED, len(known))
                await self._writer.write([], [self._use(one, answer, purpose, False) for _, one, answer in known])
                done += [(number, answer) for number, _, answer in known]
            for number, request, key in some:
                if key not in on_disk:
                    pending.add(number, self._begin(request, key, purpose, key in ours))
        return done if done or not pending else await pending.ended()

    async def _take(self, keys: list[str]) -> tuple[dict[str, Answer], set[str]]:
        """The answers that are on disk, and of the rest the requests that this process is the one to ask.

        What another process was asking may have been answered, and let go of, after the first look.
        """
        found = await self._look_up(keys)
        missing = [key for key in keys if key not in found]
        if not missing or self.endpoint.transport is Transport.BATCH:  # batches are remembered, and shared, as such
            return found, set(missing)
        ours = await asyncio.to_thread(self.answers.claim, missing)
        late = await self._look_up(missing)
        if late:
            await asyncio.to_thread(self.answers.release, ours & set(late))
        return found | late, ours - set(late)

    async def _look_up(self, keys: list[str]) -> dict[str, Answer]:
        """The answers that are on disk by now, those included that came while this was looking."""
        came: set[str] = set()
        self._lookups[id(came)] = came
        try:
            found = await asyncio.to_thread(self.answers.get_many, keys)
            while late := [key for key in keys if key in came and key not in found]:
                found |= await asyncio.to_thread(self.answers.get_many, late)
        finally:
            del self._lookups[id(came)]
        return found

    def _begin(self, request: Request, key: str, purpose: Purpose, ours: bool) -> Running:
        """Equal requests that are under way at the same time are one request.

        Args:
            ours: whether this process is the one to ask; else another one has it under way.
        """
        tally = METER.of(purpose.stage, self.endpoint.model)
        if running := self._under_way.get(key):
            tally.merged()
            return running
        claimed = isinstance(request, TeacherRequest) and self.endpoint.transport is Transport.LIVE
        work = self._wait_or_ask if claimed and not ours else self._ask
        running = self._under_way[key] = Running(asyncio.ensure_future(work(request, key, purpose)))

        def ended(future: asyncio.Future[Reply]) -> None:
            self._under_way.pop(key, None)
            failed = future.cancelled() or future.exception()
            if failed:
                tally.ends(Outcome.ABANDONED)
            if claimed and (failed or isinstance(future.result(), Refused)):
                self._letting_go.add(task := asyncio.ensure_future(asyncio.to_thread(self.answers.release, [key])))
                task.add_done_callback(self._letting_go.discard)

        running.future.add_done_callback(ended)
        return running

    async def _wait_or_ask(self, request: Request, key: str, purpose: Purpose) -> Reply:
        """The answer that another process gets; where it gets none, or is gone, this one asks."""
        pause = _FIRST_LOOK_S
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                raise TeacherStopped(STOPPED)
            found, ours = await self._take([key])
            if answer := found.get(key):
                METER.of(purpose.stage, self.endpoint.model).ends(Outcome.CACHED)
                await self._writer.write([], [self._use(request, answer, purpose, False)])
                return answer
            if ours:
                return await self._ask(request, key, purpose)
            pause = min(_MOST_LOOK_S, 2 * pause)

    async def _ask(self, request: Request, key: str, purpose: Purpose) -> Reply:
        prompt, completion = request.worst_tokens()
        worst = Cost(prompt + completion, self.endpoint.prices.usd(prompt, completion) or 0.0)
        tally = METER.of(purpose.stage, self.endpoint.model)
        try:
            async with _purse(purpose, self.answers).aside(worst):
                result = await self._answer(request, key, purpose)
                if isinstance(result, Refused):
                    tally.ends(result.why.value)
                return result
        except BudgetReached:
            tally.ends(WhyNot.BUDGET.value)
            return Refused(why=WhyNot.BUDGET, message=_budget_message(purpose.budget))

    def _use(self, request: Request, answer: Answer | Vectors, purpose: Purpose, paid: bool) -> Use:
        return Use(
            run=purpose.run,
            stage=purpose.stage,
            key=answer.response_id,
            label=request.label,
            model=self.endpoint.model,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            usd=self.endpoint.prices.usd(answer.prompt_tokens, answer.completion_tokens),
            paid=int(paid),
            estimated=int(answer.estimated),
        )

    async def _keep(self, request: Request, purpose: Purpose, answer: Answer | Vectors) -> None:
        """Have an answer on disk, and its cost booked."""
        use = self._use(request, answer, purpose, True)
        tokens = use.prompt_tokens + use.completion_tokens
        purse, cost = _purse(purpose, self.answers), Cost(tokens, use.usd or 0.0)
        purse.paid(cost)
        await self._writer.write([answer], [use])
        purse.booked(cost)
        for came in self._lookups.values():
            came.add(answer.response_id)
        METER.of(purpose.stage, use.model).answered(request.path, use.prompt_tokens, use.completion_tokens, use.usd)

    async def _answer(self, request: Request, key: str, purpose: Purpose) -> Reply:
        keep = partial(self._keep, request, purpose)
        if self.endpoint.transport is Transport.BATCH and isinstance(request, TeacherRequest):
            return await self._batches.ask(request, key, keep)
        tally = METER.of(purpose.stage, self.endpoint.model)
        return await self._dispatcher.ask(request, key, keep, partial(self._failed, purpose, tally), tally)

    def _failed(self, purpose: Purpose, tally: Tally, kind: str) -> None:
        """A try failed, and another may follow."""
        tally.failed(kind)
        self._writer.failed(purpose.run, purpose.stage, kind)


def _budget_message(budget: Budget) -> str:
    caps = [f"${budget.usd:g}"] if budget.usd is not None else []
    caps += [f"{budget.tokens:,} tokens"] if budget.tokens is not None else []
    return f"not asked: its worst case is more than what is left of the budget of {' and '.join(caps)}"


@cache
def event_loop() -> BlockingPortal:
    """The loop that all clients of this process share, in a thread of its own; it ends with the process."""
    atexit.register(_stack.close)
    return _stack.enter_context(start_blocking_portal())


def _purse(purpose: Purpose, answers: ResponseCache) -> Purse:
    """The purse of a run, which the clients of all roles share. For the event loop."""
    place = (answers.path, purpose.run, purpose.budget)
    if place not in _purses:
        _purses[place] = Purse(purpose.budget, purpose.run, answers)
    return _purses[place]
