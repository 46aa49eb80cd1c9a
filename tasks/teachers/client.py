"""The one client: requests of any thread through the durable cache to the servers of an endpoint.

All clients of a process share one event loop in a thread of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache, partial
from itertools import islice
from typing import cast

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tasks.errors import TeacherMisconfigured, TeacherStopped, TeacherUnavailable
from tasks.run import Purpose
from tasks.settings import Budget, Endpoint, Sampling, Transport
from tasks.teachers.batches import BatchTransport
from tasks.teachers.budget import BudgetReached, Cost, Purse
from tasks.teachers.cache import ResponseCache, Use
from tasks.teachers.faults import Misconfigured, Retry, check_status
from tasks.teachers.meter import METER
from tasks.teachers.pending import STOPPED, Pending, Running
from tasks.teachers.requests import (
    Answer,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    Refused,
    Reply,
    Request,
    TeacherRequest,
    Vectors,
    WhyNot,
)
from tasks.teachers.servers import Server, next_of
from tasks.teachers.wire import body, read_reply
from tasks.teachers.writer import Writer

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 60.0
STOP_GRACE_S = 10.0
"""How long requests in flight may still be answered when the run is stopped."""
_LOOKED_UP = 256
"""Requests whose answers are looked for on disk at a time."""
_IDLE_S = 1.0

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
        self.place = role if role.startswith("evaluation.") else f"teachers.{role}"
        self._portal = event_loop()
        self.servers: list[Server] = self._portal.call(self._open)
        self._writer = Writer(answers)
        self._batches = BatchTransport(endpoint, self.servers[0], answers)
        self._under_way: dict[str, Running] = {}
        self._lookups: dict[int, set[str]] = {}
        self._stopped = False

    def __repr__(self) -> str:
        return f"TeacherClient({self.endpoint.model!r} at {self.endpoint.base_url!r})"

    async def _open(self) -> list[Server]:
        self._turn, self._freed = asyncio.Lock(), asyncio.Event()
        return [await Server.open(route, self.endpoint) for route in self.endpoint.all_routes]

    def close(self) -> None:
        """Close all connections."""
        self._portal.call(self._close)

    async def _close(self) -> None:
        for server in self.servers:
            await server.http.aclose()

    def stop(self) -> None:
        """Send nothing more; wait a little for what is in flight, then drop it. What was answered is on disk."""
        self._portal.call(self._stop)

    async def _stop(self) -> None:
        self._stopped = True
        self._freed.set()
        self._batches.stop(TeacherStopped(STOPPED))
        running = [one.future for one in self._under_way.values()]
        if running:
            await asyncio.wait(running, timeout=STOP_GRACE_S)
        for future in running:
            future.cancel()

    def check(self) -> None:
        """Reach every server and have its key accepted, without asking the model anything.

        Raises:
            TeacherUnavailable: nothing answers at one of them.
            TeacherMisconfigured: a key is refused.
        """
        for server in self.servers:
            try:
                response = self._portal.call(server.http.get, "/models")
            except httpx.HTTPError as error:
                cause = server.scrub(str(error)) or type(error).__name__
                raise TeacherUnavailable(
                    f"the endpoint {server.route.base_url} cannot be reached ({cause}). Is it running, and is "
                    f"{self.place}.base_url right?"
                ) from None
            if response.status_code in (401, 403):
                raise self._misconfigured(server, response.status_code)

    def _misconfigured(self, server: Server, status: int) -> TeacherMisconfigured:
        if status == 404:
            what = f"does not know the path or the model {server.model!r}; set base_url (it ends in /v1) or model"
        elif status == 402:
            what = "says that the account has no credit left; add some, and run the same command again"
        elif where := server.route.api_key_env or server.route.api_key_block:
            what = f"refuses the key in {where!r}; put a valid one there"
        else:
            what = f"wants a key; name the environment variable that holds it: --set {self.place}.api_key_env=X"
        return TeacherMisconfigured(f"the endpoint {server.route.base_url} answers {status}: it {what}")

    def ask_all(self, requests: Sequence[TeacherRequest], purpose: Purpose = NOBODY) -> list[Result]:
        """Answers in the order of the requests; those on disk are not asked again. Call it from any thread.

        Raises:
            TeacherMisconfigured, TeacherUnavailable, TeacherStopped: what was answered is on disk.
        """
        found = cast("dict[int, Result]", dict(self._numbered(requests, purpose)))
        return [found[number] for number in range(len(requests))]

    def embed_all(self, requests: Sequence[EmbeddingRequest], purpose: Purpose = NOBODY) -> list[Vectors | Refused]:
        """Vectors in the order of the requests; what is on disk is for the caller to leave out.

        Raises:
            As ``ask_all``.
        """
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
                fresh = [] if pending.failure else list(islice(source, max(0, width - len(pending))))
                METER.asked(len(fresh))
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
        for start in range(0, len(fresh), _LOOKED_UP):
            some = [(number, one, one.key(self.endpoint)) for number, one in fresh[start : start + _LOOKED_UP]]
            on_disk = await self._look_up([key for _, one, key in some if isinstance(one, TeacherRequest)])
            known = [(number, one, on_disk[key]) for number, one, key in some if key in on_disk]
            if known:
                METER.cached(len(known))
                await self._writer.write([], [self._use(one, answer, purpose, False) for _, one, answer in known])
                done += [(number, answer) for number, _, answer in known]
            for number, request, key in some:
                if key not in on_disk:
                    pending.add(number, self._begin(request, key, purpose))
        return done if done or not pending else await pending.ended()

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

    def _begin(self, request: Request, key: str, purpose: Purpose) -> Running:
        """Equal requests that are under way at the same time are one request."""
        if running := self._under_way.get(key):
            METER.dropped()
            return running
        running = self._under_way[key] = Running(asyncio.ensure_future(self._ask(request, key, purpose)))
        running.future.add_done_callback(lambda _: self._under_way.pop(key, None))
        return running

    async def _ask(self, request: Request, key: str, purpose: Purpose) -> Reply:
        prompt, completion = request.worst_tokens()
        worst = Cost(prompt + completion, self.endpoint.prices.usd(prompt, completion) or 0.0)
        try:
            async with _purse(purpose, self.answers).aside(worst):
                result = await self._answer(request, key, purpose)
                if isinstance(result, Refused):
                    METER.dropped()
                    METER.failed(result.why.value)
                return result
        except BudgetReached:
            METER.dropped()
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
        _purse(purpose, self.answers).paid(Cost(tokens, use.usd or 0.0))
        await self._writer.write([answer], [use])
        for came in self._lookups.values():
            came.add(answer.response_id)
        METER.answered(tokens, use.usd)

    async def _answer(self, request: Request, key: str, purpose: Purpose) -> Reply:
        """Try until there is an answer, or no hope of one.

        Raises:
            TeacherUnavailable: the endpoint is not well: no request was answered while this one was tried.
        """
        if self.endpoint.transport is Transport.BATCH and isinstance(request, TeacherRequest):
            return await self._batches.ask(request, key, partial(self._keep, request, purpose))
        answers_before = sum(server.answers for server in self.servers)
        failed: Server | None = None
        cause = ""
        for number in range(self.endpoint.retries + 1):
            server = await self._server(request.likely_tokens(), failed)
            try:
                return await self._try(server, request, key, purpose)
            except Retry as retry:
                METER.failed(retry.kind)
                cause, failed = f"{server.route.base_url}: {server.scrub(str(retry))}", server
                delay = retry.after_s
                if delay is None:
                    delay = min(MAX_DELAY_S, FIRST_DELAY_S * 2**number) * random.uniform(0.5, 1)  # noqa: S311
                if number < self.endpoint.retries and not (self._others_well(server) and retry.after_s is None):
                    await asyncio.sleep(delay)
        if sum(server.answers for server in self.servers) > answers_before or await self._is_well(request):
            return Refused(
                why=WhyNot.FAILED,
                message=f"failed {self.endpoint.retries + 1} times while others did not, last: {cause}",
            )
        raise TeacherUnavailable(
            f"the endpoint failed {self.endpoint.retries + 1} times, last {cause}. "
            f"Answers received so far are kept; run again when it is well"
        )

    async def _is_well(self, request: Request) -> bool:
        """Whether a server answers a request of one token, where there was no other to tell by: the last of a run."""
        short = Sampling(max_tokens=1)
        probe: Request = CompletionRequest(prompt="Yes", sampling=short, seed=0)
        if isinstance(request, ChatRequest):
            probe = ChatRequest(messages=(("user", "Say yes."),), sampling=short, seed=0)
        elif isinstance(request, EmbeddingRequest):
            probe = EmbeddingRequest(texts=("Yes",), keys=(b"",), dimensions=request.dimensions)
        for server in self.servers:
            with contextlib.suppress(Retry):
                response = await server.post(probe.path, body(probe, self.endpoint, server.model))
                if response.status == 200:
                    return True
        return False

    def _others_well(self, server: Server) -> bool:
        return any(other is not server and not other.ill_s for other in self.servers)

    async def _server(self, tokens: int, avoid: Server | None) -> Server:
        """Wait until a server may be asked, and count one more in flight there; first come, first served.

        Args:
            avoid: the one that has just failed.
        """
        async with self._turn:
            while True:
                if self._stopped:
                    raise TeacherStopped(STOPPED)
                well = [server for server in self.servers if not server.ill_s] or self.servers
                free = [server for server in well if server.has_room]
                waits = {id(server): server.allowance.wait_s(tokens) for server in free}
                ready = [server for server in free if not waits[id(server)]]
                if ready:
                    found = next_of(ready, avoid)
                    found.allowance.take(tokens)
                    found.in_flight.now += 1
                    METER.sent(1)
                    return found
                self._freed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min([_IDLE_S, *waits.values()])):
                        await self._freed.wait()

    async def _try(self, server: Server, request: Request, key: str, purpose: Purpose) -> Reply:
        """Ask once.

        The next request goes out only when this one's answer is on disk: what a crash can lose, and a later run pays
        for again, is never more than what may be in flight.
        """
        sent_at = time.monotonic()
        try:
            async with server.shared_limits():
                sent_at = time.monotonic()
                response = await server.post(request.path, body(request, self.endpoint, server.model))
            if response.has_limits:
                server.allowance.hear(response.headers)
            if (refused := check_status(response.status, response.headers, response.text)) is not None:
                return refused
            try:
                answer = read_reply(response.data, request, key)
            except ValueError as error:
                what = "embedding" if isinstance(request, EmbeddingRequest) else "completion"
                raise Retry(f"no {what}", f"a body that is no {what} ({str(error)[:200]})") from None
            used = answer.prompt_tokens + answer.completion_tokens
            server.allowance.correct(used - request.likely_tokens())
            server.succeeded()
            await self._keep(request, purpose, answer)
            return answer
        except Retry as retry:
            server.failed(retry, sent_at)
            raise
        except Misconfigured as problem:
            raise self._misconfigured(server, problem.status) from None
        finally:
            server.in_flight.now -= 1
            METER.sent(-1)
            self._freed.set()


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
