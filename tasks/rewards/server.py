"""The rewards server: ``kodforge serve-rewards``.

Whatever a client sends, what it costs is bounded: bytes of a body, completions of a batch, completions that wait.
Beyond that it is told to come back later, and its completions are not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from tasks.errors import BadInput, SandboxUnavailable
from tasks.rewards.gate import OPEN_PATH, Gate
from tasks.rewards.metrics import CONTENT_TYPE, Metrics
from tasks.rewards.models import Reward, RewardsReply, RewardsRequest
from tasks.rewards.rewarder import Rewarder
from tasks.rewards.scoring import RewardSettings
from tasks.serving import listening
from tasks.settings import Section

_GONE = 499
"""What nginx calls the status of a request whose client left; nobody reads it but the metrics."""
_LONGEST_WAIT_S = 30
_WEIGHT = 0.05
"""Of the latest run in the mean time of a run."""
T = TypeVar("T")


class Serving(Section):
    """Where a server listens, and what it lets in."""

    host: str = "127.0.0.1"
    port: int = Field(8321, ge=0, le=65_535, description="0: any that is free.")
    max_batch: int = Field(512, ge=1, description="Completions of a request.")
    max_waiting: int = Field(4096, ge=1, description="Completions let in and not yet answered; beyond them 429.")
    max_body_mb: int = Field(32, ge=1, le=1024, description="Of a request, MiB.")
    grace_s: int = Field(60, ge=0, description="How long what runs may go on after SIGTERM, seconds.")


class RewardService(RewardSettings):
    """A server: what completions are worth there, and whom it serves."""

    serving: Serving = Serving()


class Told(BaseModel):
    """Why a request was refused."""

    detail: str


class Health(BaseModel):
    status: str
    sandbox: str


class Busy(Exception):
    """As many completions wait as may."""


class Desk:
    """Lets batches in as long as not too many completions wait."""

    def __init__(self, most: int, slots: int) -> None:
        self._most, self._slots = most, slots
        self.waiting = 0
        self._mean_s = 0.1

    @contextmanager
    def admitted(self, count: int) -> Iterator[None]:
        """Raises:
        Busy: too many wait.
        """
        if self.waiting and self.waiting + count > self._most:
            raise Busy
        self.waiting += count
        try:
            yield
        finally:
            self.waiting -= count

    def saw(self, rewards: list[Reward]) -> None:
        """Learn how long a run takes."""
        for reward in rewards:
            if not reward.cached and reward.verdict is not None:
                self._mean_s += _WEIGHT * (reward.wall_s - self._mean_s)

    def retry_after(self) -> int:
        """When half of what waits now will be answered, in whole seconds."""
        return min(_LONGEST_WAIT_S, max(1, round(self.waiting * self._mean_s / self._slots / 2)))


def rewards_app(rewarder: Rewarder, serving: Serving, key: str | None = None) -> FastAPI:
    """The server's application.

    Args:
        key: the bearer key to demand for all but ``/healthz``; None demands none.
    """
    slots = rewarder.settings.sandbox.slots
    desk = Desk(serving.max_waiting, slots)
    metrics = Metrics(lambda: desk.waiting, slots)
    healthy = True

    app = FastAPI(
        title="kodforge rewards",
        version="1",
        description="Completions judged by the tests of their rows, in a sandbox.",
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        dependencies=[Security(HTTPBearer(auto_error=False))],  # for the schema; the gate has looked at it before
    )

    def refused(status: int) -> None:
        metrics.requests.labels(status).inc()

    def refusal(status: int, detail: str, retry_after: int | None = None) -> Response:
        refused(status)
        return JSONResponse({"detail": detail}, status, {"Retry-After": str(retry_after)} if retry_after else None)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()[0]
        return refusal(422, f"{'.'.join(map(str, found['loc']))}: {found['msg']}")

    @app.exception_handler(HTTPException)
    async def refused_by_the_framework(request: Request, error: HTTPException) -> Response:
        return refusal(error.status_code, str(error.detail))

    refusals: dict[int | str, dict[str, Any]] = {
        400: {"model": Told, "description": "A row cannot judge, or the body is no text."},
        401: {"model": Told, "description": "The key is missing or wrong."},
        411: {"model": Told, "description": "The body has no Content-Length."},
        413: {"model": Told, "description": "The body, or the batch, is too large."},
        422: {"model": Told, "description": "The body is not as it must be."},
        429: {"model": Told, "description": "Too much waits; Retry-After says when to come back."},
        503: {"model": Told, "description": "The sandbox cannot be had. Nothing is known of the completions."},
    }

    @app.post("/v1/rewards", response_model=RewardsReply, responses=refusals)
    async def rewards(batch: RewardsRequest, request: Request) -> Response:
        """Judge a batch of completions."""
        nonlocal healthy
        count = len(batch.completions)
        if count > serving.max_batch:
            return refusal(413, f"{count} completions in a request, at most {serving.max_batch} may be")
        try:
            with desk.admitted(count), metrics.seconds.time():
                found = await _unless_gone(request, rewarder.areward(batch.completions, batch.row_of_each()))
        except Busy:
            waiting = f"{desk.waiting} completions wait, at most {serving.max_waiting} may"
            return refusal(429, f"{waiting}: come back later", desk.retry_after())
        except BadInput as error:
            return refusal(400, str(error))
        except SandboxUnavailable as error:
            healthy = False
            return refusal(503, str(error), 5)
        if found is None:
            metrics.disconnected.inc()
            return refusal(_GONE, "the client has left")
        desk.saw(found)
        metrics.judged(found)
        metrics.requests.labels(200).inc()
        return Response(RewardsReply(rewards=found).model_dump_json(), media_type="application/json")

    @app.get(OPEN_PATH, responses={200: {"model": Health}, 503: {"model": Health}})
    async def health() -> Response:
        """Whether the sandbox worked when it was last used, or works again."""
        nonlocal healthy
        if not healthy:
            with contextlib.suppress(SandboxUnavailable):
                await asyncio.get_running_loop().run_in_executor(None, rewarder.check_sandbox)
                healthy = True
        found = Health(status="ok" if healthy else "sandbox unavailable", sandbox=rewarder.sandbox)
        return JSONResponse(found.model_dump(), 200 if healthy else 503)

    @app.get("/metrics", response_class=Response)
    async def counters() -> Response:
        """Counters for Prometheus."""
        return Response(metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app.add_middleware(Gate, key=key, max_body=serving.max_body_mb << 20, refused=refused)
    return app


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """What work comes to; None where the client leaves first, for whom nothing more is begun then."""
    judging = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({judging, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return await judging if judging.done() else None
    finally:
        judging.cancel()
        leaving.cancel()
        await asyncio.gather(judging, leaving, return_exceptions=True)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def reward_socket(serving: Serving, key: str | None) -> socket.socket:
    """The socket that a server listens on.

    Raises:
        BadInput: the address cannot be had, or others could reach it and there is no key.
    """
    listener = listening(serving.host, serving.port)
    if not key and not ipaddress.ip_address(listener.getsockname()[0]).is_loopback:
        listener.close()
        raise BadInput(
            f"--host {serving.host!r} is reachable from elsewhere, and the server has no key to demand. Put one into "
            f"the environment variable that --key-env names, or listen on 127.0.0.1"
        )
    return listener
