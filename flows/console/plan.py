"""What a run would do again and what it would keep: ``kodforge run --plan``."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from flows.orchestration.chains import Chain
from flows.verify_triplets import verify_shard
from tasks.artifacts import Receipt
from tasks.planning import Plan, Planned, planning
from tasks.run import Run, StageName, config_fingerprint
from tasks.settings import BuildConfig
from tasks.sourcing.stage import collect_all_seeds, write_questions
from tasks.teachers.endpoints import managed

_LAST = (StageName.CURATED, StageName.GRADES)
"""Stages that stand for curation and post-training."""


def plan_run(config: BuildConfig) -> Plan:
    """Walk the tasks of a run as far as they are known without a teacher and a sandbox.

    Seeds are read, as a run reads them; nothing is written, and nobody is asked.

    Raises:
        BadInput: the seeds cannot be used.
    """
    with managed(config.teachers) as teachers, planning() as plan:
        run = Run(config=config, teachers=teachers)
        kept = []
        for shard in [shard for shards in collect_all_seeds(run).values() for shard in shards]:
            if run.stage(StageName.PROMPTS).done(shard.name) != shard:
                plan.stages[StageName.QUESTIONS].again += 1  # what is asked is not known before its seeds are drawn
                plan.stages[StageName.QUESTIONS].unknown += shard.rows_out
                continue
            try:
                kept.append(write_questions(run, shard))
            except Planned:
                continue
        for shard in kept:
            _walk(verify_shard(run, shard))
    return plan


def _walk(chain: Chain[Receipt]) -> None:
    """Go through the tasks of a shard up to the first that does its work."""
    try:
        told: Any = next(chain)
        while True:
            told = chain.send(told)
    except (StopIteration, Planned):
        return


def show_plan(config: BuildConfig, console: Console) -> None:
    """Print the plan of a run."""
    plan = plan_run(config)
    table = Table(title=f"Plan for run {config.run!r}: nothing was asked", title_justify="left")
    table.add_column("stage")
    for name in ("shards kept", "again", "calls to pay", "calls answered"):
        table.add_column(name, justify="right")
    for stage, found in plan.stages.items():
        calls = f"{found.calls:,}" + (f" + up to {found.unknown:,}" if found.unknown else "")
        asks = bool(found.calls or found.answered or found.unknown)
        row = (f"{found.kept:,}", f"{found.again:,}", calls if asks else "", f"{found.answered:,}" if asks else "")
        table.add_row(str(stage), *row)
    console.print(table)
    console.print(_rest(config, plan), highlight=False, soft_wrap=True)


def _rest(config: BuildConfig, plan: Plan) -> str:
    """What is known of curation, post-training and the release."""
    if plan.is_open:
        return (
            "Of a shard that is done again, what comes after it follows: it is done again where its inputs come out "
            "different, and of its calls those are paid for that have no answer yet. So it is with curation, "
            "post-training and the release."
        )
    run = Run(config=config, teachers=config.teachers)
    manifests = [run.stage(stage).manifest() for stage in _LAST]
    if all(one and one["config"] == config_fingerprint(config) for one in manifests):
        return "Curation, post-training and the release were made with this config: nothing is done again."
    return (
        "Curation, post-training and the release are done again where the config touches them; of these only "
        "post-training asks teachers, for what has no answer yet."
    )
