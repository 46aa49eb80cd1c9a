"""``kodforge backfill``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

_DAYS = ["%Y-%m-%d"]


def backfill(
    deployment: Annotated[str, typer.Argument(help="A deployment whose run is named by the day, as in pilot-nightly.")],
    first: Annotated[datetime, typer.Option("--from", formats=_DAYS, help="First day.")],
    last: Annotated[datetime, typer.Option("--to", formats=_DAYS, help="Last day.")],
    every: Annotated[bool, typer.Option("--all", help="Also days that have their release.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be scheduled.")] = False,
) -> None:
    """Schedule a flow run of a deployment for each day that has no finished release.

    Example: kodforge backfill pilot-nightly --from 2026-11-01 --to 2026-11-05
    """
    from flows.console.backfill import backfill as schedule  # noqa: PLC0415 - Prefect takes two seconds to import

    schedule(deployment, first.date(), last.date(), every, dry_run, Console())
