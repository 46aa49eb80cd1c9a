"""The servers of one endpoint: each request goes to one that is well, and again where that fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable

import httpx

from tasks.errors import TeacherMisconfigured, TeacherStopped, TeacherUnavailable
from tasks.settings import Endpoint, Sampling
from tasks.teachers.faults import Misconfigured, Retry, check_status
from tasks.teachers.meter import Tally
from tasks.teachers.pending import STOPPED
from tasks.teachers.requests import (
    Answer,
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    Refused,
    Reply,
    Request,
    Vectors,
    WhyNot,
)
from tasks.teachers.servers import Server, next_of
from tasks.teachers.wire import body, read_reply

FIRST_DELAY_S = 0.5
MAX_DELAY_S = 60.0
_IDLE_S = 1.0
_MAY_PASS = (403, 404)
"""A firewall's mood, or a server that loads its model again, where it has answered before."""
_UNKEPT_S = 5.0
"""How long nothing is sent after an answer that found no place on disk: the next one would be lost, too."""

_MOST_LISTED = 10
_LOG = logging.getLogger(__name__)

Keep = Callable[[Answer | Vectors], Awaitable[None]]
"""Has an answer, or vectors, on disk, and their cost booked."""
Failed = Callable[[str], None]
"""Is told of the kind of each try that failed."""


def _doubt(server: Server, response: httpx.Response) -> str | None:
    """What speaks against the path or the model, as far as the endpoint's list of models tells."""
    if response.status_code == 404:
        return "has no list of models. Is base_url right? It usually ends in /v1"
    try:
        listed = sorted(str(one["id"]) for one in response.json()["data"])
    except (ValueError, KeyError, TypeError):
        return None
    if not listed or server.model in listed:
        return None
    more = f" and {len(listed) - _MOST_LISTED} others" if len(listed) > _MOST_LISTED else ""
    return f"does not list the model {server.model!r}. It lists {', '.join(listed[:_MOST_LISTED])}{more}"


class Dispatcher:
    """Gives requests to servers by turns, as each can take them. For one event loop.

    Args:
        role: the endpoint's place in the config, for messages; `teachers.` is left out.
    """

    def __init__(self, endpoint: Endpoint, servers: list[Server], role: str) -> None:
        self.servers = servers
        self._endpoint = endpoint
        self._place = role if role.startswith("evaluation.") else f"teachers.{role}"
        self._turn, self._freed = asyncio.Lock(), asyncio.Event()
        self._stopped = False
        self._unkept: tuple[Exception, float] | None = None

    @classmethod
    async def open(cls, endpoint: Endpoint, role: str) -> Dispatcher:
        """To all servers of an endpoint.

        Raises:
            BadInput: a key cannot be found.
        """
        return cls(endpoint, [await Server.open(route, endpoint) for route in endpoint.all_routes], role)

    @property
    def is_refused(self) -> bool:
        """Whether no server takes requests as things are."""
        return all(server.refuses for server in self.servers)

    async def close(self) -> None:
        """Close all connections."""
        for server in self.servers:
            await server.close()

    def stop(self) -> None:
        """Send nothing more."""
        self._stopped = True
        self._freed.set()

    async def check(self) -> None:
        """Reach every server and have its key accepted, without asking the model anything.

        That it has no list of models, or not this one in it, is a warning: some serve what they do not list.

        Raises:
            TeacherUnavailable: nothing answers at one of them.
            TeacherMisconfigured: a key is refused.
        """
        for server in self.servers:
            try:
                response = await server.http.get("/models")
            except httpx.HTTPError as error:
                cause = server.scrub(str(error)) or type(error).__name__
                raise TeacherUnavailable(
                    f"the endpoint {server.route.base_url} cannot be reached ({cause}). Is it running, and is "
                    f"{self._place}.base_url right?"
                ) from None
            if response.status_code in (401, 403):
                raise self._misconfigured(server, response.status_code)
            if doubt := _doubt(server, response):
                _LOG.warning("the endpoint %s %s", server.route.base_url, doubt)

    def _misconfigured(self, server: Server, status: int) -> TeacherMisconfigured:
        if status == 404:
            what = f"does not know the path or the model {server.model!r}; set base_url (it ends in /v1) or model"
        elif status == 402:
            what = "says that the account has no credit left; add some, and run the same command again"
        elif where := server.route.api_key_env or server.route.api_key_block:
            what = f"refuses the key in {where!r}; put a valid one there"
        else:
            what = f"wants a key; name the environment variable that holds it: --set {self._place}.api_key_env=X"
        return TeacherMisconfigured(f"the endpoint {server.route.base_url} answers {status}: it {what}")

    async def ask(self, request: Request, key: str, keep: Keep, failing: Failed, tally: Tally) -> Reply:
        """Try until there is an answer, or no hope of one.

        Raises:
            StoreFull, AnswersUnavailable: answers cannot be kept. What is in flight then is lost, and nothing else is
                sent.
            TeacherMisconfigured: the key is refused, or the model is not known, at every server.
            TeacherStopped: nothing is sent any more.
            TeacherUnavailable: the endpoint is not well: no request was answered while this one was tried.
        """
        answers_before = sum(server.answers for server in self.servers)
        failed: Server | None = None
        cause, number = "", 0
        while number <= self._endpoint.retries:
            server = await self._server(request.likely_tokens(), failed)
            try:
                return await self._try(server, request, key, keep, tally)
            except TeacherMisconfigured as refusal:
                if not self._leave_out(server, refusal):
                    raise
            except Retry as retry:
                failing(retry.kind)
                cause, failed = f"{server.route.base_url}: {server.scrub(str(retry))}", server
                delay = retry.after_s
                if delay is None:
                    delay = min(MAX_DELAY_S, FIRST_DELAY_S * 2**number) * random.uniform(0.5, 1)  # noqa: S311
                if number < self._endpoint.retries and not (self._others_well(server) and retry.after_s is None):
                    await asyncio.sleep(delay)
                number += 1
        if sum(server.answers for server in self.servers) > answers_before or await self._is_well(request):
            return Refused(
                why=WhyNot.FAILED,
                message=f"failed {self._endpoint.retries + 1} times while others did not, last: {cause}",
            )
        raise TeacherUnavailable(
            f"the endpoint failed {self._endpoint.retries + 1} times, last {cause}. "
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
                response = await server.post(probe.path, body(probe, self._endpoint, server.model))
                if response.status == 200:
                    return True
        return False

    def _others_well(self, server: Server) -> bool:
        return any(other is not server and not other.ill_s and not other.refuses for other in self.servers)

    def _leave_out(self, server: Server, refusal: TeacherMisconfigured) -> bool:
        """Go on without a server that refuses; False where it was the last."""
        if not server.refuses:
            server.refused()
            if not self.is_refused:
                _LOG.warning("%s. The other routes take over its share", refusal)
        return not self.is_refused

    async def _server(self, tokens: int, avoid: Server | None) -> Server:
        """Wait until a server may be asked, and count one more in flight there; first come, first served.

        Args:
            avoid: the one that has just failed.
        """
        async with self._turn:
            while True:
                if self._stopped:
                    raise TeacherStopped(STOPPED)
                if self._unkept and time.monotonic() < self._unkept[1] + _UNKEPT_S:
                    raise type(self._unkept[0])(*self._unkept[0].args)
                left = [server for server in self.servers if not server.refuses] or self.servers
                well = [server for server in left if not server.ill_s] or left
                free = [server for server in well if server.has_room]
                waits = {id(server): server.allowance.wait_s(tokens) for server in free}
                ready = [server for server in free if not waits[id(server)]]
                if ready:
                    found = next_of(ready, avoid)
                    found.allowance.take(tokens)
                    found.in_flight.now += 1
                    return found
                self._freed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min([_IDLE_S, *waits.values()])):
                        await self._freed.wait()

    async def _try(self, server: Server, request: Request, key: str, keep: Keep, tally: Tally) -> Reply:
        """Ask once.

        The next request goes out only when this one's answer is on disk: what a crash can lose, and a later run pays
        for again, is never more than what may be in flight.
        """
        sent_at = time.monotonic()
        tally.sent(1)
        try:
            async with server.shared_limits():
                sent_at = time.monotonic()
                response = await server.post(request.path, body(request, self._endpoint, server.model))
            if response.has_limits:
                server.allowance.hear(response.headers)
            try:
                refused = check_status(response.status, response.headers, response.text)
            except Misconfigured as problem:
                if problem.status in _MAY_PASS and server.answers:
                    what = f"HTTP {problem.status}, although it has answered before"
                    raise Retry(f"http {problem.status}", what) from None
                raise
            if refused is not None:
                tally.tried(request.path, server.host, sent_at, refused.why.value)
                return refused
            try:
                answer = read_reply(response.data, request, key)
            except ValueError as error:
                what = "embedding" if isinstance(request, EmbeddingRequest) else "completion"
                raise Retry(f"no {what}", f"a body that is no {what} ({str(error)[:200]})") from None
            used = answer.prompt_tokens + answer.completion_tokens
            server.allowance.correct(used - request.likely_tokens())
            server.succeeded()
            tally.tried(request.path, server.host, sent_at)
            try:
                await keep(answer)
            except Exception as error:
                self._unkept = error, time.monotonic()
                raise
            return answer
        except Retry as retry:
            server.failed(retry, sent_at)
            tally.tried(request.path, server.host, sent_at, retry.kind)
            raise
        except Misconfigured as problem:
            raise self._misconfigured(server, problem.status) from None
        finally:
            server.in_flight.now -= 1
            tally.sent(-1)
            self._freed.set()
