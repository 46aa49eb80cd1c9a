"""Curation of the shards of one stage, on any engine: every step but two is as many tasks as there are blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prefect import Task
from prefect.artifacts import create_markdown_artifact

from flows.orchestration.chains import Chain, run_chains
from flows.orchestration.engines import engine_of
from flows.orchestration.hooks import flow
from flows.orchestration.progress import stage_progress
from tasks.artifacts import Receipt
from tasks.curation.dedup.stage import (
    blocks_of,
    cluster_duplicates,
    find_near,
    find_semantic,
    groups_of,
    learn_centroids,
    place_block,
    sign_block,
)
from tasks.curation.files import decide_part
from tasks.curation.report import CurationReport, report_curation
from tasks.curation.selection import select_rows
from tasks.curation.stage import benchmark_fingerprint, curate_shard, examine_block
from tasks.reviews import Decision, ids_of, read_reviews
from tasks.run import Run, StageName

_DECIDE: dict[StageName, Task[..., Receipt]] = {StageName.TRIPLETS: curate_shard, StageName.ROWS: decide_part}


@flow(name="curate-parts", flow_run_name="curate {source} of {run.config.run}", validate_parameters=False)
def curate_parts(run: Run, source: StageName, parts: list[Receipt], refused: dict[str, str]) -> list[Receipt]:
    """Curate the shards of a stage: sign, examine, find pairs, cluster, decide, select.

    Args:
        source: `triplets` of a run, or `rows` of a file.
        parts: its shards.
        refused: licences that are not let out, and why.
    """
    with engine_of(run.config, sum(part.rows_out for part in parts)) as config:
        return _curate(run.model_copy(update={"config": config}), source, parts, refused)


def _curate(run: Run, source: StageName, parts: list[Receipt], refused: dict[str, str]) -> list[Receipt]:
    excludes = run.config.release.licensing.on_violation == "exclude"
    rules, in_flight = run.config.curation, run.config.shards_in_flight
    benchmarks, reviews = benchmark_fingerprint(run), read_reviews(run.config)
    blocks = blocks_of(parts, rules.dedup.block_rows)

    def sign(number: int) -> Chain[Receipt]:
        yield sign_block.submit(run, source, number, blocks[number])

    signatures = run_chains([sign(number) for number in range(len(blocks))], in_flight)
    run.finish(StageName.SIGNATURES, signatures)

    def examine(number: int) -> Chain[list[Receipt]]:
        yield examine_block.submit(run, source, blocks[number], signatures[number], benchmarks)

    with stage_progress(StageName.EXAMINATIONS, len(blocks)) as progress:
        examined = run_chains([examine(number) for number in range(len(blocks))], in_flight, progress)
    examinations = [part for block in examined for part in block]
    run.finish(StageName.EXAMINATIONS, examinations)

    edges = _edges(run, signatures) if any(part.rows_out for part in parts) else []
    licences = list(refused)
    duplicates = cluster_duplicates.submit(run, signatures, edges, examinations, licences, excludes, reviews).result()
    run.finish(StageName.DUPLICATES, duplicates)

    def decide(*shard: Receipt) -> Chain[Receipt]:
        yield _DECIDE[source].submit(run, *shard, refused, reviews)

    with stage_progress(StageName.CURATED, len(parts)) as progress:
        shards = zip(parts, examinations, duplicates, strict=True)
        curated = run_chains([decide(*shard) for shard in shards], in_flight, progress)
    run.finish(StageName.CURATED, curated)
    final = curated
    if run.config.curation.mix.selects:
        accepted = ids_of(reviews, Decision.ACCEPT)
        final = select_rows.submit(run, source, curated, accepted).result()
    run.finish(StageName.SELECTED, final if final is not curated else [])
    show(report_curation.submit(run, source, list(_places(blocks, signatures)), final).result())
    return final


def show(found: CurationReport) -> None:
    """Put the report on the flow run's page, and what drifted."""
    create_markdown_artifact(found.to_markdown(), key="curation", description="What curation found")
    if found.drift and found.drift.warnings:
        warnings = "\n".join(f"- {warning}" for warning in found.drift.warnings)
        create_markdown_artifact(warnings, key="drift", description="More than chance, and more than the bounds")


def _places(
    blocks: Sequence[Sequence[Receipt]], signatures: Sequence[Receipt]
) -> Iterator[tuple[Receipt, Receipt, int]]:
    """Each shard with the signatures of its block, and where in the block it begins."""
    for parts, block in zip(blocks, signatures, strict=True):
        start = 0
        for part in parts:
            yield part, block, start
            start += part.rows_out


def _edges(run: Run, signatures: list[Receipt]) -> list[Receipt]:
    """Pairs of rows that are alike, by both ways of comparing."""
    in_flight, groups = run.config.shards_in_flight, groups_of(len(signatures))

    def near(group: int) -> Chain[Receipt]:
        yield find_near.submit(run, signatures, group, groups)

    chains = [near(group) for group in range(groups)]
    if run.config.curation.dedup.semantic:
        centroids = learn_centroids.submit(run, signatures).result()
        run.finish(StageName.CENTROIDS, [centroids])

        def put(block: Receipt) -> Chain[Receipt]:
            yield place_block.submit(run, block, centroids)

        placements = run_chains([put(block) for block in signatures], in_flight)
        run.finish(StageName.PLACEMENTS, placements)

        def semantic(group: int) -> Chain[Receipt]:
            yield find_semantic.submit(run, signatures, placements, group, groups)

        chains += [semantic(group) for group in range(groups)]
    edges = run_chains(chains, in_flight)
    run.finish(StageName.EDGES, edges)
    return edges
