"""``kodforge kpis``, ``kodforge report`` and ``kodforge feedback``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.console.options import Profile, Sets, load_config


def kpis(
    runs: Annotated[
        list[str] | None,
        typer.Argument(help="Runs of one store, the earliest first, or JSON files of earlier numbers; default: run."),
    ] = None,
    json: Annotated[Path | None, typer.Option("--json", help="JSON file for the last run's numbers.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Markdown file for the report.")] = None,
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Show the numbers to decide on: yield, cost, tests, duplicates, difficulty, gain; and what moved between runs.

    Exit status 1 where a target of `kpis.targets` is missed.

    Example: kodforge kpis first second --profile pilot --set kpis.targets.yield.at_least=0.3
    """
    from flows.kpis import show_kpis  # noqa: PLC0415 - Prefect takes two seconds to import

    show_kpis(load_config(profile, set_), runs or [], json, report, Console())


def report(
    runs: Annotated[list[str] | None, typer.Argument(help="Finished runs of one store; default: run.")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="HTML file for the report of one run. Default: report.html in the run's folder."),
    ] = None,
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Write a run's report, one HTML file that opens anywhere: funnel, pass@k, difficulty, tests, cost, map, samples.

    A build writes its own at its end; this writes it again, with the runs that came before it in the store.

    Example: kodforge report --profile demo --out report.html
    """
    from flows.report import show_report  # noqa: PLC0415

    show_report(load_config(profile, set_), runs or [], out, Console())


def feedback(
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for the failures.")],
    unsolved: Annotated[bool, typer.Option("--unsolved", help="Also questions that the author did not solve.")] = False,
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006
) -> None:
    """Write what a run's reasoning models got wrong, as seeds for more questions of that kind (subset Feedback).

    Example: kodforge feedback --profile demo --out failures.jsonl
    """
    from flows.kpis import run_feedback  # noqa: PLC0415

    run_feedback(load_config(profile, set_), out, unsolved, Console())
