"""The batch API as a second transport: the same requests as a file that the server works off, at a lower price.

Requests of all shards gather into one batch. What was handed in is remembered on disk before and after, so that a run
that was killed in between finds its batch again, by a tag in the batch's metadata, and pays for nothing twice.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import httpx
from prefect.logging import get_logger

from tasks.errors import TeacherMisconfigured, TeacherUnavailable
from tasks.settings import Endpoint
from tasks.teachers.cache import Batch, ResponseCache
from tasks.teachers.faults import Misconfigured, Retry, check_status
from tasks.teachers.requests import Answer, Refused, TeacherRequest, WhyNot
from tasks.teachers.servers import Server
from tasks.teachers.wire import body, read_answer

T = TypeVar("T")
_TAG = "kodforge"
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_MOST_BYTES = 150 << 20
"""Of one input file; OpenAI takes 200 MB."""
_TRIES, _DELAY_S, _MOST_DELAY_S = 8, 1.0, 60.0
_LISTED = 100
_log = get_logger("teachers.batches")


@dataclass
class _Wish:
    """One request that waits for its answer, and how often a batch has failed it.

    Attributes:
        keep: has an answer on disk, and its cost booked.
    """

    request: TeacherRequest
    line: bytes
    keep: Callable[[Answer], Awaitable[None]]
    answer: asyncio.Future[Answer | Refused]
    failures: int = 0

    def settle(self, result: Answer | Refused | Exception) -> None:
        """Give the result to whoever still waits for it."""
        if self.answer.done():
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class _Unknown(Retry):
    """The server knows no such batch or file: that may pass, as where a proxy says so."""


@dataclass
class _Pool:
    """Wishes that are not in a batch yet."""

    wishes: dict[str, _Wish] = field(default_factory=dict)
    size: int = 0


class BatchTransport:
    """Hands requests in as batches and gives out the answers. For one event loop.

    Args:
        endpoint: its ``batching`` says how large batches are and how often they are looked at.
        server: where they go.
        answers: remembers what was handed in.
    """

    def __init__(self, endpoint: Endpoint, server: Server, answers: ResponseCache) -> None:
        self._endpoint, self._server, self._answers = endpoint, server, answers
        self._waiting = _Pool()
        self._collector: asyncio.Task[None] | None = None
        self._watchers: set[asyncio.Task[None]] = set()
        self._submitting: set[str] = set()
        self._stopped: Exception | None = None

    def stop(self, why: Exception) -> None:
        """Hand in nothing more; what was handed in is remembered, and taken over by a later run."""
        self._stopped = why
        if self._collector is not None:
            self._collector.cancel()
            self._collector = None
        pool, self._waiting = self._waiting, _Pool()
        for wish in pool.wishes.values():
            wish.settle(why)
        for task in self._watchers:
            task.cancel()

    async def ask(
        self, request: TeacherRequest, key: str, keep: Callable[[Answer], Awaitable[None]]
    ) -> Answer | Refused:
        """The answer to a request, when its batch has ended and ``keep`` has returned.

        Raises:
            TeacherMisconfigured: the server refuses batches.
            TeacherUnavailable: it cannot be reached.
        """
        line = {
            "custom_id": key,
            "method": "POST",
            "url": f"/v1{request.path}",
            "body": {**body(request, self._endpoint, self._server.model), "stream": False},
        }
        encoded = json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        wish = _Wish(request, encoded, keep, asyncio.get_running_loop().create_future())
        self._add(key, wish)
        return await wish.answer

    def _add(self, key: str, wish: _Wish) -> None:
        if self._stopped:
            wish.settle(self._stopped)
            return
        self._waiting.wishes[key] = wish
        self._waiting.size += len(wish.line)
        full = len(self._waiting.wishes) >= self._endpoint.batching.most_requests or self._waiting.size >= _MOST_BYTES
        if full:
            self._hand_in()
        elif self._collector is None:
            self._collector = asyncio.ensure_future(self._collect())

    async def _collect(self) -> None:
        """Hand in once no more comes."""
        seen = 0
        while seen != len(self._waiting.wishes):
            seen = len(self._waiting.wishes)
            await asyncio.sleep(self._endpoint.batching.collect_s)
        self._collector = None
        self._hand_in()

    def _hand_in(self) -> None:
        pool, self._waiting = self._waiting, _Pool()
        if pool.wishes:
            self._watch(self._share_out(pool.wishes), pool.wishes)

    def _watch(self, work: Coroutine[Any, Any, None], wishes: Mapping[str, _Wish]) -> None:
        """Do work in the background; where it fails, so do the wishes that it is for."""

        async def watched() -> None:
            try:
                await work
            except Exception as error:
                for wish in wishes.values():
                    wish.settle(error)
            except asyncio.CancelledError:
                for wish in wishes.values():
                    wish.settle(self._stopped or TeacherUnavailable("the batches are no longer followed"))
                raise

        task = asyncio.ensure_future(watched())
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    async def _share_out(self, wishes: dict[str, _Wish]) -> None:
        """Take part in batches that an earlier process has handed in, and hand in the rest."""
        left = dict(wishes)
        for batch in await self._open_batches():
            if ours := {key: left.pop(key) for key in batch.keys if key in left}:
                self._watch(self._follow(batch, ours), ours)
        for path in {wish.request.path for wish in left.values()}:
            some = {key: wish for key, wish in left.items() if wish.request.path == path}
            self._watch(self._submit(path, some), some)

    async def _open_batches(self) -> list[Batch]:
        """Batches that were handed in, here or by another process.

        One whose id was not written down yet is looked for by its tag.
        """
        found = []
        for batch in await asyncio.to_thread(self._answers.open_batches, self._server.route.base_url):
            if batch.tag in self._submitting:
                continue
            known = batch
            if not batch.batch_id:
                batch_id = await self._find(batch.tag)
                if batch_id is None:
                    await asyncio.to_thread(self._answers.settle_batch, batch.tag, batch.keys)
                    continue
                known = Batch(batch.tag, batch.base_url, batch_id, batch.keys)
            found.append(known)
        return found

    async def _find(self, tag: str) -> str | None:
        after: dict[str, Any] = {}
        while True:
            page = await self._call("GET", "/batches", params={"limit": _LISTED, **after})
            listed = page.get("data") or []
            for one in listed:
                if (one.get("metadata") or {}).get(_TAG) == tag:
                    return str(one["id"])
            if not page.get("has_more") or not listed:
                return None
            after = {"after": listed[-1]["id"]}

    async def _submit(self, path: str, wishes: dict[str, _Wish]) -> None:
        """Hand in a batch, and see it through."""
        batch = Batch(uuid.uuid4().hex, self._server.route.base_url, "", tuple(wishes))
        self._submitting.add(batch.tag)
        try:
            await asyncio.to_thread(self._answers.put_batch, batch)
            content = b"".join(wish.line for wish in wishes.values())
            name = f"{batch.tag}.jsonl"
            file = await self._call(
                "POST", "/files", data={"purpose": "batch"}, files={"file": (name, content, "application/jsonl")}
            )
            batch = replace(batch, batch_id=await self._create(path, str(file["id"]), batch.tag))
            await asyncio.to_thread(self._answers.put_batch, batch)
        finally:
            self._submitting.discard(batch.tag)  # where this failed it is found again, by its tag
        _log.info("batch %s: %d requests handed in", batch.batch_id, len(wishes))
        await self._follow(batch, wishes)

    async def _create(self, path: str, file_id: str, tag: str) -> str:
        wanted = {
            "input_file_id": file_id,
            "endpoint": f"/v1{path}",
            "completion_window": self._endpoint.batching.window,
            "metadata": {_TAG: tag},
        }
        for number in range(_TRIES):
            try:
                return str((await self._once("POST", "/batches", json=wanted))["id"])
            except Retry as retry:  # it may have been made all the same
                if (batch_id := await self._find(tag)) is not None:
                    return batch_id
                await self._pause(number, retry, "/batches")
        raise AssertionError("the last pause raises")

    async def _follow(self, batch: Batch, wishes: dict[str, _Wish]) -> None:
        """Wait for a batch's end and give out its answers; what it left unanswered goes into another one."""
        state = await self._end_of(batch)
        found: dict[str, Answer | Refused | Exception] = {}
        for name in ("output_file_id", "error_file_id"):
            if state.get(name):
                found |= {
                    key: result async for key, result in self._results(batch, state[name], wishes) if key not in found
                }
        kept = [wishes[key].keep(result) for key, result in found.items() if isinstance(result, Answer)]
        await asyncio.gather(*kept)
        await asyncio.to_thread(self._answers.settle_batch, batch.tag, wishes)
        _log.info("batch %s %s: %d of %d requests answered", batch.batch_id, state["status"], len(kept), len(wishes))
        missing: Exception = Retry("batch", f"batch {batch.batch_id} {state['status']} without it")
        if state["status"] in ("failed", "cancelled"):
            missing = TeacherUnavailable(
                f"batch {batch.batch_id} at {self._server.route.base_url} {state['status']}: {_errors(state)}. Answers "
                f"received so far are kept; run the same command to hand the rest in again"
            )
        for key, wish in wishes.items():
            result = found.get(key, missing)
            if not isinstance(result, Retry):
                wish.settle(result)
                continue
            wish.failures += 1
            if wish.failures > self._endpoint.retries:
                wish.settle(Refused(why=WhyNot.FAILED, message=f"{wish.failures} batches, last: {result}"))
            elif not wish.answer.done():
                self._add(key, wish)

    async def _end_of(self, batch: Batch) -> dict[str, Any]:
        """Look at a batch until it has ended."""
        while True:
            state = await self._known(batch, f"/batches/{batch.batch_id}", self._once)
            if state["status"] in _ENDED:
                return state
            await asyncio.sleep(self._endpoint.batching.poll_s)

    async def _known(self, batch: Batch, path: str, call: Callable[[str, str], Awaitable[T]]) -> T:
        """What the server has of a batch that was handed in.

        Raises:
            TeacherUnavailable: it knows nothing of it, several times: what was paid for is not handed in again without
                a word from somebody.
        """

        try:
            return await self._persistently(path, lambda: call("GET", path))
        except _Unknown as unknown:
            raise TeacherUnavailable(
                f"{self._server.route.base_url}{path} is not known there ({unknown}), tried {_TRIES} times. Does the "
                f"key belong to another account or project than the one that handed in batch {batch.batch_id!r}? Set "
                f"that one. If it is gone for good, have its {len(batch.keys):,} requests handed in, and paid for, "
                f"again: kodforge answers forget ANSWERS {batch.batch_id}"
            ) from None

    async def _results(
        self, batch: Batch, file_id: str, wishes: Mapping[str, _Wish]
    ) -> AsyncIterator[tuple[str, Answer | Refused | Exception]]:
        """What the lines of a batch's file say on the wishes, in whatever order they stand there."""
        content = await self._known(batch, f"/files/{file_id}/content", self._request)
        for line in content.split("\n"):  # `splitlines` would split at characters that JSON may hold as they are
            try:
                found = json.loads(line)
                key = found["custom_id"]
                response = found.get("response") or {}
                status, said = response.get("status_code"), response.get("body")
            except (ValueError, LookupError, TypeError, AttributeError):
                continue
            if key not in wishes:
                continue
            try:
                if status is None:
                    raise Retry("batch", f"the batch's line says {str(found.get('error'))[:200]}")
                refused = check_status(int(status), {}, "" if status == 200 else json.dumps(said))
                yield key, refused or read_answer(said, wishes[key].request, key)
            except Retry as retry:
                yield key, retry
            except (ValueError, TypeError) as error:
                yield key, Retry("no completion", f"a line that is no completion ({str(error)[:200]})")
            except Misconfigured as problem:
                yield key, self._misconfigured(problem.status)

    async def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """One call of the API, tried again while that can help.

        Raises:
            TeacherMisconfigured: the server refuses it.
            TeacherUnavailable: it failed each time.
        """
        return await self._persistently(path, lambda: self._once(method, path, **options))

    async def _persistently(self, path: str, call: Callable[[], Awaitable[T]]) -> T:
        for number in range(_TRIES):
            try:
                return await call()
            except Retry as retry:
                if isinstance(retry, _Unknown) and number + 1 == _TRIES:
                    raise
                await self._pause(number, retry, path)
        raise AssertionError("the last pause raises")

    async def _once(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            found = json.loads(await self._request(method, path, **options))
        except ValueError as error:
            raise Retry("no JSON", f"an answer that is no JSON ({error})") from None
        if not isinstance(found, dict):
            raise Retry("no JSON", f"an answer that is no object but {str(found)[:200]}")
        return found

    async def _request(self, method: str, path: str, **options: Any) -> str:
        try:
            response = await self._server.http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise Retry("torn connection", f"{type(error).__name__} {self._server.scrub(str(error))}") from None
        text = self._server.scrub(response.text)
        try:
            refused = check_status(response.status_code, response.headers, text)
        except Misconfigured as problem:
            if problem.status == 404 and path not in ("/files", "/batches"):
                raise _Unknown("http 404", text[:200]) from None
            raise self._misconfigured(problem.status) from None
        if refused is not None:
            raise TeacherMisconfigured(
                f"{self._server.route.base_url} refuses {method} {path}: {refused.message}. Does it have the batch "
                f"API? Without it set transport to live"
            )
        return text

    async def _pause(self, number: int, retry: Retry, path: str) -> None:
        if number + 1 == _TRIES:
            raise TeacherUnavailable(
                f"{self._server.route.base_url}{path} failed {_TRIES} times, last: {retry}. What was handed in is "
                f"remembered; run the same command when it is well"
            )
        await asyncio.sleep(retry.after_s if retry.after_s is not None else min(_MOST_DELAY_S, _DELAY_S * 2**number))

    def _misconfigured(self, status: int) -> TeacherMisconfigured:
        what = "Check its key, and that it has the batch API; without it set transport to live"
        if status == 402:
            what = "The account has no credit left; add some, and run the same command again"
        return TeacherMisconfigured(f"{self._server.route.base_url} answers {status} in a batch. {what}")


def _errors(state: Mapping[str, Any]) -> str:
    listed = (state.get("errors") or {}).get("data") or []
    return "; ".join(str(one.get("message")) for one in listed)[:500] or "the server does not say why"
