"""Labelled triplets to curated rows: what is in each, which are duplicates, then a decision per row."""

from __future__ import annotations

from prefect.logging import get_run_logger

from flows.curate_parts import curate_parts
from flows.orchestration.hooks import flow
from flows.orchestration.run_flows import named, writes_run
from flows.orchestration.shown import show_curation
from tasks.artifacts import Receipt
from tasks.curation.reviewed import tell_reviews
from tasks.curation.stage import refused_licences
from tasks.run import Run, StageName
from tasks.settings import BuildConfig


@flow(name="curate-triplets", flow_run_name=named("curate"))
@writes_run
def curate_triplets(config: BuildConfig) -> list[Receipt]:
    """Curate the triplets of a run.

    Args:
        config: that of a run whose triplets are verified.
    """
    run = Run(config=config, teachers=config.teachers)
    parts = run.receipts(StageName.TRIPLETS)
    curated = curate_parts(run, StageName.TRIPLETS, parts, refused_licences(run, parts))
    tell_reviews(run, get_run_logger().warning)
    show_curation(run)
    return curated
