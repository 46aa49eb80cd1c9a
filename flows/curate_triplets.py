"""Labelled triplets to curated rows: duplicates over the whole run, then a decision per row."""

from __future__ import annotations

from prefect import flow

from flows.chains import Chain, run_chains
from flows.progress import stage_progress
from tasks.artifacts import Receipt
from tasks.curation.stage import curate_shard, find_run_duplicates
from tasks.run import Run, StageName
from tasks.settings import BuildConfig


@flow(name="curate-triplets", flow_run_name="curate {config.run}")
def curate_triplets(config: BuildConfig) -> list[Receipt]:
    """Curate the triplets of a run."""
    run = Run(config=config, teachers=config.teachers)
    triplets = run.receipts(StageName.TRIPLETS)
    duplicates = find_run_duplicates(run, triplets)
    run.finish(StageName.DUPLICATES, [duplicates])

    def chain(shard: Receipt) -> Chain:
        yield curate_shard.submit(run, shard, duplicates)

    with stage_progress(StageName.CURATED, len(triplets)) as progress:
        curated = run_chains([chain(shard) for shard in triplets], config.shards_in_flight, progress)
    run.finish(StageName.CURATED, curated)
    return curated
