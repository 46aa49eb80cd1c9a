"""``kodforge pause`` and ``kodforge resume``."""

from __future__ import annotations

from typing import Annotated

import typer

FlowRun = Annotated[str, typer.Argument(help="Name or id of a flow run, as the Prefect UI has it.")]


def pause(flow_run: FlowRun) -> None:
    """Pause a flow run of a deployment: what is under way is finished, then its process ends until it is resumed.

    Example: kodforge pause "build pilot-2026-11-01"
    """
    from flows.console.pausing import pause as suspend  # noqa: PLC0415 - Prefect takes two seconds to import

    typer.echo(f"{suspend(flow_run)} finishes what is under way. Go on with: kodforge resume {flow_run!r}")


def resume(flow_run: FlowRun) -> None:
    """Go on with a paused flow run, on any worker of its pool.

    Example: kodforge resume "build pilot-2026-11-01"
    """
    from flows.console.pausing import resume as go_on  # noqa: PLC0415

    typer.echo(f"{go_on(flow_run)} goes on as soon as a worker takes it")
