"""The curation of the user's own file of questions: ``kodforge curate`` as a flow."""

from __future__ import annotations

import shutil
from pathlib import Path

from prefect.artifacts import create_table_artifact
from prefect.logging import get_run_logger

from flows.curate_parts import curate_parts
from flows.orchestration.hooks import flow
from flows.orchestration.preflight import check_curation
from tasks.curation.files import check_files, check_mix_of_file, read_file, write_decisions
from tasks.curation.report import compared_with, report_of, write_report
from tasks.curation.reviewed import tell_reviews
from tasks.lease import one_writer
from tasks.run import Run, StageName, answers_path
from tasks.settings import BuildConfig


def check_rows(rows: Path, out: Path, config: BuildConfig) -> None:
    """Check all that can be checked before any work.

    Raises:
        BadInput: a file, its first row, or a setting is wrong.
    """
    check_files(rows, out)
    check_curation(config)
    check_mix_of_file(config.curation.mix)


@flow(name="curate-rows", flow_run_name="curate {rows}")
def curate_rows(rows: Path, out: Path, config: BuildConfig, report: Path | None = None) -> dict[str, int]:
    """Find duplicates, benchmark contamination and doubtful content among questions.

    What was done is kept beside `out` until all is done: the same call goes on where one was stopped.

    Args:
        rows: Parquet or JSONL with id, question, optional solution, test, subset, licence and quality.
        out: Parquet or JSONL for a decision per row.
        config: `curation`, `engine`, `teachers.embedder` and `seed` are used.
        report: Markdown file for what was found in all, or a JSON file that `curation.drift.against` can name.

    Returns:
        How many rows got which decision.
    """
    check_rows(rows, out, config)
    work = out.with_name(f".{out.name}.work")
    drift = config.curation.drift.model_copy(update={"against": compared_with(config)})
    curation = config.curation.model_copy(update={"drift": drift})
    place = {"store": str(work), "run": "curate", "cache": answers_path(config), "curation": curation}
    run = Run(config=config.model_copy(update=place), teachers=config.teachers)
    with one_writer(run.store, run.config.run, config.busy_wait_s, get_run_logger().warning):
        parts = read_file(run, rows)
        run.finish(StageName.ROWS, parts)
        tell_reviews(run, get_run_logger().warning, StageName.ROWS)
        decided = curate_parts(run, StageName.ROWS, parts, {})
        counts = dict(sorted(write_decisions(run, decided, out).items()))
        create_table_artifact([{"decision": name, "rows": count} for name, count in counts.items()], key="curation")
        if report:
            found = report_of(run.config)
            assert found is not None
            write_report(found, report)
        shutil.rmtree(work)
    return counts
