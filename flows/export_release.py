"""A release as a trainer reads it: ``kodforge export``, and the same as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from prefect.artifacts import create_table_artifact
from pydantic import Field
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flows.orchestration.hooks import flow
from tasks.exports.export import REJECTS, export
from tasks.exports.folder import Exported
from tasks.exports.plan import plan
from tasks.settings.exports import ExportFormat
from tasks.shards import shard_task


@shard_task("export to {to}")
def export_rows(
    release: str, to: ExportFormat, out: Path, configs: list[str], splits: list[str], any_tier: bool
) -> Exported:
    """Write the folder that a trainer loads."""
    return export(release, to, out, configs, splits, any_tier)


@flow(name="export-release", flow_run_name="export {release} to {to}")
def export_release(
    release: str,
    to: ExportFormat,
    out: Path,
    configs: list[str] = [],  # noqa: B006 - Prefect reads the default, nobody changes it
    splits: Annotated[list[str], Field(min_length=1)] = ["train"],  # noqa: B006
    any_tier: bool = False,
) -> Exported:
    """Write a release as a trainer loads it.

    Args:
        release: a release folder, a file of rows, or the fsspec URL of either.
        to: the trainer.
        out: the folder to write; empty, or an earlier export.
        configs: sets of the release; none: all that the trainer takes.
        splits: which of their splits.
        any_tier: of problems to reward, take those too whose tests an answer could forge.
    """
    told = export_rows(release, to, out, configs, splits, any_tier)
    rows = [{"configuration": part.config, "split": part.split, "rows": part.rows} for part in told.parts]
    create_table_artifact(rows, key="export", description=f"{to} in {out}")
    return told


def run_export(
    release: str,
    to: ExportFormat,
    out: Path,
    configs: list[str],
    splits: list[str],
    any_tier: bool,
    console: Console,
) -> None:
    """Export, and say what became of the rows."""
    plan(release, to, out, configs, splits)  # what is wrong is said before anything moves on the terminal
    columns = (SpinnerColumn(), TextColumn("{task.completed} rows read"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("export", total=None)
        told = export(release, to, out, configs, splits, any_tier, lambda rows: progress.update(bar, completed=rows))
    for part in told.parts:
        console.print(f"{part.config}/{part.split}: {part.rows} rows", highlight=False)
    if told.left_out:
        console.print(
            f"{told.left_out} rows could not be used: {out / REJECTS} says why", highlight=False, soft_wrap=True
        )
    console.print(f"{to} in {out}; {out / 'README.md'} says how to start", highlight=False, soft_wrap=True)
