"""The clients of this process: one per endpoint, for all its threads."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence
from typing import NoReturn, cast

from tasks.errors import TeacherStopped
from tasks.metrics import start_metrics
from tasks.planning import Plan, plan_in_the_making
from tasks.run import Purpose
from tasks.settings import Endpoint, fingerprint
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient, event_loop
from tasks.teachers.pending import STOPPED
from tasks.teachers.requests import TeacherRequest

_clients: dict[str, TeacherClient] = {}
_refused: list[TeacherClient] = []
"""Those whose key was refused. Other threads may still be told so."""
_lock = threading.Lock()
_stopping = threading.Event()


def check_endpoint(endpoint: Endpoint, role: str = "author") -> None:
    """Reach an endpoint and have its key accepted, apart from any run.

    Raises:
        BadInput, TeacherUnavailable, TeacherMisconfigured: as ``TeacherClient`` and its ``check``.
    """
    client = TeacherClient(endpoint, open_cache(":memory:"), role)
    try:
        client.check()
    finally:
        client.close()


def shared_client(endpoint: Endpoint, cache_path: str, role: str = "author") -> TeacherClient:
    """The process's client for an endpoint, closed when the process ends.

    Raises:
        TeacherStopped: ``stop_clients`` was called, and ``start_clients`` was not since.
    """
    if plan := plan_in_the_making():
        return cast(TeacherClient, _Unasked(plan, endpoint, cache_path))
    if _stopping.is_set():
        raise TeacherStopped(STOPPED)
    with _lock:
        place = fingerprint(endpoint, cache_path)
        if place in _clients and _clients[place].is_refused:  # the next one reads its key anew
            _refused.append(_clients.pop(place))
        if place not in _clients:
            if not _clients:
                start_metrics()
                event_loop()  # before what closes the clients: what is registered first ends last
                atexit.register(close_clients)
            _clients[place] = TeacherClient(endpoint, open_cache(cache_path), role)
        return _clients[place]


class _Unasked:
    """What stands for a client while a plan is made: it counts requests, and asks nobody."""

    def __init__(self, plan: Plan, endpoint: Endpoint, cache_path: str) -> None:
        self._plan, self._endpoint, self._cache_path = plan, endpoint, cache_path

    def ask_all(self, requests: Sequence[TeacherRequest], purpose: Purpose) -> NoReturn:
        cache = open_cache(self._cache_path)
        self._plan.ask([request.key(self._endpoint) for request in requests], lambda keys: len(cache.packed(keys)))


def start_clients() -> None:
    """Let shared clients ask, from the beginning of a flow on."""
    _stopping.clear()


def stop_clients() -> None:
    """Stop all shared clients: what is in flight may still be answered, for a little while."""
    _stopping.set()
    with _lock:
        stopped = [_clients.pop(place) for place in list(_clients)]
    for client in stopped:
        client.stop()
        client.close()


def close_clients() -> None:
    """Close all shared clients."""
    with _lock:
        while _clients:
            _clients.popitem()[1].close()
        while _refused:
            _refused.pop().close()
