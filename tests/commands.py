"""The console command within this process: to start one takes longer than most of what it does.

Apart from ``tests.processes``, which is imported before Prefect may be.
"""

from __future__ import annotations

from click.testing import Result
from prefect.settings import PREFECT_API_URL, temporary_settings
from typer.testing import CliRunner

from flows.cli import app
from tasks.errors import KodforgeError
from tests.processes import PrefectServer


def invoked(url: str, *arguments: str, env: dict[str, str] | None = None) -> Result:
    """What came of a command with a Prefect server."""
    with temporary_settings({PREFECT_API_URL: url}):
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "200", **(env or {})})


def refusal(server: PrefectServer, *arguments: str) -> str:
    """The error on purpose that a command ends with."""
    done = invoked(server.url, *arguments)
    assert isinstance(done.exception, KodforgeError), f"{done.output}{done.exception!r}"
    return str(done.exception)
