"""``kodforge evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tasks.errors import BadInput


def evaluate(
    benchmark: Annotated[
        str,
        typer.Argument(help="humaneval, mbpp, humanevalplus, mbppplus, bigcodebench, livecodebench, or a file."),
    ],
    samples: Annotated[int | None, typer.Option("--samples", min=1, help="Answers to each item; default: 1.")] = None,
    k: Annotated[list[int] | None, typer.Option("--k", min=1, help="A k of pass@k; may be repeated.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the first items.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="JSON file for the result.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Markdown file for the report.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="An earlier result to compare with.")] = None,
    feedback: Annotated[
        Path | None,
        typer.Option("--feedback", help="Parquet or JSONL file for wrong answers to items of your own."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Check the benchmark itself, without a model.")] = False,
    profile: Annotated[str, typer.Option("--profile", help="YAML file with values of the config.")] = "",
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="KEY=VALUE", help="As in evaluation.model.base_url=https://host/v1."),
    ] = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Evaluate a model on a code benchmark: pass@k with intervals, in the sandbox.

    Example: kodforge evaluate humaneval --set evaluation.model.base_url=https://host/v1
    --set evaluation.model.model=my-model --samples 10 --out results.json
    """
    from flows.evaluate import evaluation_config, run_check, run_evaluation  # noqa: PLC0415 - Prefect takes 2 s

    given = {"benchmark": benchmark, "samples": samples, "k": k or None, "limit": limit}
    config = evaluation_config(profile, given, set_)
    if not check:
        run_evaluation(config, out, report, against, feedback, Console())
    elif against or feedback:
        raise BadInput("--check asks no model: there is nothing to compare, or to feed back. Leave these out")
    elif not run_check(config, out, report, Console()):
        raise typer.Exit(1)
