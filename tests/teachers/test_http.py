"""HTTP/2 where a server offers it, HTTP/1.1 where it does not: real servers with TLS on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tasks.settings import Endpoint, Sampling
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import ChatRequest
from tests.ports import free_port
from tests.teachers.misbehaving import completion


@contextmanager
def tls_server(folder: Path, protocols: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Serve with a certificate of an authority of our own; yields the URL and the versions of HTTP that were spoken."""
    spoken: list[str] = []

    async def answer(request: Request) -> Response:
        await request.body()  # hypercorn breaks the connection over data for a stream that was answered before it
        spoken.append(request.scope["http_version"])
        return JSONResponse(completion("yes"))

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    config, port = Config(), free_port()
    config.bind, config.alpn_protocols, config.loglevel = [f"localhost:{port}"], protocols, "ERROR"
    config.certfile = config.keyfile = str(folder / "server.pem")
    application = Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])
    loop, ended = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(
        target=lambda: loop.run_until_complete(serve(application, config, shutdown_trigger=ended.wait)), daemon=True
    )
    thread.start()
    try:
        yield f"https://localhost:{port}/v1", spoken
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)


@pytest.mark.parametrize(("protocols", "version"), [(["h2", "http/1.1"], "2"), (["http/1.1"], "1.1")])
def test_the_best_version_that_the_server_offers_is_spoken(tmp_path, monkeypatch, protocols, version):
    with tls_server(tmp_path, protocols) as (url, spoken):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        requests = [ChatRequest(messages=(("user", str(n)),), sampling=Sampling(), seed=0) for n in range(20)]
        endpoint = Endpoint(base_url=url, model="m", timeout_s=20)
        for _ in range(100):  # until it listens
            client = TeacherClient(endpoint, open_cache(str(tmp_path / "answers.sqlite")))
            try:
                client.check()
                break
            except Exception:
                client.close()
                threading.Event().wait(0.05)
        answers = client.ask_all(requests)
        client.close()
    assert [answer.text for answer in answers] == ["yes"] * 20
    assert set(spoken) == {version}
