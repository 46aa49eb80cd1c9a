"""What the console command says of wrong input."""

from __future__ import annotations

from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from flows.cli import app
from tasks.errors import KodforgeError
from tests.processes import PrefectServer


def refusal(server: PrefectServer, *arguments: str) -> str:
    """The error that a command ends with, called within this process: to start one takes most of the time otherwise."""
    with temporary_settings({PREFECT_API_URL: server.url}):
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert isinstance(done.exception, KodforgeError), f"{done.output}{done.exception!r}"
    return str(done.exception)
