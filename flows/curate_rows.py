"""The curation of the user's own file of questions: ``kodforge curate`` as a flow."""

from __future__ import annotations

import shutil
from pathlib import Path

from prefect import flow
from prefect.artifacts import create_table_artifact

from flows.curate_parts import curate_parts
from flows.engines import task_runner
from flows.preflight import check_curation
from tasks.curation.files import check_files, read_file, write_decisions
from tasks.run import Run, StageName
from tasks.settings import BuildConfig


@flow(name="curate-rows", flow_run_name="curate {rows}")
def curate_rows(rows: Path, out: Path, config: BuildConfig) -> dict[str, int]:
    """Find duplicates, benchmark contamination and doubtful content among questions.

    What was done is kept beside `out` until all is done: the same call goes on where one was stopped.

    Args:
        rows: Parquet or JSONL with id, question, optional solution, test, subset, licence and quality.
        out: Parquet or JSONL for a decision per row.
        config: `curation`, `engine`, `teachers.embedder` and `seed` are used.

    Returns:
        How many rows got which decision.
    """
    check_files(rows, out)
    check_curation(config)
    work = out.with_name(f".{out.name}.work")
    run = Run(config=config.model_copy(update={"store": str(work), "run": "curate"}), teachers=config.teachers)
    parts = read_file(run, rows)
    run.finish(StageName.ROWS, parts)
    runner = task_runner(config.engine, sum(part.rows_out for part in parts))
    decided = curate_parts.with_options(task_runner=runner)(run, StageName.ROWS, parts, {})
    counts = dict(sorted(write_decisions(run, decided, out).items()))
    create_table_artifact([{"decision": name, "rows": count} for name, count in counts.items()], key="curation")
    shutil.rmtree(work)
    return counts
