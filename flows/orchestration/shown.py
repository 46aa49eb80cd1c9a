"""What the flows over a run put on their pages in the UI: rows, time, cost and verdicts, and where everything is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.context import FlowRunContext

from flows.orchestration.task_times import FlowTimes, times_so_far
from flows.report import FILE as REPORT
from tasks.publishing.folder import read_manifest, release_store
from tasks.publishing.summary import (
    CheckSummary,
    FunnelRow,
    Summary,
    difficulty_by_subset,
    funnel,
    summarise,
    verdicts_by_subset,
)
from tasks.run import Run, StageName
from tasks.store import Store
from tasks.teachers.usage import RunUsage, dollars, usage_of

_RELEASED = {
    "README.md": "dataset card",
    "CHANGELOG.md": "changes since the version before",
    "ATTRIBUTION.md": "whom the rows come from",
    "SHA256SUMS": "checksums",
}
"""Files of a release that are worth a look."""
_OF_RUN = {
    REPORT: "report",
    "curation.json": "what curation found",
    "held_out.json": "what is held out",
    "rl.md": "the choice for reinforcement learning",
    "kpis.json": "numbers to decide on",
}
"""Files in a run's folder."""


def show_sourcing(run: Run) -> None:
    """What came of sourcing."""
    _show_stage(run, "source", (StageName.SEEDS, StageName.PROMPTS, StageName.QUESTIONS))


def show_verification(run: Run) -> None:
    """What came of verification."""
    stages = (
        StageName.ATTEMPTS,
        StageName.VERDICTS,
        StageName.SOLUTIONS,
        StageName.CROSSCHECKS,
        StageName.AUDITS,
        StageName.TRIPLETS,
    )
    _show_stage(run, "verify", stages)
    if _is_alone():
        _show_difficulty(difficulty_by_subset(run))
        _show_verdicts(verdicts_by_subset(run))


def show_curation(run: Run) -> None:
    """What came of curation, beside its report."""
    _show_stage(run, "curate", (StageName.CURATED, StageName.SELECTED))


def show_post_training(run: Run) -> None:
    """What came of post-training."""
    stages = (
        StageName.CONVERSIONS,
        StageName.RETOLD,
        StageName.CONVERTED,
        StageName.RESPONSES,
        StageName.GRADES,
        StageName.CANDIDATES,
        StageName.REFERENCES,
    )
    _show_stage(run, "post-train", stages)


def show_build(run: Run, times: FlowTimes | None) -> None:
    """What came of a whole run, and where it is.

    Args:
        times: of its tasks, as far as they are known.
    """
    summary = summarise(run)
    _show_funnel(summary.funnel, "funnel")
    _show_difficulty(summary.difficulty)
    _show_verdicts(verdicts_by_subset(run))
    _show_tests(summary.checks)
    _show_agreement(summary)
    _show_time(times)
    _show_cost(usage_of(run), sum(summary.splits.values()))
    _show_release(run, summary)
    _show_links(run)


def _show_stage(run: Run, name: str, stages: Collection[StageName]) -> None:
    """The funnel of some stages; where no build is to show them, time, cost and places, too."""
    _show_funnel([row for row in funnel(run) if row.stage in stages], f"{name}-funnel")
    if _is_alone():
        _show_time(times_so_far())
        _show_cost(usage_of(run), 0)
        _show_links(run)


def _is_alone() -> bool:
    """Whether nobody else started this flow run."""
    context = FlowRunContext.get()
    return context is None or context.flow_run is None or context.flow_run.parent_task_run_id is None


def _show_funnel(rows: list[FunnelRow], key: str) -> None:
    table = [
        {
            "stage": row.stage,
            "unit": row.unit,
            "in": row.rows_in,
            "out": row.rows_out,
            "rejected": row.rejected,
            "reasons": ", ".join(f"{reason} {count}" for reason, count in row.reasons.items()),
        }
        for row in rows
    ]
    create_table_artifact(table, key=key, description="Rows in = rows out + rejected, at every stage")


def _show_time(times: FlowTimes | None) -> None:
    """Time by task, and what was tried again."""
    if times is None:
        return
    table = [
        {
            "task": one.task,
            "runs": one.runs,
            "done before": one.reused,
            "retries": one.retries,
            "failed": one.failed,
            "seconds": round(one.spent.total, 1),
            "asking teachers": round(one.spent.teacher, 1),
            "in the sandbox": round(one.spent.sandbox, 1),
            "own work": round(one.spent.other, 1),
        }
        for one in times.tasks.values()
    ]
    create_table_artifact(table, key="time", description="Seconds of all runs of a task; they run side by side")
    if times.retried:
        retried: list[dict[str, Any]] = [
            {"task run": one.name, "tries": one.tries, "ended": one.state, "what happened": one.message}
            for one in times.retried
        ]
        create_table_artifact(retried, key="retries", description="Task runs that were tried again, and why")


def _show_difficulty(counts: pd.DataFrame) -> None:
    create_table_artifact(_by_subset(counts), key="difficulty", description="Difficulty by subset, before curation")


def _show_verdicts(counts: pd.DataFrame) -> None:
    create_table_artifact(_by_subset(counts), key="verdicts", description="Verdicts on attempts, by subset")


def _by_subset(counts: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"subset": subset, **{str(name): int(count) for name, count in row.items()}}
        for subset, row in counts.iterrows()
    ]


def _show_tests(checks: list[CheckSummary]) -> None:
    table: list[dict[str, Any]] = [
        {
            "check": row.check.replace("_", " "),
            "measured": row.measured,
            "lowest tenth": None if row.low is None else round(row.low, 2),
            "median": None if row.median is None else round(row.median, 2),
            "cautions": row.caution,
        }
        for row in checks
    ]
    create_table_artifact(table, key="tests", description="What was measured of the chosen tests; more is better")


def _show_agreement(summary: Summary) -> None:
    if not summary.agreement:
        return
    labels: list[dict[str, Any]] = [
        {"by the author's attempts": str(label), **{str(name): count for name, count in counts.items()}}
        for label, counts in summary.agreement.table.iterrows()
    ]
    told = f"The author's label against the solver's, {summary.agreement.rows} rows"
    kappa = summary.agreement.kappa
    told += f", Cohen's kappa {kappa:.2f}" if kappa is not None else ""
    create_table_artifact(labels, key="label-agreement", description=told)


def _show_cost(usage: RunUsage, accepted: int) -> None:
    """What the teachers took.

    Args:
        accepted: released rows; 0 where none are yet.
    """
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
    told = f"Per accepted row: {each[0]:,.0f} tokens, cost {dollars(each[1])}" if each else "Of the run so far"
    create_table_artifact(table, key="cost", description=told)


def _show_release(run: Run, summary: Summary) -> None:
    splits = "\n".join(f"- `{split}`: {count} rows" for split, count in summary.splits.items())
    told = f"## Release\n\n{splits}\n\nin {_place(release_store(run.config).url)}"
    create_markdown_artifact(told, key="release", description="Rows per split")


def _show_links(run: Run) -> None:
    """Where a run's files are, as far as there are any yet."""
    store, name = run.store, run.config.run
    folder = f"{store.url.rstrip('/')}/{name}"
    parts = [
        f"## Run {name}",
        "\n".join(
            [
                f"- artifacts: {_place(folder)}, a folder for each stage",
                "- rejected rows with their reasons: in `rejects/` of each stage",
                *_files(store, folder, _OF_RUN, name),
            ]
        ),
    ]
    release = release_store(run.config)
    if manifest := read_manifest(release):
        current = f"{release.url.rstrip('/')}/{manifest.folder}".rstrip("/")
        files = _files(release, current, _RELEASED, *filter(None, [manifest.folder]))
        told = f"- version {manifest.version}: {_place(current)}, the current one of {_place(release.url)}"
        parts += ["## Release", "\n".join([told, *files])]
    if repository := run.config.release.push:
        parts.append(f"- on the hub: [{repository}](https://huggingface.co/datasets/{repository})")
    create_markdown_artifact("\n\n".join(parts), key="links", description="Where everything is")


def _files(store: Store, folder: str, files: dict[str, str], *parts: str) -> list[str]:
    """A line for each of the files that there are."""
    names = set(store.names(*parts))
    return [f"- {told}: {_place(f'{folder}/{file}')}" for file, told in files.items() if file in names]


def _place(url: str) -> str:
    """A place as Markdown: a link where a browser can follow it, else to be copied."""
    return f"[{url}]({url})" if url.startswith(("http://", "https://")) else f"`{url}`"
