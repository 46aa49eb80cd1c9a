"""The whole DAG: seeds to a released dataset."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from pydantic import BaseModel

from flows.curate_triplets import curate_triplets
from flows.kpis import kpis
from flows.post_train import post_train
from flows.preflight import check_run
from flows.source_questions import source_questions
from flows.verify_triplets import verify_triplets
from tasks.publishing.folder import release_store
from tasks.publishing.stage import publish_release, push_release
from tasks.publishing.summary import Summary, summarise
from tasks.run import Run
from tasks.settings import BuildConfig
from tasks.teachers.usage import RunUsage, dollars, usage_of


class BuildResult(BaseModel):
    """Where the release is and how many rows each split has."""

    run: str
    release: str
    rows: dict[str, int]


@flow(name="build-dataset", flow_run_name="build {config.run}")
def build_dataset(config: BuildConfig) -> BuildResult:
    """Make a verified dataset: source questions, verify triplets, curate, post-train, publish.

    Running it again with the same config resumes: finished shards are skipped, and no teacher call that was
    answered is paid for again.
    """
    check_run(config)
    source_questions(config)
    verify_triplets(config)
    curate_triplets(config)
    post_train(config)
    run = Run(config=config, teachers=config.teachers)
    rows = publish_release(run)
    if config.release.push:
        push_release(run)
    summary = summarise(run)
    show(summary)
    show_cost(usage_of(run), sum(summary.splits.values()))
    kpis(config, return_state=True)  # a missed target fails that flow run, not the build
    return BuildResult(run=config.run, release=release_store(config).url, rows=rows)


def show_cost(usage: RunUsage, accepted: int) -> None:
    """Put what the teachers took on the flow run's page."""
    table = [
        {
            "stage": row.stage,
            "subset": row.subset,
            "calls": row.calls,
            "from disk": row.cached,
            "prompt tokens": row.prompt_tokens,
            "completion tokens": row.completion_tokens,
            "cost": dollars(row.usd),
        }
        for row in [*usage.rows, usage.total]
    ]
    each = usage.per(accepted)
    told = f"Per accepted row: {each[0]:,.0f} tokens, cost {dollars(each[1])}" if each else "No row was accepted"
    create_table_artifact(table, key="cost", description=told)


def show(summary: Summary) -> None:
    """Put the funnel and the difficulty by subset on the flow run's page."""
    table = [
        {
            "stage": row.stage,
            "unit": row.unit,
            "in": row.rows_in,
            "out": row.rows_out,
            "rejected": row.rejected,
            "reasons": ", ".join(f"{reason} {count}" for reason, count in row.reasons.items()),
        }
        for row in summary.funnel
    ]
    create_table_artifact(table, key="funnel", description="Rows in = rows out + rejected, at every stage")
    difficulty: list[dict[str, Any]] = [
        {"subset": subset, **{str(name): count for name, count in counts.items()}}
        for subset, counts in summary.difficulty.iterrows()
    ]
    create_table_artifact(difficulty, key="difficulty", description="Difficulty by subset, before curation")
    checks: list[dict[str, Any]] = [
        {
            "check": row.check.replace("_", " "),
            "measured": row.measured,
            "lowest tenth": None if row.low is None else round(row.low, 2),
            "median": None if row.median is None else round(row.median, 2),
            "cautions": row.caution,
        }
        for row in summary.checks
    ]
    create_table_artifact(checks, key="tests", description="What was measured of the chosen tests; more is better")
    if summary.agreement:
        labels: list[dict[str, Any]] = [
            {"by the author's attempts": str(label), **{str(name): count for name, count in counts.items()}}
            for label, counts in summary.agreement.table.iterrows()
        ]
        told = f"The author's label against the solver's, {summary.agreement.rows} rows"
        kappa = summary.agreement.kappa
        told += f", Cohen's kappa {kappa:.2f}" if kappa is not None else ""
        create_table_artifact(labels, key="label-agreement", description=told)
    splits = "\n".join(f"- `{split}`: {count} rows" for split, count in summary.splits.items())
    create_markdown_artifact(f"## Release\n\n{splits}", key="release", description="Rows per split")
