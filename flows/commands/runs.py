"""A run, from what it will cost to what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.console.options import Profile, Sets, load_config


def run(
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006 - typer reads the default, nobody changes it
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would be done again, and what it would ask.")
    ] = False,
) -> None:
    """Build a dataset, or go on with an unfinished run.

    Example: kodforge run --profile pilot --set run=first --set verification.attempts=5
    """
    if plan:
        from flows.console.plan import show_plan  # noqa: PLC0415

        show_plan(load_config(profile, set_), Console())
        return
    from flows.console.runs import run_build  # noqa: PLC0415 - Prefect takes two seconds to import

    run_build(load_config(profile, set_), Console())


def estimate(profile: Profile = "demo", set_: Sets = []) -> None:  # noqa: B006
    """Estimate what a run will cost, without asking any teacher.

    Example: kodforge estimate --profile pilot --set teachers.author.prices.input=0.5
    """
    from flows.console.estimate import show_estimate  # noqa: PLC0415

    show_estimate(load_config(profile, set_), Console())


def usage(profile: Profile = "demo", set_: Sets = []) -> None:  # noqa: B006
    """Show what a run has used of its teachers so far: tokens and cost by stage, subset and accepted row.

    Example: kodforge usage --profile demo
    """
    from flows.console.runs import show_run_usage  # noqa: PLC0415

    show_run_usage(load_config(profile, set_), Console())


def doctor(profile: Profile = "demo", set_: Sets = []) -> None:  # noqa: B006
    """Check Python, sandbox, Docker, endpoint and store, and say what to do where something is wrong.

    Example: kodforge doctor --profile pilot
    """
    from flows.console.doctor import examine  # noqa: PLC0415

    if not examine(load_config(profile, set_), Console()):
        raise typer.Exit(1)


def inspect(
    row_id: Annotated[str, typer.Argument(help="As in Docs_00000003_I.")],
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Show a row of a run, its lineage, every attempt, and why it was accepted or rejected.

    Example: kodforge inspect Docs_00000003_I --profile demo
    """
    from flows.console.inspect_row import show_row  # noqa: PLC0415

    show_row(load_config(profile, set_), row_id, Console())


def source(
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for the questions.")],
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Make questions only.

    Example: kodforge source --profile demo --set only=[Docs] --out questions.parquet
    """
    from flows.console.runs import run_source  # noqa: PLC0415

    run_source(load_config(profile, set_), out, Console())


def sources() -> None:
    """List the catalogue of subsets: method, seeds, licence, teacher, prompt, filters and target.

    Example: kodforge sources
    """
    from flows.console.catalogue import show_catalogue  # noqa: PLC0415

    show_catalogue(Console())
