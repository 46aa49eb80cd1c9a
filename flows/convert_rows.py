"""The user's own file of rows told in another style: ``kodforge convert`` as a flow."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import typer
from prefect.artifacts import create_table_artifact
from prefect.logging import get_run_logger
from rich.console import Console

from flows.console.runs import wait_until_recorded
from flows.orchestration.chains import Chain, run_chains
from flows.orchestration.hooks import flow
from flows.orchestration.preflight import check_curation, check_endpoints
from flows.orchestration.progress import stage_progress
from tasks.artifacts import Receipt
from tasks.curation.stage import benchmark_fingerprint, curate_retold
from tasks.execution.pool import check_sandbox
from tasks.lease import one_writer
from tasks.models import Style
from tasks.run import Run, StageName, answers_path
from tasks.settings import BuildConfig, Role, TargetStyle, Teachers
from tasks.styles import stage
from tasks.styles.files import check_file, read_file, rejects_beside, write_rows
from tasks.teachers.endpoints import managed
from tasks.teachers.pending import STOPPED


def check_rows(rows: Path, out: Path, config: BuildConfig) -> None:
    """Check all that can be checked before any work.

    Raises:
        BadInput: a file, a row, or a setting is wrong.
        TeacherMisconfigured, TeacherUnavailable: the converter refuses the key, or cannot be reached.
        SandboxUnavailable: no pair can be judged on this machine.
    """
    check_file(rows, out)
    check_curation(config)
    check_endpoints(_with_converter_alone(config))
    check_sandbox(config.sandbox)


def _with_converter_alone(config: BuildConfig) -> BuildConfig:
    """The config without endpoints that nothing is asked of."""
    given = config.teachers
    teachers = Teachers(author=given.of(Role.CONVERTER), embedder=given.embedder, prompts=given.prompts)
    return config.model_copy(update={"teachers": teachers})


@flow(name="convert-rows", flow_run_name="convert {rows} into {style}")
def convert_rows(rows: Path, out: Path, style: TargetStyle, config: BuildConfig) -> dict[str, int]:
    """Tell rows in another style, and verify them anew.

    What was done is kept beside `out` until every row was answered: the same call goes on where one was stopped.

    Args:
        rows: Parquet or JSONL with id (or question_id), question, solution, test, optional subset, style and
            entry_points; a file that KodCode or kodforge released will do. Only rows of style `instruct` are told.
        out: Parquet or JSONL for the rows in the other style; what cannot be told goes to `<out>.rejects` beside it.
        style: `complete` or `online_judge`.
        config: `teachers.converter`, `post_training.styles`, `verification`, `sandbox`, `shard_size` and `seed` are
            used.

    Returns:
        How many rows were converted, and how many were rejected for which reason.
    """
    check_rows(rows, out, config)
    work = out.with_name(f".{out.name}.work")
    config = _with_converter_alone(config)
    with rows.open("rb") as file:  # what a file takes is booked on it, and counts towards no other file's budget
        content = hashlib.file_digest(file, "sha256").hexdigest()
    place = {"store": str(work), "run": f"convert-{content[:12]}", "cache": answers_path(config)}
    run = Run(config=config.model_copy(update=place), teachers=config.teachers)
    with one_writer(run.store, run.config.run, config.busy_wait_s, get_run_logger().warning):
        parts = read_file(run, rows)
        benchmarks = benchmark_fingerprint(run)
        with managed(config.teachers) as teachers:
            run = run.model_copy(update={"teachers": teachers})

            def chain(part: Receipt) -> Chain[Receipt]:
                conversions = yield stage.convert_rows.submit(run, part, Style(style))
                retold = yield stage.verify_conversions.submit(run, part, conversions)
                yield curate_retold.submit(run, retold, benchmarks)

            with stage_progress(StageName.CONVERTED, len(parts)) as progress:
                receipts = run_chains([chain(part) for part in parts], config.shards_in_flight, progress)
        counts = dict(sorted(write_rows(run, receipts, out).items()))
        create_table_artifact([{"outcome": name, "rows": count} for name, count in counts.items()], key="conversions")
        if all(receipt.complete for receipt in receipts):
            shutil.rmtree(work)
    return counts


def run_convert(rows: Path, out: Path, style: TargetStyle, config: BuildConfig, console: Console) -> None:
    """Convert a file of rows, and say how many could be."""
    check_rows(rows, out, config)
    try:
        counts = convert_rows(rows, out, style, config)
    except KeyboardInterrupt:
        console.print(f"Stopped: {STOPPED}.", style="yellow", highlight=False, soft_wrap=True)
        raise typer.Exit(130) from None
    finally:
        wait_until_recorded()
    for outcome, count in counts.items():
        console.print(f"{outcome:>20} {count}", highlight=False)
    console.print(f"rows in {out}, rejects in {rejects_beside(out)}", highlight=False, soft_wrap=True)
