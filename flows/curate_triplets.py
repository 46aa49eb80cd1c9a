"""Labelled triplets to curated rows: what is in each, which are duplicates, then a decision per row."""

from __future__ import annotations

from prefect import flow

from flows.curate_parts import curate_parts
from flows.engines import one_server, task_runner
from tasks.artifacts import Receipt
from tasks.curation.stage import refused_licences
from tasks.run import Run, StageName
from tasks.settings import BuildConfig


@flow(name="curate-triplets", flow_run_name="curate {config.run}")
def curate_triplets(config: BuildConfig) -> list[Receipt]:
    """Curate the triplets of a run."""
    run = Run(config=config, teachers=config.teachers)
    parts = run.receipts(StageName.TRIPLETS)
    rows = sum(part.rows_out for part in parts)
    runner, refused = task_runner(config.engine, rows), refused_licences(run, parts)
    with one_server():
        return curate_parts.with_options(task_runner=runner)(run, StageName.TRIPLETS, parts, refused)
