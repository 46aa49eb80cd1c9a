"""Ports for servers of the tests."""

from __future__ import annotations

import os
import random
import socket

_FIRST_PORT = 12_000 + 2_000 * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 10)
_PORTS = random.sample(range(_FIRST_PORT, _FIRST_PORT + 2_000), 2_000)
"""Of this process that tests, and below those that the system hands out: another program that asks it for any port
could have been given ours before our server takes it."""


def free_port() -> int:
    """A port that nothing listens at."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port := _PORTS.pop()))
            except OSError:
                continue
            return port
