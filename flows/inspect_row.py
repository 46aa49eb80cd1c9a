"""``kodforge inspect``: one row with its lineage, every attempt, and why it was accepted or rejected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.syntax import Syntax

from tasks.errors import BadInput
from tasks.run import Run, StageName
from tasks.settings import BuildConfig


def _rows(run: Run, stage: StageName, row_id: str) -> Iterator[dict[str, Any]]:
    """The rows of a stage that belong to a question."""
    for shard in run.stage(stage).shards():
        table = run.stage(stage).table(shard)
        yield from table.filter(pc.field("question_id") == row_id).to_pylist()


def _rejects(run: Run, row_id: str) -> Iterator[tuple[StageName, dict[str, Any]]]:
    for stage in StageName:
        for shard in run.stage(stage).shards():
            table = pq.read_table(
                run.store.fs.open(run.store.path(run.config.run, stage, "rejects", f"{shard}.parquet"))
            )
            for row in table.to_pylist():
                if row["id"] == row_id or row["id"].rpartition("/")[0] == row_id:
                    yield stage, row


def _code(console: Console, title: str, text: str) -> None:
    console.print(f"\n[bold]{title}[/bold]")
    console.print(Syntax(text, "python", line_numbers=True, background_color="default"))


def _call(console: Console, title: str, call: dict[str, Any]) -> None:
    console.print(
        f"  {title}: {call['model']} · template {call['template']} · sampling {call['sampling']} · "
        f"response {call['response_id'][:16]} · {call['prompt_tokens']} + {call['completion_tokens']} tokens",
        markup=False,
    )


def show_row(config: BuildConfig, row_id: str, console: Console) -> None:
    """Print everything that is known of a row.

    Raises:
        BadInput: the run does not know the row.
    """
    run = Run(config=config, teachers=config.teachers)
    questions = list(_rows(run, StageName.QUESTIONS, row_id))
    rejects = list(_rejects(run, row_id))
    if not questions and not rejects:
        raise BadInput(
            f"run {config.run!r} in {config.store!r} has no row {row_id!r}. Ids look like Docs_00000003_I and are in "
            f"the column question_id of the release and in the column id of the rejects"
        )
    curated = next(_rows(run, StageName.CURATED, row_id), None)
    triplet = curated or next(_rows(run, StageName.TRIPLETS, row_id), None)
    console.rule(row_id)
    _outcome(console, curated, triplet, rejects, row_id)
    if questions:
        question = questions[0]
        console.print("\n[bold]Question[/bold]")
        console.print((triplet or question)["question"], markup=False, highlight=False)
        console.print("\n[bold]Lineage[/bold]")
        for seed in question["seeds"]:
            source = seed["source"]
            console.print(
                f"  seed {seed['seed_id']} · {source['origin']} {source['version']} · {source['licence']}",
                markup=False,
            )
        _call(console, "question", question["call"])
    if triplet:
        _call(console, "solution", triplet["lineage"]["solution_call"])
        lineage = triplet["lineage"]
        console.print(
            f"  sandbox: {lineage['sandbox_backend']} {lineage['sandbox_image'][:24]} · "
            f"tier {lineage['integrity_tier']}"
        )
    _attempts(console, run, row_id, triplet)


def _outcome(
    console: Console,
    curated: dict[str, Any] | None,
    triplet: dict[str, Any] | None,
    rejects: list[tuple[StageName, dict[str, Any]]],
    row_id: str,
) -> None:
    if curated:
        why = f" because of {curated['filter_reason']}" if curated["filter_reason"] else ""
        console.print(f"Accepted into split [bold]{curated['split']}[/bold]{why}.", highlight=False)
    if triplet:
        console.print(
            f"{triplet['gpt_pass_trial_num']} of {len(triplet['trials'])} attempts passed: "
            f"{triplet['gpt_difficulty']}. Attempt {triplet['chosen_trial']} was kept for its coverage. "
            f"Its tests fail against a stub: {triplet['lineage']['control'] or 'not checked'}.",
            highlight=False,
        )
    for stage, reject in rejects:
        if reject["id"] == row_id:
            console.print(f"Rejected at [bold]{stage}[/bold]: [red]{reject['reason']}[/red]", highlight=False)
            console.print(_evidence(reject["evidence"]), markup=False, highlight=False)


def _evidence(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=1)
    except ValueError:
        return text


def _attempts(console: Console, run: Run, row_id: str, triplet: dict[str, Any] | None) -> None:
    attempts = {row["attempt_id"]: row for row in _rows(run, StageName.ATTEMPTS, row_id)}
    verdicts = {row["attempt_id"]: row for row in _rows(run, StageName.VERDICTS, row_id)}
    unusable = {row["id"]: row for stage, row in _rejects(run, row_id) if stage is StageName.ATTEMPTS}
    for attempt_id in sorted({*attempts, *unusable}, key=lambda name: int(name.rpartition("/")[2])):
        number = int(attempt_id.rpartition("/")[2])
        kept = triplet is not None and triplet["chosen_trial"] == number
        console.print()
        console.rule(f"attempt {number}{' (kept)' if kept else ''}")
        if attempt_id in unusable:
            console.print(f"unusable reply: {unusable[attempt_id]['reason']}", highlight=False)
            console.print(unusable[attempt_id]["evidence"], markup=False, highlight=False)
            continue
        attempt, verdict = attempts[attempt_id], verdicts.get(attempt_id)
        if verdict:
            pair = verdict["pair"]
            console.print(f"{pair['verdict']}: {pair['reason']}", markup=False, highlight=False)
            for test in pair["tests"]:
                console.print(f"  {test['outcome']:>8} {test['test_id']}", markup=False, highlight=False)
        _code(console, "solution.py", attempt["solution"])
        _code(console, "test_solution.py", attempt["test"])
