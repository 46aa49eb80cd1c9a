"""An OpenAI-compatible endpoint that costs next to nothing, so that a benchmark measures its clients.

One asyncio process without a framework: ``python -m benchmarks.endpoint PORT [LATENCY_S]`` prints "ready" once it
listens on the loopback. Every answer is the same bytes, prebuilt; it does not look into a request's body.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from typing import cast

TEXT = "A fixed sentence of the model, about as long as sentences in such answers tend to be. " * 7
USAGE = {"prompt_tokens": 52, "completion_tokens": 133, "total_tokens": 185}


def _response(status: str, body: dict[str, object]) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def _completion(kind: str, choice: dict[str, object]) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None} | choice
    body = {"id": "cmpl-0", "object": kind, "created": 1700000000, "model": "m", "choices": [choice], "usage": USAGE}
    return _response("200 OK", body)


ANSWERS = {
    b"GET /v1/models": _response(
        "200 OK",
        {"object": "list", "data": [{"id": "m", "object": "model", "created": 1700000000, "owned_by": "benchmarks"}]},
    ),
    b"POST /v1/chat/completions": _completion("chat.completion", {"message": {"role": "assistant", "content": TEXT}}),
    b"POST /v1/completions": _completion("text_completion", {"text": TEXT}),
}
NOT_FOUND = _response("404 Not Found", {"error": {"message": "no such route", "type": "invalid_request_error"}})
BAD_REQUEST = _response("400 Bad Request", {"error": {"message": "not HTTP/1.1", "type": "invalid_request_error"}})


def _field(head: bytes, name: bytes) -> bytes:
    """A header's value from a head in lower case, since names come in any case."""
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip() if found else b""


def _chunked_end(data: bytearray, at: int) -> int:
    """Where the chunked body that starts at `at` ends; 0 as long as it is incomplete."""
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].partition(b";")[0], 16)
        at = line + 2
        if not size:  # trailers, then an empty line
            while (line := data.find(b"\r\n", at)) > at:
                at = line + 2
            return line + 2 if line >= 0 else 0
        at += size + 2
        if at > len(data):
            return 0
    return 0


class Connection(asyncio.Protocol):
    """One client, that may send a request in pieces or several at once; answers keep the order of its requests."""

    def __init__(self, latency_s: float) -> None:
        """Start with nothing received."""
        self.latency_s = latency_s
        self.loop = asyncio.get_running_loop()
        self.received = bytearray()
        self.expected = 0  # bytes before which it is no use to look again
        self.due: deque[tuple[bytes, bool]] = deque()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer through."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self.received += data
        try:
            while len(self.received) >= self.expected and self._take():
                pass
        except ValueError:  # a size that is no number: no way to find the next request
            self.received.clear()
            self._answer(BAD_REQUEST, True)

    def _take(self) -> bool:
        """Take one request off the front; False if there is no whole one."""
        received = self.received
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return False
        route, _, _ = bytes(received[:end]).partition(b" HTTP/")
        head = bytes(received[: end + 2]).lower()
        if b"chunked" in _field(head, b"transfer-encoding"):
            if not (stop := _chunked_end(received, end + 4)):
                return False
        else:
            stop = end + 4 + int(_field(head, b"content-length") or 0)
            if stop > len(received):
                self.expected = stop
                return False
        del received[:stop]
        self.expected = 0
        self._answer(ANSWERS.get(route.partition(b"?")[0], NOT_FOUND), _field(head, b"connection") == b"close")
        return True

    def _answer(self, response: bytes, last: bool) -> None:
        """Send now or after the latency; the queue keeps the order, which timers of one moment would not."""
        self.due.append((response, last))
        if self.latency_s:
            self.loop.call_later(self.latency_s, self._send)
        else:
            self._send()

    def _send(self) -> None:
        response, last = self.due.popleft()
        if not self.transport.is_closing():
            self.transport.write(response)
            if last:
                self.transport.close()


async def serve(port: int, latency_s: float) -> None:
    """Listen until the process is stopped."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(latency_s), "127.0.0.1", port, backlog=2048)
    print("ready", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve on the port, with the latency, that the command line gives."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))


if __name__ == "__main__":
    main()
