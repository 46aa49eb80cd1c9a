"""The one client: OpenAI-compatible HTTP with retries, a limit of requests in flight, and the durable cache."""

from __future__ import annotations

import asyncio
import atexit
import os
import random
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, cast

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tasks.errors import BadInput, TeacherMisconfigured, TeacherUnavailable
from tasks.settings import Endpoint
from tasks.teachers.cache import ResponseCache
from tasks.teachers.replies import split_reasoning
from tasks.teachers.requests import Answer, Refused, TeacherRequest

REFUSED = frozenset({400, 413, 422})
MISCONFIGURED = frozenset({401, 403, 404})
FIRST_DELAY_S = 0.5
MAX_DELAY_S = 60.0


class _Retry(Exception):
    """This try failed in a way that another may not."""

    def __init__(self, cause: str, after_s: float | None = None) -> None:
        super().__init__(cause)
        self.after_s = after_s


def api_key(endpoint: Endpoint) -> str | None:
    """The key from the environment or from a Prefect Secret block; None where the endpoint needs none.

    Raises:
        BadInput: the variable is not set, or there is no such block.
    """
    if endpoint.api_key_env:
        key = os.environ.get(endpoint.api_key_env, "").strip()
        if not key:
            raise BadInput(
                f"the environment variable {endpoint.api_key_env!r}, which should hold the key of {endpoint.base_url}, "
                f"is not set. Set it, or name another in api_key_env (empty: no key)"
            )
        return key
    if endpoint.api_key_block:
        from prefect.blocks.system import Secret  # noqa: PLC0415 - needs a Prefect server

        try:
            secret = cast(Secret[str], Secret.load(endpoint.api_key_block, _sync=True))  # type: ignore[call-arg]
            return str(secret.get())
        except ValueError as error:
            raise BadInput(
                f"there is no Prefect Secret block {endpoint.api_key_block!r}. Make it in the UI under Blocks"
            ) from error
    return None


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return min(max(0.0, float(response.headers["retry-after"])), MAX_DELAY_S)
    except (KeyError, ValueError):
        return None


def read_answer(data: Any, response_id: str) -> Answer:
    """The answer in a response's JSON.

    Raises:
        ValueError: it has no choice with text; the body is not what the protocol says.
    """
    try:
        choice = data["choices"][0]
        message = choice.get("message") or {}
        text = message.get("content") if message else choice.get("text")
        if text is None and not message.get("reasoning_content"):
            raise ValueError("a choice without text")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"no choice in {str(data)[:200]}") from error
    reasoning, text = split_reasoning(str(text or ""))
    usage = data.get("usage")

    def count(name: str) -> int:
        value = usage.get(name) if isinstance(usage, dict) else None
        return value if isinstance(value, int) and value >= 0 else 0

    return Answer(
        response_id=response_id,
        text=text,
        reasoning=str(message.get("reasoning_content") or reasoning),
        finish_reason=str(choice.get("finish_reason") or ""),
        prompt_tokens=count("prompt_tokens"),
        completion_tokens=count("completion_tokens"),
    )


class TeacherClient:
    """Asks one endpoint. All threads of a process share its connections and its limit of requests in flight.

    Args:
        endpoint: of kind ``openai``.
        cache: where answers are kept.

    Raises:
        BadInput: the key cannot be found.
    """

    def __init__(self, endpoint: Endpoint, cache: ResponseCache) -> None:
        self.endpoint, self.cache = endpoint, cache
        self._key = api_key(endpoint)
        self._stack = ExitStack()
        self._portal: BlockingPortal = self._stack.enter_context(start_blocking_portal())
        self._http: httpx.AsyncClient = self._portal.call(self._open)
        self._in_flight: dict[str, asyncio.Future[Answer | Refused]] = {}

    def __repr__(self) -> str:
        return f"TeacherClient({self.endpoint.model!r} at {self.endpoint.base_url!r})"

    async def _open(self) -> httpx.AsyncClient:
        self._slots = asyncio.Semaphore(self.endpoint.max_in_flight)
        headers = {"authorization": f"Bearer {self._key}"} if self._key else {}
        return httpx.AsyncClient(
            base_url=self.endpoint.base_url.rstrip("/"),
            headers=headers,
            timeout=httpx.Timeout(self.endpoint.timeout_s, connect=min(30.0, self.endpoint.timeout_s)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=self.endpoint.max_in_flight),
            http2=self.endpoint.base_url.startswith("https://"),
            follow_redirects=True,
        )

    def close(self) -> None:
        self._portal.call(self._http.aclose)
        self._stack.close()

    def _scrub(self, text: str) -> str:
        """Error texts of servers may echo the key."""
        return text.replace(self._key, "<key>") if self._key else text

    def check(self) -> None:
        """Reach the endpoint and have the key accepted, without asking the model anything.

        Raises:
            TeacherUnavailable: nothing answers there.
            TeacherMisconfigured: the key is refused.
        """
        try:
            response = self._portal.call(self._http.get, "/models")
        except httpx.HTTPError as error:
            cause = self._scrub(str(error)) or type(error).__name__
            raise TeacherUnavailable(
                f"the endpoint {self.endpoint.base_url} cannot be reached ({cause}). Is it running, and is "
                f"teachers.author.base_url right?"
            ) from None
        if response.status_code in (401, 403):
            raise self._misconfigured(response.status_code)

    def _misconfigured(self, status: int) -> TeacherMisconfigured:
        if status == 404:
            what = (
                f"does not know the path or the model {self.endpoint.model!r}; set base_url (it ends in /v1) or model"
            )
        elif where := self.endpoint.api_key_env or self.endpoint.api_key_block:
            what = f"refuses the key in {where!r}; put a valid one there"
        else:
            what = "wants a key; name the environment variable that holds it: --set teachers.author.api_key_env=NAME"
        return TeacherMisconfigured(f"the endpoint {self.endpoint.base_url} answers {status}: it {what}")

    def ask_all(self, requests: Sequence[TeacherRequest]) -> list[Answer | Refused]:
        """Answers in the order of the requests; those on disk are not asked again. Call it from any thread.

        Raises:
            TeacherMisconfigured, TeacherUnavailable: a request failed for good. What was answered is on disk.
        """
        return self._portal.call(self._gather, list(requests))

    async def _gather(self, requests: list[TeacherRequest]) -> list[Answer | Refused]:
        found = await asyncio.gather(*(self._ask_once(request) for request in requests), return_exceptions=True)
        for result in found:
            if isinstance(result, BaseException):
                raise result
        return [result for result in found if not isinstance(result, BaseException)]

    async def _ask_once(self, request: TeacherRequest) -> Answer | Refused:
        """Equal requests that are under way at the same time are one request."""
        key = request.key(self.endpoint.model)
        if running := self._in_flight.get(key):
            return await asyncio.shield(running)
        future = asyncio.ensure_future(self._ask(request, key))
        self._in_flight[key] = future
        try:
            return await future
        finally:
            self._in_flight.pop(key, None)

    async def _ask(self, request: TeacherRequest, key: str) -> Answer | Refused:
        async with self._slots:
            if cached := self.cache.get(key):
                return cached
            cause = ""
            for number in range(self.endpoint.retries + 1):
                try:
                    result = await self._try(request, key)
                except _Retry as retry:
                    cause = str(retry)
                    delay = retry.after_s
                    if delay is None:
                        delay = min(MAX_DELAY_S, FIRST_DELAY_S * 2**number) * random.uniform(0.5, 1)  # noqa: S311
                    if number < self.endpoint.retries:
                        await asyncio.sleep(delay)
                    continue
                if isinstance(result, Answer):
                    self.cache.put(result)
                return result
        raise TeacherUnavailable(
            f"the endpoint {self.endpoint.base_url} failed {self.endpoint.retries + 1} times, last: {cause}. "
            f"Answers received so far are kept; run again when it is well"
        )

    async def _try(self, request: TeacherRequest, key: str) -> Answer | Refused:
        try:
            response = await self._http.post(request.path, json=request.body(self.endpoint.model))
        except httpx.HTTPError as error:
            raise _Retry(f"{type(error).__name__} {self._scrub(str(error))}") from None
        status = response.status_code
        if status in MISCONFIGURED:
            raise self._misconfigured(status)
        if status in REFUSED:
            return Refused(status=status, message=self._scrub(response.text[:2000]))
        if status != 200:
            raise _Retry(f"HTTP {status} {self._scrub(response.text[:200])}", _retry_after(response))
        try:
            return read_answer(response.json(), key)
        except ValueError as error:
            raise _Retry(f"a body that is no completion ({self._scrub(str(error))[:200]})") from None


def check_endpoint(endpoint: Endpoint) -> None:
    """Reach an endpoint and have its key accepted, apart from any run.

    Raises:
        BadInput, TeacherUnavailable, TeacherMisconfigured: as ``TeacherClient`` and its ``check``.
    """
    client = TeacherClient(endpoint, ResponseCache(":memory:"))
    try:
        client.check()
    finally:
        client.close()


_clients: dict[tuple[Endpoint, str], TeacherClient] = {}
_lock = threading.Lock()


def shared_client(endpoint: Endpoint, cache_path: str) -> TeacherClient:
    """The process's client for an endpoint, closed when the process ends."""
    with _lock:
        place = (endpoint, cache_path)
        if place not in _clients:
            if not _clients:
                atexit.register(close_clients)
            _clients[place] = TeacherClient(endpoint, ResponseCache(cache_path))
        return _clients[place]


def close_clients() -> None:
    """Close all shared clients."""
    with _lock:
        while _clients:
            _clients.popitem()[1].close()
