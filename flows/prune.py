"""Making room: ``kodforge prune`` as a flow."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from prefect.artifacts import create_table_artifact
from prefect.logging import get_run_logger
from pydantic import Field
from rich.console import Console
from rich.table import Table

from flows.orchestration.hooks import flow
from tasks.pruning import OldRun, old_runs, prune_run
from tasks.settings import BuildConfig
from tasks.store import Store

Days = Annotated[int, Field(ge=1, le=36_500)]


@flow(name="prune", flow_run_name="prune {config.store}")
def prune(config: BuildConfig, older_than_days: Days = 30, dry_run: bool = False) -> list[str]:
    """Remove the stages of finished runs of a store. Their releases, reports and numbers stay, and so do all answers.

    Args:
        config: `store` and `storage` are used.
        older_than_days: since the run ended.
        dry_run: only tell what would go.

    Returns:
        The runs.
    """
    store, log = Store.of(config), get_run_logger()
    found = list(old_runs(store, timedelta(days=older_than_days)))
    gone = [run for run in found if dry_run or prune_run(store, run, log.warning)]
    create_table_artifact(
        [
            {"run": run.name, "ended": f"{run.ended:%Y-%m-%d}", "stages": len(run.stages), "bytes": run.size}
            for run in gone
        ],
        key="pruned",
        description="Would go" if dry_run else "Removed: stages of finished runs",
    )
    _show(gone, dry_run)
    return [run.name for run in gone]


def _show(runs: list[OldRun], dry_run: bool) -> None:
    table = Table(title="Stages that would be removed" if dry_run else "Stages removed", title_justify="left")
    for name in ("run", "ended", "stages", "MB"):
        table.add_column(name, justify="left" if name == "run" else "right")
    for run in runs:
        table.add_row(run.name, f"{run.ended:%Y-%m-%d}", str(len(run.stages)), f"{run.size / 1e6:,.1f}")
    Console().print(table)
