"""Pairs of a solution and its tests: ``kodforge verify`` and ``kodforge audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from flows.console.options import describe, with_overrides
from tasks.errors import BadInput
from tasks.settings import Backend, Layer, Rigour, Sandbox, TierChoice


def verify(
    pairs: Annotated[Path, typer.Argument(help="Parquet or JSONL: id, solution, test, optional entry_points, files.")],
    out: Annotated[Path | None, typer.Option("--out", help="Parquet or JSONL file for the verdicts.")] = None,
    backend: Annotated[Backend, typer.Option("--backend")] = Backend.AUTO,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Boxes at once; default: one per core.")] = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Measure coverage of the solution.")] = False,
    wall_s: Annotated[float, typer.Option("--timeout", help="Seconds per pair.")] = 30,
    tier: Annotated[TierChoice, typer.Option("--tier", help="Whether tests and solution share a process.")] = (
        TierChoice.AUTO
    ),
    reruns: Annotated[
        int, typer.Option("--reruns", min=0, max=20, help="More runs of each passed pair, to find flaky ones.")
    ] = 0,
    layer: Annotated[list[Layer] | None, typer.Option("--layer", help="Optional libraries; may be repeated.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Judge a file with one pair and print its verdict.")] = False,
) -> None:
    """Judge (solution, pytest file) pairs in the sandbox.

    Example: kodforge verify pairs.parquet --out verdicts.parquet --jobs 2 --coverage
    """
    from flows.console.runs import run_verify  # noqa: PLC0415 - Prefect takes two seconds to import

    options: dict[str, Any] = {"backend": backend, "wall_s": wall_s, "coverage": coverage}
    options |= {"tier": tier, "layers": tuple(layer or ())}
    if jobs is not None:
        options["slots"] = jobs
    run_verify(pairs, out, Sandbox(**options), reruns, as_json, Console())


def audit(
    pairs: Annotated[
        Path,
        typer.Argument(help="Parquet or JSONL: id, solution, test, optional question_id, reference, trials."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Parquet or JSONL file for a row per pair.")],
    report: Annotated[Path | None, typer.Option("--report", help="Markdown file for the report.")] = None,
    rigour: Annotated[Rigour, typer.Option("--rigour", help="What is run to find out about the tests.")] = (
        Rigour.AUDIT
    ),
    backend: Annotated[Backend, typer.Option("--backend")] = Backend.AUTO,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Boxes at once; default: one per core.")] = None,
    set_: Annotated[
        list[str],
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="As in verification.gates.mutation_score.reject_below=0.5, sandbox.wall_s=5.",
        ),
    ] = [],  # noqa: B006
) -> None:
    """Audit the tests of (solution, pytest file) pairs: are they wrong, vacuous, weak, flaky, collusive?

    Reads files of one's own, of KodCode and of kodforge. A file that an audit wrote is put to other gates
    without running anything.

    Example: kodforge audit pairs.parquet --out audit.parquet --report audit.md
    """
    from flows.console.runs import run_audit  # noqa: PLC0415
    from tasks.auditing.audit import Auditing  # noqa: PLC0415

    boxes = {"backend": backend} | ({"slots": jobs} if jobs is not None else {})
    values = with_overrides({"verification": {"rigour": rigour}, "sandbox": boxes}, set_)
    try:
        settings = Auditing.model_validate(values)
    except ValidationError as error:
        raise BadInput(describe(error)) from error
    run_audit(pairs, out, report, settings, Console())
