"""What stands before a rewards server's application: whoever has no key, or sends too much, gets no further."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN_PATH = "/healthz"


class Gate:
    """ASGI middleware: refuses a request by its headers, before anything of its body is read.

    Args:
        key: the bearer key to demand for all but ``OPEN_PATH``; None demands none.
        max_body: bytes of a request's body.
        refused: called with the status of each refusal.
    """

    def __init__(self, app: ASGIApp, key: str | None, max_body: int, refused: Callable[[int], None]) -> None:
        self._app, self._key, self._max_body, self._refused = app, key, max_body, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._refusal(scope["path"], Headers(scope=scope)) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        status, why = found
        self._refused(status)
        # The body is not read, so that nothing else can come over this connection.
        headers = {"Connection": "close"} | ({"WWW-Authenticate": "Bearer"} if status == 401 else {})
        await JSONResponse({"detail": why}, status, headers)(scope, receive, send)

    def _refusal(self, path: str, headers: Headers) -> tuple[int, str] | None:
        if self._key is not None and path != OPEN_PATH:
            given = headers.get("authorization", "").encode()
            if not secrets.compare_digest(given, f"Bearer {self._key}".encode()):
                return 401, "give the server's key as a bearer token"
        if "transfer-encoding" in headers:
            return 411, "send the body with a Content-Length"
        if int(headers.get("content-length", "0")) > self._max_body:
            return 413, (
                f"the body is longer than {self._max_body:,} bytes: send fewer completions at a time, or give the "
                f"server a larger serving.max_body_mb"
            )
        return None
