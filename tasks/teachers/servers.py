"""One server of an endpoint: its connections, its key, how much it can take, and whether it is well."""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast
from urllib.request import getproxies, proxy_bypass

import httpx

from tasks.errors import BadInput
from tasks.secret_block import secret
from tasks.settings import Endpoint, Route
from tasks.teachers.faults import Retry
from tasks.teachers.limits import Allowance, InFlight
from tasks.teachers.wire import Stream

MAX_BODY = 64 << 20
"""Bytes of one response, unpacked; no completion is nearly as long."""
_CONNECT_S = 30.0
_ILL_AFTER = 3
"""Failures in a row after which the others are preferred."""
_ILL_S, _MOST_ILL_S = 1.0, 60.0
_REFUSING_S = 600.0
"""How long a server that refuses its key is left alone, while others are well."""


@dataclass(frozen=True)
class Response:
    """A whole response. ``data`` is its JSON where the status is 200."""

    status: int
    headers: httpx.Headers
    text: str
    data: Any = None

    @property
    def has_limits(self) -> bool:
        """Whether it says how many requests or tokens are left."""
        return any(name.lower().startswith(b"x-ratelimit-") for name, _ in self.headers.raw)


def api_key(route: Route | Endpoint) -> str | None:
    """The key from the environment or from a Prefect Secret block; None where the server needs none.

    Raises:
        BadInput: the variable is not set, or there is no such block.
    """
    if route.api_key_env:
        key = os.environ.get(route.api_key_env, "").strip()
        if not key:
            raise BadInput(
                f"the environment variable {route.api_key_env!r}, which should hold the key of {route.base_url}, "
                f"is not set. Set it, or name another in api_key_env (empty: no key)"
            )
        return key
    return str(secret(route.api_key_block, "api_key_block")) if route.api_key_block else None


def next_of(ready: Sequence[Server], avoid: Server | None) -> Server:
    """Take turns by weight (smooth weighted round robin, as nginx does it).

    Args:
        avoid: not this one, where there are others.
    """
    others = [server for server in ready if server is not avoid] or ready
    for server in others:
        server.credit += server.route.weight
    chosen = max(others, key=lambda server: server.credit)
    chosen.credit -= sum(server.route.weight for server in others)
    return chosen


class Server:
    """One server. All of it but ``scrub`` is for the event loop.

    Attributes:
        answers: how many it has given.
        credit: its place in the order of turns.

    Args:
        endpoint: the settings that all servers of a role share.
        transport: what carries its requests.

    Raises:
        BadInput: the key cannot be found.
    """

    def __init__(self, route: Route, endpoint: Endpoint, transport: httpx.AsyncBaseTransport) -> None:
        self.route = route
        self.model = route.model or endpoint.model
        self.in_flight = InFlight(route.max_in_flight)
        self.allowance = Allowance(route.limits.requests_per_minute, route.limits.tokens_per_minute)
        self.host = httpx.URL(route.base_url).host
        self._key = api_key(route)
        self._failures, self._ill_until, self._pause_s = 0, 0.0, _ILL_S
        self._refuses_until = 0.0
        self.answers = 0
        self.credit = 0.0
        headers = {"accept-encoding": "gzip, deflate", "content-type": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        timeout = httpx.Timeout(endpoint.timeout_s, connect=min(_CONNECT_S, endpoint.timeout_s), pool=None)
        self._transport, self._headers = transport, httpx.Headers(headers)
        self._extensions = {"timeout": timeout.as_dict()}
        del headers["content-type"]  # files of the batch API have their own
        self.http = httpx.AsyncClient(
            transport=transport,
            base_url=route.base_url.rstrip("/"),
            headers=headers,
            timeout=timeout,
            follow_redirects=True,
        )
        self._timeout_s = endpoint.timeout_s
        self._urls: dict[str, httpx.URL] = {}

    def _url(self, path: str) -> httpx.URL:
        """The whole URL, parsed once: httpx would do so three times for each request."""
        if path not in self._urls:
            self._urls[path] = httpx.URL(self.route.base_url.rstrip("/") + path)
        return self._urls[path]

    @classmethod
    async def open(cls, route: Route, endpoint: Endpoint) -> Server:
        """A server, spoken to by HTTP/2 where it offers that.

        Over HTTP/1.1 aiohttp carries the requests: httpx's own pool looks through all its connections for each one, and
        takes ten times as long with hundreds of them.

        Raises:
            BadInput: the key cannot be found.
        """
        url = httpx.URL(route.base_url)
        most = httpx.Limits(max_connections=route.max_in_flight + 2, max_keepalive_connections=route.max_in_flight + 2)
        if _proxied(url) or await _offers_http2(url):
            native = httpx.AsyncHTTPTransport(http2=url.scheme == "https", limits=most, proxy=_proxied(url))
            return cls(route, endpoint, native)
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - takes long to import

        return cls(route, endpoint, AiohttpTransport(limits=most))

    def __repr__(self) -> str:
        return f"Server({self.model!r} at {self.route.base_url!r})"

    def scrub(self, text: str) -> str:
        """A text without the key: error texts of servers may echo it."""
        return text.replace(self._key, "<key>") if self._key else text

    @property
    def has_room(self) -> bool:
        return self.in_flight.now < self.in_flight.limit

    @property
    def refuses(self) -> bool:
        """Whether it takes no request as things are, for its key or the model."""
        return time.monotonic() < self._refuses_until

    def refused(self) -> None:
        """It takes no request: it is left alone for a while."""
        self._refuses_until = time.monotonic() + _REFUSING_S

    @property
    def ill_s(self) -> float:
        """Seconds for which other servers are to be preferred; 0 for one that is well."""
        return max(0.0, self._ill_until - time.monotonic())

    def succeeded(self) -> None:
        """It answered."""
        self.answers += 1
        self._failures, self._ill_until, self._pause_s = 0, 0.0, _ILL_S
        self.in_flight.succeeded()

    def failed(self, failure: Retry, sent_at: float) -> None:
        """It did not answer, or with an error."""
        if failure.congested:
            self.in_flight.congested(sent_at)
        if failure.after_s:
            self.allowance.pause(failure.after_s)
        self._failures += 1
        # Those that were sent before it was found ill say nothing of how it is now.
        if self._failures >= _ILL_AFTER and sent_at >= self._ill_until:
            self._ill_until = time.monotonic() + self._pause_s
            self._pause_s = min(_MOST_ILL_S, 2 * self._pause_s)

    @asynccontextmanager
    async def shared_limits(self) -> AsyncIterator[None]:
        """Hold a slot of the Prefect limits that this server's route names."""
        limits = self.route.limits
        if not limits.global_in_flight and not limits.global_rate:
            yield
            return
        from tasks.teachers.shared_limits import holding  # noqa: PLC0415 - Prefect's client takes long to import

        async with holding(limits.global_in_flight, limits.global_rate):
            yield

    async def close(self) -> None:
        """Close its connections, and give back the slots of shared limits that no request has."""
        await self.http.aclose()
        if self.route.limits.global_in_flight:
            from tasks.teachers.shared_limits import give_back  # noqa: PLC0415 - as above

            await give_back()

    async def post(self, path: str, body: dict[str, Any]) -> Response:
        """Send a request and take in the whole response.

        Raises:
            Retry: no whole response came.
        """
        try:
            async with asyncio.timeout(self._timeout_s if not body.get("stream") else None):
                return await self._post(path, body)
        except httpx.ConnectTimeout as error:  # aiohttp's connections that the server has closed come as this, too
            raise Retry("no connection", f"{type(error).__name__} {self.scrub(str(error))}") from None
        except (httpx.TimeoutException, TimeoutError):
            raise Retry("timeout", f"no answer within {self._timeout_s:g} s", congested=True) from None
        except httpx.HTTPError as error:
            kind = "no connection" if isinstance(error, httpx.ConnectError) else "torn connection"
            raise Retry(kind, f"{type(error).__name__} {self.scrub(str(error))}") from None

    async def _post(self, path: str, body: dict[str, Any]) -> Response:
        # Past `self.http`, whose cookies, redirects and merging of headers take longer than the sending.
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        request = httpx.Request(
            "POST", self._url(path), headers=self._headers, content=content, extensions=self._extensions
        )
        response = await self._transport.handle_async_request(request)
        if response.has_redirect_location:
            await response.aclose()
            response = await self.http.send(self.http.build_request("POST", self._url(path), json=body), stream=True)
        try:
            if response.status_code == 200 and response.headers.get("content-type", "").startswith("text/event-stream"):
                return Response(200, response.headers, "", await _read_stream(response))
            content = b"".join([chunk async for chunk in _chunks(response)])
        finally:
            await response.aclose()
        if response.status_code != 200:
            return Response(response.status_code, response.headers, self.scrub(content.decode("utf-8", "replace")))
        try:
            return Response(200, response.headers, "", json.loads(content))
        except (ValueError, RecursionError) as error:
            raise Retry("no completion", f"a body that is no JSON ({str(error)[:200]})") from None


def _proxied(url: httpx.URL) -> str | None:
    """The proxy that the environment names for a URL."""
    if proxy_bypass(url.host):
        return None
    return getproxies().get(url.scheme) or getproxies().get("all")


async def _offers_http2(url: httpx.URL) -> bool:
    """Whether a server agrees to HTTP/2 as the connection is made (ALPN)."""
    if url.scheme != "https":
        return False
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(url.host, url.port or 443, ssl=context)
    except (OSError, TimeoutError):
        return False  # whoever asks it will be told why
    chosen = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    writer.close()
    return bool(chosen == "h2")


async def _read_stream(response: httpx.Response) -> dict[str, Any]:
    stream, decoder, rest = Stream(), codecs.getincrementaldecoder("utf-8")("replace"), ""
    try:
        async for chunk in _chunks(response):
            *lines, rest = (rest + decoder.decode(chunk)).split("\n")
            for line in lines:
                stream.feed(line.rstrip("\r"))
        stream.feed(rest)
        return stream.response()
    except (ValueError, RecursionError) as error:
        raise Retry("torn stream", f"a stream that is no completion ({str(error)[:200]})") from None


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body in pieces, unpacked here so that a small body cannot become a huge one.

    Raises:
        Retry: it is too long, or packed in a way that was not offered.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    left = MAX_BODY
    if encoding not in ("identity", "", "gzip", "deflate"):
        raise Retry("no completion", f"a body with content-encoding {encoding[:40]!r}")
    unpacker = zlib.decompressobj(wbits=47) if encoding in ("gzip", "deflate") else None
    async for raw in cast(httpx.AsyncByteStream, response.stream):
        try:
            chunk = unpacker.decompress(raw, left + 1) if unpacker else raw
        except zlib.error as error:
            raise Retry("no completion", f"a body that cannot be unpacked ({error})") from None
        left -= len(chunk)
        if left < 0:
            raise Retry("too large", f"a body of more than {MAX_BODY >> 20} MiB")
        if chunk:
            yield chunk
    if unpacker and not unpacker.eof:
        raise Retry("torn connection", "a packed body that was cut off")
