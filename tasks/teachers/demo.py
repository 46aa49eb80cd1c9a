"""The demo teacher: an OpenAI-compatible server on loopback that answers from transcripts.

It is no model, and says so wherever it shows. It exists so that the whole pipeline, HTTP and its faults included, runs
on a fresh machine with no key and no network.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tasks.errors import BadInput, TeacherUnavailable
from tasks.teachers.transcripts import Reply, Transcripts, packaged

MODEL = "kodforge-demo"
_FAULT_EVERY = 20


class DemoTeacher:
    """The server's application.

    Args:
        transcripts: what it answers from.
        log: JSONL file that gets a line per request: time, path, hash of the body, and whether it was answered.
        faults: one in twenty requests fails on its first try, as real endpoints do now and then.
        required_key: the bearer token to demand; None demands none.
        latency_s: seconds that an answer takes.
    """

    def __init__(
        self,
        transcripts: Transcripts,
        log: Path | None = None,
        faults: bool = True,
        required_key: str | None = None,
        latency_s: float = 0.0,
    ) -> None:
        self._transcripts, self._log, self._faults, self._key = transcripts, log, faults, required_key
        self._latency_s = latency_s
        self._seen: set[str] = set()
        self.app = Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/completions", self._complete, methods=["POST"]),
            ]
        )

    def _allowed(self, request: Request) -> bool:
        return self._key is None or request.headers.get("authorization") == f"Bearer {self._key}"

    async def _models(self, request: Request) -> Response:
        if not self._allowed(request):
            return _error(401, "invalid API key")
        return JSONResponse({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "kodforge"}]})

    async def _complete(self, request: Request) -> Response:
        raw = await request.body()
        key = hashlib.sha256(request.url.path.encode() + raw).hexdigest()
        response, answered = self._respond(request, raw, key)
        await asyncio.sleep(self._latency_s)
        response.background = BackgroundTask(self._record, request.url.path, key, answered)
        return response

    def _respond(self, request: Request, raw: bytes, key: str) -> tuple[Response, bool]:
        if not self._allowed(request):
            return _error(401, "invalid API key"), False
        if self._faults and key not in self._seen:
            self._seen.add(key)
            fault = int(key[:8], 16)
            if fault % _FAULT_EVERY == 0:
                return _fault(fault // _FAULT_EVERY % 3), False
        try:
            body = json.loads(raw)
            seed = int(body.get("seed") or 0)
            chat = request.url.path.endswith("/chat/completions")
            prompt = "\n".join(str(one["content"]) for one in body["messages"]) if chat else str(body["prompt"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return _error(400, f"not a completion request: {error}"), False
        reply = self._transcripts.chat(prompt, seed) if chat else self._transcripts.complete(prompt, seed)
        if reply.status != 200:
            return _error(reply.status, reply.text), True
        return JSONResponse(_completion(reply, prompt, chat, key)), True

    def _record(self, path: str, key: str, answered: bool) -> None:
        if self._log is not None:
            line = json.dumps({"time": time.time(), "path": path, "key": key, "answered": answered})
            with self._log.open("a", encoding="utf-8") as log:
                log.write(f"{line}\n")


def _error(status: int, message: str, **headers: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status, headers=headers)


def _fault(kind: int) -> Response:
    if kind == 0:
        return _error(429, "slow down", **{"retry-after": "0"})
    if kind == 1:
        return _error(503, "overloaded")
    return Response('{"choices": [{"message": {"content": "cut o', media_type="application/json")


def _completion(reply: Reply, prompt: str, chat: bool, key: str) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": reply.finish_reason}
    reasoning = {"reasoning_content": reply.reasoning} if reply.reasoning else {}
    choice |= {"message": {"role": "assistant", "content": reply.text, **reasoning}} if chat else {"text": reply.text}
    # Words stand in for tokens: a server without a tokenizer has nothing better to count.
    asked, told = len(prompt.split()), len(reply.text.split()) + len(reply.reasoning.split())
    return {
        "id": f"demo-{key[:16]}",
        "object": "chat.completion" if chat else "text_completion",
        "model": MODEL,
        "choices": [choice],
        "usage": {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told},
    }


def _server(application: Starlette) -> uvicorn.Server:
    # Without its log config: to set one clears the process's handlers, and waits for ever for the one of Prefect, whose
    # own thread may wait for the lock that is held meanwhile.
    config = uvicorn.Config(application, log_config=None, log_level="warning", lifespan="off", access_log=False)
    return uvicorn.Server(config)


def _bound(host: str, port: int) -> socket.socket:
    # With the protocol named asyncio turns off Nagle's algorithm; else an answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise BadInput(f"port {port} of {host} cannot be had: {error}. Choose another: --port") from error
    return listener


def serve(
    port: int, log: Path | None = None, key: str | None = None, latency_s: float = 0.0, host: str = "127.0.0.1"
) -> None:
    """Serve in the foreground until interrupted.

    Args:
        key: the bearer token to demand.
        host: the address to serve on; anyone who reaches it may ask.

    Raises:
        BadInput: the port is taken.
    """
    with _bound(host, port) as listener:
        teacher = DemoTeacher(packaged(), log, required_key=key, latency_s=latency_s)
        _server(teacher.app).run(sockets=[listener])


@contextmanager
def running(teacher: DemoTeacher) -> Iterator[str]:
    """Serve in a thread of this process on a free port; yields the base URL.

    Raises:
        TeacherUnavailable: the server does not start.
    """
    with _bound("127.0.0.1", 0) as listener:
        server = _server(teacher.app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="demo-teacher")
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise TeacherUnavailable("the demo teacher did not start on loopback")
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            server.should_exit = True
            thread.join(10)
