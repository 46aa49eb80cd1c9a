"""An OpenAI-compatible model on loopback whose answers a test writes down."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answers = Callable[[str, int], str | int]
"""What is said to a prompt and a seed; a number is an error of that status."""


@dataclass
class Model:
    url: str
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sampling(self) -> dict[str, Any]:
        """An endpoint of an ``EvaluationConfig``."""
        return {"base_url": self.url, "model": "tiny", "retries": 0}


@contextmanager
def answering(answers: Answers) -> Iterator[Model]:
    model = Model("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(200, {"object": "list", "data": [{"id": "tiny", "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            model.asked.append(body)
            chat = "messages" in body
            prompt = body["messages"][-1]["content"] if chat else body["prompt"]
            said = answers(prompt, body.get("seed", 0))
            if isinstance(said, int):
                self._send(said, {"error": {"message": "no"}})
                return
            choice = {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
            usage = {"prompt_tokens": 10, "completion_tokens": 5}
            self._send(200, {"choices": [{"index": 0, "finish_reason": "stop", **choice}], "usage": usage})

        def _send(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        model.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield model
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
