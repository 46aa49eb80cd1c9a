"""Curated rows to post-training data: held-out groups, other styles, models' answers, references run anew."""

from __future__ import annotations

from prefect.logging import get_run_logger

from flows.orchestration.chains import Chain, run_chains
from flows.orchestration.engines import on_engine
from flows.orchestration.hooks import flow
from flows.orchestration.parts import run_shards
from flows.orchestration.progress import stage_progress
from flows.orchestration.run_flows import named, writes_run
from flows.orchestration.shown import show_post_training
from tasks.artifacts import Receipt
from tasks.curation.reviewed import tell_reviews
from tasks.curation.stage import benchmark_fingerprint, curate_retold, refused_licences
from tasks.models import Style
from tasks.released import Released
from tasks.responses.stage import answer_rows, grade_responses
from tasks.reviews import read_reviews
from tasks.run import Run, StageName
from tasks.sets.stage import pick_references, place_rows, rerun_references
from tasks.settings import BuildConfig
from tasks.styles.stage import convert_rows, verify_conversions
from tasks.teachers.endpoints import managed

_STAGES = (
    StageName.CONVERSIONS,
    StageName.RETOLD,
    StageName.CONVERTED,
    StageName.RESPONSES,
    StageName.GRADES,
)


@flow(name="post-train", flow_run_name=named("post-train"))
@writes_run
@on_engine
def post_train(config: BuildConfig) -> list[Receipt]:
    """Hold rows out for evaluation, tell the rows in other styles, and have reasoning models answer them.

    Args:
        config: that of a run whose triplets are curated.
    """
    run = Run(config=config, teachers=config.teachers)
    parts = run.receipts(run.last_stage)
    placings = place_rows.submit(run, parts).result()
    run.finish(StageName.PLACINGS, placings)
    benchmarks, reviews = benchmark_fingerprint(run), read_reviews(config)
    refused = refused_licences(run, run.receipts(StageName.TRIPLETS)) if reviews else {}
    with managed(config.teachers) as teachers:
        run = Run(config=config, teachers=teachers)

        def chain(part: Receipt, placing: Receipt) -> Chain[Receipt]:
            rows = [part]
            for style in config.post_training.styles.into:
                conversions = yield convert_rows.submit(run, part, Style(style))
                retold = yield verify_conversions.submit(run, part, conversions)
                rows.append((yield curate_retold.submit(run, retold, benchmarks, reviews, refused)))
            for reasoner in config.teachers.reasoners:
                responses = yield answer_rows.submit(run, rows, placing, reasoner)
                yield grade_responses.submit(run, rows, responses)

        with stage_progress(StageName.GRADES, len(parts)) as progress:
            shards = zip(parts, placings, strict=True)
            receipts = run_shards(config, [chain(*shard) for shard in shards], progress)
        for stage in _STAGES:
            run.finish(stage, [receipt for receipt in receipts if receipt.stage == stage])
    references = _run_references(run)
    tell_reviews(run, get_run_logger().warning, StageName.CONVERTED)
    show_post_training(run)
    return [*placings, *receipts, *references]


def _run_references(run: Run) -> list[Receipt]:
    """Run the solutions of the rows chosen for reinforcement learning again."""
    candidates = pick_references.submit(run).result()
    run.finish(StageName.CANDIDATES, candidates)
    released = Released(run)

    def chain(part: Receipt, chosen: Receipt) -> Chain[Receipt]:
        yield rerun_references.submit(run, released.shards(part), chosen)

    chains = [chain(*shard) for shard in zip(released.parts, candidates, strict=True)]
    references = run_chains(chains, run.config.shards_in_flight)
    run.finish(StageName.REFERENCES, references)
    return [*candidates, *references]
