"""A loopback endpoint that misbehaves on the level of bytes and connections, as real ones do on bad days."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

BOMB = gzip.compress(b'{"choices": [' + b" " * (200 << 20))
"""200 MiB in 200 kB."""
STALL_S = 30


def completion(text: str, **changes: object) -> dict[str, object]:
    return {
        "id": "x",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7},
        **changes,
    }


def response(status: int, data: bytes, **headers: str) -> bytes:
    named = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, f"content-length: {len(data)}", "", ""]).encode() + data


def good(text: str) -> bytes:
    return response(200, json.dumps(completion(text)).encode())


def events(text: str, fault: str = "") -> bytes:
    """A streamed reply of a chunk per word, its events numbered."""
    words = text.split(" ")
    chunks: list[dict[str, object]] = [{"delta": {"role": "assistant"}}]
    chunks += [{"delta": {"content": word if n == 0 else f" {word}"}} for n, word in enumerate(words)]
    chunks.append({"delta": {}, "finish_reason": "stop"})
    sent = [
        f"id: {n}\ndata: {json.dumps({'id': 's', 'choices': [{'index': 0, **chunk}]})}\n\n"
        for n, chunk in enumerate(chunks)
    ]
    sent.append(
        f"id: {len(chunks)}\ndata: "
        f"{json.dumps({'id': 's', 'choices': [], 'usage': {'prompt_tokens': 5, 'completion_tokens': 7}})}\n\n"
    )
    match fault:
        case "duplicated chunks":
            sent = [event for event in sent for _ in range(2)]
        case "chunks out of order":
            sent[1], sent[2] = sent[2], sent[1]
        case "cut stream":
            return response(200, "".join(sent[:2]).encode(), content_type="text/event-stream")
    return response(200, ("".join(sent) + "data: [DONE]\n\n").encode(), content_type="text/event-stream")


FAULTS: dict[str, Callable[[str], bytes]] = {
    "429 with a hint": lambda _: response(429, b"slow down", retry_after="0.05"),
    "429 without a hint": lambda _: response(429, b"slow down"),
    "500": lambda _: response(500, b"oops"),
    "503": lambda _: response(503, b"overloaded"),
    "half a JSON": lambda _: response(200, b'{"choices": [{"message": {"content": "cut o'),
    "wrong content type": lambda _: response(200, b"%PDF-1.7 \x00\xff", content_type="application/pdf"),
    "HTML error page": lambda _: response(502, b"<html><body>Bad gateway</body></html>", content_type="text/html"),
    "HTML with 200": lambda _: response(200, b"<html>please log in</html>", content_type="text/html"),
    "gzip bomb": lambda _: response(200, BOMB, content_encoding="gzip"),
    "broken gzip": lambda _: response(200, b"\x1f\x8bnonsense", content_encoding="gzip"),
    "empty choices": lambda _: response(200, json.dumps(completion("", choices=[])).encode()),
    "chunks out of order": lambda text: events(text, "chunks out of order"),
    "cut stream": lambda text: events(text, "cut stream"),
}
"""What must be asked again."""
ODD: dict[str, Callable[[str], bytes]] = {
    "wrong usage": lambda text: response(
        200, json.dumps(completion(text, usage={"prompt_tokens": -4, "completion_tokens": 10**12})).encode()
    ),
    "no usage": lambda text: response(200, json.dumps(completion(text, usage=None)).encode()),
    "finish_reason length": lambda text: response(
        200, json.dumps(completion("", choices=[{"message": {"content": text}, "finish_reason": "length"}])).encode()
    ),
    "packed": lambda text: response(200, gzip.compress(json.dumps(completion(text)).encode()), content_encoding="gzip"),
    "streamed": events,
    "duplicated chunks": lambda text: events(text, "duplicated chunks"),
}
"""What is an answer all the same."""
REFUSALS: dict[str, Callable[[str], bytes]] = {"401": lambda _: response(401, b"who are you?")}
"""What no other try can help."""
CONNECTION = ("stall", "reset in mid-body", "closed without a word")


class Misbehaving:
    """Answers ``echo PROMPT``, with the fault that ``plan(prompt, visit)`` names; an empty name is none.

    Attributes:
        visits: how often each prompt came.
        answered: how often each prompt was answered in full.
        models: that were asked for.
        most: requests at once.
    """

    def __init__(self, plan: Callable[[str, int], str]) -> None:
        self._plan = plan
        self.visits: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.models: set[str] = set()
        self.most = self._now = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]

    async def die(self, seconds: float) -> None:
        """Be gone for a while: connections torn, port closed."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            _reset(writer)
        await asyncio.sleep(seconds)
        await self.start()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split("\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                prompt = body["messages"][-1]["content"]
                visit = self.visits[prompt]
                self.visits[prompt] += 1
                self.models.add(body["model"])
                self._now += 1
                self.most = max(self.most, self._now)
                try:
                    if not await self._answer(writer, prompt, self._plan(prompt, visit)):
                        break
                finally:
                    self._now -= 1
        self._open.discard(writer)
        writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, prompt: str, fault: str) -> bool:
        text = f"echo {prompt}"
        match fault:
            case "stall":
                await asyncio.sleep(STALL_S)
                return False
            case "reset in mid-body":
                writer.write(good(text)[:-20])
                await writer.drain()
                _reset(writer)
                return False
            case "closed without a word":
                return False
        if fault in FAULTS or fault in REFUSALS:
            writer.write((FAULTS | REFUSALS)[fault](text))
        else:
            self.answered[prompt] += 1
            writer.write(ODD[fault](text) if fault else good(text))
        await writer.drain()
        return True


def _reset(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def misbehaving(plan: Callable[[str, int], str], dies_after_s: float | None = None) -> Iterator[Misbehaving]:
    """Serve in a thread; with ``dies_after_s`` the server is gone for a second after so long."""
    server, loop = Misbehaving(plan), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    if dies_after_s is not None:

        async def die() -> None:
            await asyncio.sleep(dies_after_s)
            await server.die(1)

        asyncio.run_coroutine_threadsafe(die(), loop)
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(_end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


async def _end() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
