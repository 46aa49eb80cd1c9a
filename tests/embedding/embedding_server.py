"""A loopback server of embeddings. Vectors are true functions of their texts; what goes wrong is the test's to say."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH = 16
Reply = tuple[int, Any]
"""Status and JSON, or bytes that are none."""


def vector(text: str, width: int = WIDTH) -> NDArray[np.float32]:
    """The vector of a text, not normalised."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return (3 * np.random.default_rng(seed).standard_normal(width)).astype(np.float32)


def good(body: dict[str, Any]) -> dict[str, Any]:
    """The right answer to a request, components as numbers or as base64."""
    width = body.get("dimensions", WIDTH)
    packed = body.get("encoding_format") == "base64"
    vectors = [vector(text, width) for text in body["input"]]
    told = [base64.b64encode(one.tobytes()).decode() if packed else one.tolist() for one in vectors]
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(told)],
        "model": body["model"],
        "usage": {"prompt_tokens": 2 * len(told), "total_tokens": 2 * len(told)},
    }


class EmbeddingServer:
    """Answers well, unless ``behave(body, visit)`` says otherwise for the n-th request (0-based).

    Attributes:
        asked: the texts of each request, in the order in which they came.
        headers: of each request.
    """

    def __init__(self, behave: Callable[[dict[str, Any], int], Reply | None]) -> None:
        self.asked: list[list[str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        lock, outer = threading.Lock(), self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None: ...

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with lock:
                    visit = len(outer.asked)
                    outer.asked.append(body["input"])
                    outer.bodies.append(body)
                    outer.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, reply = behave(body, visit) or (200, good(body))
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status if self.path == "/v1/embeddings" else 404)
                self.send_header("content-length", str(len(data)))
                if status in (429, 503):
                    self.send_header("retry-after", "0")
                self.end_headers()
                self.wfile.write(data)

        class Listener(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.listener.server_port}/v1"


@contextmanager
def embedding_server(
    behave: Callable[[dict[str, Any], int], Reply | None] = lambda *_: None,
) -> Iterator[EmbeddingServer]:
    """Serve in a thread."""
    server = EmbeddingServer(behave)
    threading.Thread(target=server.listener.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.listener.shutdown()
        server.listener.server_close()
