"""What stands before the browser's pages: who has no token of this start, or comes from another page, gets no further.

A page of somebody else's in the same browser can send requests here. It cannot read the token, name this server as
where it comes from, or, with a name of its own that leads to loopback, call it by the server's name.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.browsing.pages import render
from tasks.redaction import cause

_LOG = logging.getLogger(__name__)

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
READS = {"GET", "HEAD"}
MOST_BODY = 64 << 10
"""Bytes of a request's body: a note and a token."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SAFE = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of every answer."""
HEADER = "x-kodforge-token"
"""Where a write has its own token."""
_RELAY = '<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=/"><title>kodforge</title>'
_STRANGER = (
    "This page is for whoever started it. Open the address that `kodforge browse` printed, token included; it is "
    "another one after each start."
)


@dataclass(frozen=True)
class Tokens:
    """The secrets of one start.

    Attributes:
        opening: in the address that is printed; it buys the cookie, as often as it is opened.
        write: of forms and scripts of the server's own pages.
    """

    opening: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def cookie(self) -> str:
        return self._derived("cookie")

    @property
    def write(self) -> str:
        return self._derived("write")

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.opening.encode(), purpose.encode(), hashlib.sha256).hexdigest()


class Gate:
    """ASGI middleware: refuses a request by its headers, before anything of its body is read.

    Args:
        port: of the server; cookies of one host are shared by all its ports, so that it is part of the cookie's name.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, port: int) -> None:
        self._app, self._tokens = app, tokens
        self._cookie = f"kodforge-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            else:
                await self._app(scope, receive, send)
            return

        started = False

        async def safely(message: Message) -> None:
            nonlocal started
            started = True
            if message["type"] == "http.response.start":
                names = {name.lower() for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in SAFE.items()]
                message["headers"] = [*message["headers"], *(one for one in more if one[0] not in names)]
            await send(message)

        found = self._answer(scope, Headers(scope=scope))
        try:
            await (found or self._app)(scope, receive, safely)
        except Exception as error:  # a defect, which must not cost an answer its headers
            if started:
                raise
            _LOG.exception("%s %s failed", scope["method"], scope["path"])
            told = render("problem", status=500, detail=f"This page failed: {cause(error)}")
            await HTMLResponse(told, 500)(scope, receive, safely)

    def _answer(self, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a request that goes no further; None lets it in."""
        host = headers.get("host", "")
        if not _is_loopback(host):
            told = f"This server is for this machine alone, and was called {host!r}. Call it 127.0.0.1 or localhost."
            return PlainTextResponse(told, 421)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["method"] in READS and scope["path"] == "/" and given:
            return self._opened(given, headers)
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return PlainTextResponse("Another page asked for this. Open it by its own address.", 403)
        if not _equal(self._given_cookie(headers), self._tokens.cookie):
            return PlainTextResponse(_STRANGER, 401)
        if scope["method"] in READS:
            return None
        return self._refused_write(headers, host)

    def _refused_write(self, headers: Headers, host: str) -> Response | None:
        if headers.get("origin") != f"http://{host}":
            told = f"A change must come from this server's own page, got one from {headers.get('origin')!r}."
            return PlainTextResponse(told, 403)
        if not _equal(headers.get(HEADER, ""), self._tokens.write):
            return PlainTextResponse(
                "The token of this change is not of this start of the server. Load the page again.", 403
            )
        length = headers.get("content-length", "")
        if "transfer-encoding" in headers or not length.isdigit():
            return PlainTextResponse("Send the body with a Content-Length.", 411)
        if int(length) > MOST_BODY:
            return PlainTextResponse(f"The body has {length} bytes, at most {MOST_BODY:,} are taken.", 413)
        return None

    def _opened(self, given: str, headers: Headers) -> Response:
        """The cookie for the token, and the way to the page without it.

        A browser that comes by a link of another page sends no strict cookie along a redirect, but does to where a page
        of this server itself leads.
        """
        if not _equal(given, self._tokens.opening):
            return PlainTextResponse(_STRANGER, 401)
        linked = headers.get("sec-fetch-site", "none") != "none"
        answer: Response = HTMLResponse(_RELAY) if linked else RedirectResponse("/", 303)
        answer.set_cookie(self._cookie, self._tokens.cookie, httponly=True, samesite="strict", path="/")
        return answer

    def _given_cookie(self, headers: Headers) -> str:
        """The cookie of this server, whatever those of others on this host look like."""
        return cookie_parser(headers.get("cookie", "")).get(self._cookie, "")


def _is_loopback(host: str) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname in LOOPBACK and parts.netloc == host and not (parts.username or parts.password)
    except ValueError:
        return False


def _equal(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())
