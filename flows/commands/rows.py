"""Rows of a file of the user's: ``kodforge curate`` and ``kodforge convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.console.options import Profile, Sets, load_config
from tasks.settings import EngineKind, TargetStyle


def curate(
    rows: Annotated[
        Path,
        typer.Argument(help="Parquet or JSONL: id, question, optional solution, test, subset, licence, quality."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for a decision per row.")],
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Markdown file for what was found in all, or JSON for drift."),
    ] = None,
    engine: Annotated[EngineKind | None, typer.Option("--engine", help="What the tasks run on.")] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Workers; default: one per core.")] = None,
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Find duplicates, benchmark contamination and doubtful content among questions.

    A command that was stopped goes on where it was when it is given again.

    Example: kodforge curate rows.jsonl --out decisions.parquet --set curation.dedup.jaccard=0.8
    """
    from flows.console.runs import run_curate  # noqa: PLC0415 - Prefect takes two seconds to import

    sets = [f"engine.kind={engine}"] if engine else []
    sets += [f"engine.workers={jobs}"] if jobs else []
    run_curate(rows, out, report, load_config(profile, [*sets, *set_]), Console())


def convert(
    rows: Annotated[
        Path,
        typer.Argument(help="Parquet or JSONL: id, question, solution, test, optional subset, style, entry_points."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for the rows in the other style.")],
    style: Annotated[TargetStyle, typer.Option("--style", help="A stub, or a program that reads and writes.")],
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Tell rows in another style, and verify them anew; what cannot be told is written beside, with the reason.

    Reads files of one's own, of KodCode and of kodforge. A command that was stopped goes on where it was when it is
    given again.

    Example: kodforge convert rows.parquet --out stubs.parquet --style complete
    --set teachers.converter.base_url=https://host/v1 --set teachers.converter.model=my-model
    """
    from flows.convert_rows import run_convert  # noqa: PLC0415

    run_convert(rows, out, style, load_config(profile, set_), Console())
