"""The browser's server: pages and their parts over HTTP, for this machine alone."""

from __future__ import annotations

import socket
from typing import Any, Literal
from urllib.parse import parse_qsl

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from tasks.browsing.gate import Gate, Tokens
from tasks.browsing.index import Index
from tasks.browsing.live import Live
from tasks.browsing.pages import ASSETS, asset, render
from tasks.browsing.rerun import RerunBusy, Rerunner
from tasks.browsing.reviews import FILE, DecidedAnew, ReviewFile, line_of, without_effect
from tasks.browsing.rows import Reader
from tasks.browsing.search import FACETS, Filters, around, search
from tasks.errors import BadInput, KodforgeError, SandboxUnavailable
from tasks.redaction import cause
from tasks.reviews import Decision
from tasks.run import Run
from tasks.serving import listening

HOST = "127.0.0.1"
"""Nobody but this machine is served, whatever the network."""
GRACE_S = 2
"""For requests under way when it is stopped, seconds."""
_AT_ONCE = 8
"""Requests that read at the same time."""


class Wish(BaseModel):
    """What is to become of a row: ``accept``, ``reject``, or ``undo`` for the decision before.

    Attributes:
        line: the decision to undo, by the name that the page has for it.
    """

    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=500)
    decision: Literal["accept", "reject", "undo"]
    note: str = Field("", max_length=4000)
    line: str = Field("", max_length=100)


class Trial(BaseModel):
    """What is to be run: a row, or one of its attempts."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(max_length=500)
    attempt: str = Field("", max_length=500)


class Desk:
    """What the pages are made of, over one run.

    Args:
        run: the run that is looked at.
        index: its rows.
        reviews: what was decided on them.
    """

    def __init__(self, run: Run, index: Index, reviews: ReviewFile) -> None:
        self.run, self.index, self.reviews = run, index, reviews
        self.rerunner, self.live = Rerunner(run.config.sandbox), Live(run)
        self.tokens = Tokens()

    def close(self) -> None:
        self.rerunner.close()
        self.index.close()

    def listed(self, filters: Filters, template: str) -> str:
        """The list of rows as a page, or as the part of it that changes."""
        decided, version = self.reviews.decisions(), self.index.version
        with self.index.cursor() as cursor:
            found = search(cursor, filters, decided)
        for row in found.rows:
            review = decided.get(row["id"])
            row |= {"line": line_of(review), "without_effect": without_effect(row, review)}
        return self._page(template, len(decided), filters=filters, found=found, facets=FACETS, version=version)

    def shown(self, row_id: str, filters: Filters) -> str | None:
        """The page of a row; None where there is none of that id."""
        decided = self.reviews.decisions()
        with self.index.cursor() as cursor:
            found = Reader(self.run, cursor).detail(row_id)
            if found is None:
                return None
            place = around(cursor, filters, decided, found.summary)
        review = decided.get(row_id)
        told = {"review": review, "line": line_of(review), "without_effect": without_effect(found.summary, review)}
        return self._page("row", len(decided), row=found, filters=filters, around=place, **told)

    def state(self) -> dict[str, Any]:
        """What the run is doing."""
        with self.index.cursor() as cursor:
            return self.live.look(cursor, self.index.version).as_json()

    def rerun(self, row_id: str, attempt_id: str) -> str | None:
        """The verdict on a row, or on one of its attempts, run now; None where there is nothing to run."""
        with self.index.cursor() as cursor:
            pair = Reader(self.run, cursor).pair(row_id, attempt_id)
        return None if pair is None else render("rerun", verdict=self.rerunner.run(pair))

    def decide(self, wanted: Wish) -> dict[str, Any]:
        """What holds on a row after it was decided on.

        Raises:
            BadInput: there is no such row.
            DecidedAnew: the decision to undo is not the last one on it.
        """
        with self.index.cursor() as cursor:
            row = Reader(self.run, cursor).summary(wanted.id)
        if row is None:
            raise BadInput(f"run {self.run.config.run!r} has no row {wanted.id[:200]!r}")
        if wanted.decision == "undo":
            review = self.reviews.undo(wanted.id, wanted.line)
        else:
            review = self.reviews.decide(wanted.id, Decision(wanted.decision), wanted.note)
        why = without_effect(row, review)
        return {
            "decision": review.decision.value if review else "",
            "line": line_of(review),
            "without_effect": why,
            "html": render("review", review=review, without_effect=why),
            "decided": len(self.reviews.decisions()),
        }

    def _page(self, template: str, decided: int, **values: Any) -> str:
        told = {"run": self.run.config.run, "place": self.reviews.place, "token": self.tokens.write}
        return render(template, **told, decided=decided, **values)


def browser_app(desk: Desk, port: int) -> FastAPI:
    """The application.

    Args:
        port: that it is served on.
    """
    app = FastAPI(title="kodforge browse", docs_url=None, redoc_url=None, openapi_url=None)
    reading = CapacityLimiter(_AT_ONCE)

    async def read(work: Any, *arguments: Any) -> Any:
        return await to_thread.run_sync(work, *arguments, limiter=reading)

    def problem(status: int, detail: str) -> Response:
        return HTMLResponse(render("problem", status=status, detail=detail), status)

    @app.exception_handler(KodforgeError)
    async def told(request: Request, error: KodforgeError) -> Response:
        status = 409 if isinstance(error, DecidedAnew) else 400 if isinstance(error, BadInput) else 503
        return problem(status, cause(error))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, f"{request.url.path[:200]}: {error.detail}")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()[0]
        return problem(422, f"{'.'.join(map(str, found['loc']))}: {found['msg']}")

    def pairs_of(request: Request) -> list[tuple[str, str]]:
        return parse_qsl(request.url.query, keep_blank_values=True)

    @app.get("/")
    async def rows(request: Request) -> Response:
        return HTMLResponse(await read(desk.listed, Filters.of(pairs_of(request)), "list"))

    @app.get("/rows")
    async def part(request: Request) -> Response:
        return HTMLResponse(await read(desk.listed, Filters.of(pairs_of(request)), "rows"))

    @app.get("/row")
    async def row(request: Request) -> Response:
        pairs = pairs_of(request)
        name = next((value for key, value in pairs if key == "id"), "")
        filters = Filters.of(pair for pair in pairs if pair[0] != "id")
        shown = await read(desk.shown, name, filters)
        if shown is None:
            return problem(404, f"run {desk.run.config.run!r} has no row {name[:200]!r}. Ids look like Docs_00000003_I")
        return HTMLResponse(shown)

    @app.get("/live.json")
    async def live() -> Response:
        """What the run is doing; on the way, what has changed in it is read."""
        await read(desk.index.refresh_soon)
        return JSONResponse(await read(desk.state))

    @app.get("/review.jsonl")
    async def review() -> Response:
        headers = {"Content-Disposition": f'attachment; filename="{FILE}"'}
        return Response(await read(desk.reviews.data), media_type="application/jsonl", headers=headers)

    @app.post("/review")
    async def decide(wanted: Wish) -> Response:
        return JSONResponse(await read(desk.decide, wanted))

    @app.post("/rerun")
    async def rerun(wanted: Trial) -> Response:
        try:
            html = await to_thread.run_sync(desk.rerun, wanted.id, wanted.attempt)
        except SandboxUnavailable as error:
            return HTMLResponse(render("rerun_failed", detail=cause(error)), 503)
        except RerunBusy as error:
            return HTMLResponse(render("rerun_failed", detail=cause(error)), 429)
        if html is None:
            return HTMLResponse(
                render("rerun_failed", detail=f"{wanted.id[:200]} has no solution and tests that can be run"), 404
            )
        return HTMLResponse(html)

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in ASSETS:
            return PlainTextResponse("there is no such file", 404)
        return Response(asset(name), media_type=ASSETS[name])

    app.add_middleware(Gate, tokens=desk.tokens, port=port)
    return app


def browser_socket(port: int) -> socket.socket:
    """The socket that the server listens on.

    Args:
        port: 0: any that is free.

    Raises:
        BadInput: the port cannot be had.
    """
    return listening(HOST, port)
