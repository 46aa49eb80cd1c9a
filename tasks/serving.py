"""What the HTTP servers of this project share: the socket that they listen on, and how they are run."""

from __future__ import annotations

import signal
import socket

import uvicorn
from fastapi import FastAPI

from tasks.errors import BadInput

_BACKLOG = 2048


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens: who is told its address may come before the server is quite up.

    Args:
        port: 0: any that is free.

    Raises:
        BadInput: the address cannot be had.
    """
    try:
        # With the protocol named asyncio turns off Nagle's algorithm; else answers wait 40 ms for acknowledgements.
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise BadInput(f"--host {host!r} cannot be had: {error}") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise BadInput(f"port {port} on {host} cannot be had: {error}. Choose another: --port") from error
    return listener


def uvicorn_server(app: FastAPI, grace_s: int) -> uvicorn.Server:
    """A server that logs nothing and does not say what it is.

    Args:
        grace_s: how long what runs may go on after SIGTERM, seconds.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=grace_s,
    )
    return uvicorn.Server(config)


def serve(app: FastAPI, listener: socket.socket, grace_s: int) -> None:
    """Serve in the foreground until SIGINT or SIGTERM."""
    server = uvicorn_server(app, grace_s)
    # uvicorn raises the signal that ended it once more; to have been asked to stop is no failure.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server.run(sockets=[listener])
