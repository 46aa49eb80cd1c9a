"""A loopback server with the batch API: files, batches, polls, partial failures, expiry."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.teachers.misbehaving import completion

Outcome = Callable[[str, int], dict[str, Any] | None]
"""What a line gets, by prompt and how often it was handed in before: a line of the output, None: nothing (expired)."""


def answered(prompt: str, _: int) -> dict[str, Any]:
    return {"response": {"status_code": 200, "body": completion(f"echo {prompt}")}, "error": None}


class BatchServer:
    """Attributes:
    handed_in: how often each prompt was in a batch.
    polls_needed: looks at a batch until it has ended.
    refuse: statuses that the next calls of a path get instead, such as ``{"/v1/batches": [500]}``.
    """

    def __init__(self, outcome: Outcome = answered) -> None:
        self.outcome = outcome
        self.handed_in: Counter[str] = Counter()
        self.polls_needed = 2
        self.hold = False
        self.refuse: dict[str, list[int]] = {}
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self._polls: Counter[str] = Counter()
        self.url = ""
        self.app = Starlette(
            routes=[
                Route("/v1/files", self._upload, methods=["POST"]),
                Route("/v1/files/{id}/content", self._content),
                Route("/v1/batches", self._create, methods=["POST"]),
                Route("/v1/batches", self._list),
                Route("/v1/batches/{id}", self._poll),
            ]
        )

    def _refused(self, request: Request) -> Response | None:
        waiting = self.refuse.get(request.url.path)
        return Response("no", waiting.pop(0)) if waiting else None

    async def _upload(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        form = await request.form()
        assert form["purpose"] == "batch"
        name = f"file-{len(self.files)}"
        self.files[name] = await form["file"].read()  # type: ignore[union-attr]
        return JSONResponse({"id": name})

    async def _content(self, request: Request) -> Response:
        return self._refused(request) or Response(self.files[request.path_params["id"]])

    async def _create(self, request: Request) -> Response:
        wanted = await request.json()
        name = f"batch-{len(self.batches)}"
        self.batches[name] = {"id": name, "status": "validating", **wanted}
        # Refused only now: the batch was made, and the answer to that was lost.
        return self._refused(request) or JSONResponse(self.batches[name])

    async def _list(self, request: Request) -> Response:
        return JSONResponse({"data": list(self.batches.values()), "has_more": False})

    async def _poll(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        if request.path_params["id"] not in self.batches:
            return Response("no such batch", 404)
        batch = self.batches[request.path_params["id"]]
        self._polls[batch["id"]] += 1
        if self._polls[batch["id"]] == self.polls_needed and not self.hold:
            self._work(batch)
        return JSONResponse(batch)

    def _work(self, batch: dict[str, Any]) -> None:
        lines = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        done, failed, missing = [], [], 0
        for line in reversed(lines):  # servers give no order
            prompt = line["body"]["messages"][-1]["content"]
            result = self.outcome(prompt, self.handed_in[prompt])
            self.handed_in[prompt] += 1
            if result is None:
                missing += 1
            elif result.get("error"):
                failed.append({"custom_id": line["custom_id"], **result})
            else:
                done.append({"custom_id": line["custom_id"], **result})
        batch["status"] = "expired" if missing else "completed"
        for key, listed in (("output_file_id", done), ("error_file_id", failed)):
            if listed:
                name = f"file-{len(self.files)}"
                self.files[name] = "\n".join(json.dumps(one, ensure_ascii=False) for one in listed).encode()
                batch[key] = name


@contextmanager
def batch_server(outcome: Outcome = answered) -> Iterator[BatchServer]:
    """Serve in a thread."""
    made = BatchServer(outcome)
    server = uvicorn.Server(uvicorn.Config(made.app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    made.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    try:
        yield made
    finally:
        server.should_exit = True
        thread.join(10)
