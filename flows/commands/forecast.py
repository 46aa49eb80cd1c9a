"""``kodforge forecast``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.console.options import Profile, Sets, load_config


def forecast(
    workers: Annotated[
        list[int] | None, typer.Option("--workers", min=1, help="Machines; may be repeated. Default: 1, 4, 16, 64.")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=1000, help="Simulations, each with other draws.")] = 3,
    rates: Annotated[Path | None, typer.Option("--rates", help="YAML file of rates; default: measured ones.")] = None,
    measured: Annotated[
        str | None, typer.Option("--from", help="A run that was built, in the same store, whose rates are taken.")
    ] = None,
    write: Annotated[Path | None, typer.Option("--write-rates", help="YAML file for the rates gone by.")] = None,
    profile: Profile = "full",
    set_: Sets = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Forecast a run by simulation: wall time, cost, storage and bottleneck, without asking any teacher.

    Example: kodforge forecast --profile full --workers 4 --set shards_in_flight=32
    """
    from flows.console.forecast import run_forecast  # noqa: PLC0415 - Prefect takes two seconds to import

    config = load_config(profile, set_)
    measured_run = load_config(profile, [*set_, f"run={measured}"]) if measured else None
    run_forecast(config, workers or [1, 4, 16, 64], seeds, rates, measured_run, write, Console())
