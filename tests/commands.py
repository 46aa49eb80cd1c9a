"""Flows and commands within this process: to start one takes longer than most of what it does.

Apart from ``tests.processes``, which is imported before Prefect may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from click.testing import Result
from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from flows.cli import app
from tasks.errors import KodforgeError
from tests.processes import PrefectServer


@contextmanager
def at_server(url: str) -> Iterator[None]:
    """What this process does with Prefect is done at that server.

    What tells the server of events and logs lives as long as the process, and keeps to the server it began with: it is
    ended here, or the next server would hear nothing.
    """
    with temporary_settings({PREFECT_API_URL: url}):
        try:
            yield
        finally:
            EventsWorker.drain_all()
            APILogWorker.drain_all()


def invoked(url: str, *arguments: str, env: dict[str, str] | None = None) -> Result:
    """What came of a command with a Prefect server."""
    with at_server(url):
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "200", **(env or {})})


def refusal(server: PrefectServer, *arguments: str) -> str:
    """The error on purpose that a command ends with."""
    done = invoked(server.url, *arguments)
    assert isinstance(done.exception, KodforgeError), f"{done.output}{done.exception!r}"
    return str(done.exception)
