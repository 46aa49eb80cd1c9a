"""``kodforge inspect``: one row with its lineage, every attempt, and why it was accepted or rejected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from tasks.curation.decisions import told_finding, told_hit
from tasks.errors import BadInput
from tasks.models import BenchmarkHit, ContentFinding
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tasks.syntax import printable


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


def _say(console: Console, text: str, style: str = "") -> None:
    """A line in which nothing of a row is markup, or obeyed by the terminal."""
    console.print(Text(printable(text), style=style), highlight=False, soft_wrap=True)


def _code(console: Console, title: str, text: str) -> None:
    console.print(f"\n[bold]{title}[/bold]")
    console.print(Syntax(printable(text), "python", line_numbers=True, background_color="default"))


def _call(console: Console, title: str, call: dict[str, Any]) -> None:
    _say(
        console,
        f"  {title}: {call['model']} · template {call['template']} · sampling {call['sampling']} · "
        f"response {call['response_id'][:16]} · {call['prompt_tokens']} + {call['completion_tokens']} tokens",
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
    curated = next(_rows(run, run.last_stage, row_id), None)
    triplet = curated or next(_rows(run, StageName.TRIPLETS, row_id), None)
    console.rule(Text(printable(row_id)))
    _outcome(console, curated, triplet, rejects, row_id)
    if questions:
        question = questions[0]
        console.print("\n[bold]Question[/bold]")
        _say(console, (triplet or question)["question"])
        console.print("\n[bold]Lineage[/bold]")
        for seed in question["seeds"]:
            source = seed["source"]
            _say(
                console,
                f"  seed {seed['seed_id']} · {source['origin']} {source['version']} · {source['licence']}",
            )
        _call(console, "question", question["call"])
    if triplet:
        _call(console, "solution", triplet["lineage"]["solution_call"])
        lineage = triplet["lineage"]
        _say(
            console,
            f"  sandbox: {lineage['sandbox_backend']} {lineage['sandbox_image'][:24]} · "
            f"tier {lineage['integrity_tier']}",
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
        _say(console, f"Accepted into split {curated['split']}{why}.", "bold")
        _found(console, curated)
    if triplet:
        _why_kept(console, triplet)
    for stage, reject in rejects:
        if reject["id"] == row_id:
            _say(console, f"Rejected at {stage}: {reject['reason']}", "bold red")
            _why_rejected(console, reject["evidence"])


def _found(console: Console, curated: dict[str, Any]) -> None:
    """What curation found in a row that stays."""
    labels = curated["labels"]
    _say(console, f"Topics: {', '.join(labels['topics'])}. Skills: {', '.join(labels['skills']) or 'none'}.")
    if curated["duplicates"]:
        _say(console, f"It stands for {len(curated['duplicates'])} more: {', '.join(curated['duplicates'])}.")
    for hit in curated["benchmark_hits"]:
        _say(console, f"  {hit['outcome']:>12}  {told_hit(BenchmarkHit.model_validate(hit))}")
    for one in curated["content"]:
        _say(console, f"  {one['outcome']:>12}  {told_finding(ContentFinding.model_validate(one))}")


def _why_kept(console: Console, triplet: dict[str, Any]) -> None:
    """How the label came about, which attempt was kept, and what was found out about it."""
    stood = [one["file_source"] for one in triplet["trials"] if one["test_result"] == "passed"]
    kept = triplet["trials"][triplet["chosen_trial"] - 1]
    _say(
        console,
        f"{triplet['gpt_pass_trial_num']} of {len(triplet['gpt_pass_sequence'])} attempts passed: "
        f"{triplet['gpt_difficulty']}. Of {len(stood)} that stood, attempt {_number(kept['file_source'])} proved most.",
    )
    if kept["mends"]:
        told = "left out" if kept["completion_tokens"] == 0 else "written anew"
        _say(console, f"It is attempt {_number(kept['mends'])}, whose wrong tests were {told}.")
    if solver := triplet["solver"]:
        _say(
            console,
            f"Of {solver['tries']} solutions by {', '.join(solver['models'])}, which saw no tests, {solver['passes']} "
            f"pass its tests: {solver['rate']:.2f} (95 % from {solver['low']:.2f} to {solver['high']:.2f}), "
            f"{solver['difficulty'] or 'unsolved'}.",
        )
    _checks(console, triplet["quality"])


def _checks(console: Console, measures: list[dict[str, Any]]) -> None:
    for one in measures:
        value = "" if one["value"] is None else f" {one['value']:.2f}"
        bound = {"rejected": one["reject_below"], "caution": one["caution_below"]}.get(one["outcome"])
        below = f", below {bound:g}" if bound is not None else ""
        _say(console, f"  {one['outcome']:>12}  {one['check'].replace('_', ' ')}{value}{below}: {one['why']}")


def _why_rejected(console: Console, evidence: str) -> None:
    """The evidence: sentences per attempt where it has some, else as it is."""
    try:
        attempts = json.loads(evidence)
        lines = [(one["attempt"], one["outcome"], one["why"], one["checks"]) for one in attempts]
    except (ValueError, KeyError, TypeError):
        _say(console, evidence)
        return
    for number, outcome, why, checks in lines:
        _say(console, f"attempt {number}: {outcome or 'passed'}: {why}")
        _checks(console, [one for one in checks if one["outcome"] in ("rejected", "caution")])


def _number(attempt_id: str) -> str:
    return attempt_id.rpartition("/")[2]


def _attempts(console: Console, run: Run, row_id: str, triplet: dict[str, Any] | None) -> None:
    attempts = {row["attempt_id"]: row for row in _rows(run, StageName.ATTEMPTS, row_id)}
    verdicts = {row["attempt_id"]: row for row in _rows(run, StageName.VERDICTS, row_id)}
    unusable = {row["id"]: row for stage, row in _rejects(run, row_id) if stage is StageName.ATTEMPTS}
    for attempt_id in sorted({*attempts, *unusable}, key=lambda name: int(name.rpartition("/")[2])):
        number = int(attempt_id.rpartition("/")[2])
        kept = triplet is not None and triplet["trials"][triplet["chosen_trial"] - 1]["file_source"] == attempt_id
        console.print()
        console.rule(f"attempt {number}{' (kept)' if kept else ''}")
        if attempt_id in unusable:
            _say(console, f"unusable reply: {unusable[attempt_id]['reason']}")
            _say(console, unusable[attempt_id]["evidence"])
            continue
        attempt, verdict = attempts[attempt_id], verdicts.get(attempt_id)
        if verdict:
            pair = verdict["pair"]
            _say(console, f"{pair['verdict']}: {pair['reason']}")
            for test in pair["tests"]:
                _say(console, f"  {test['outcome']:>8} {test['test_id']}")
        _code(console, "solution.py", attempt["solution"])
        _code(console, "test_solution.py", attempt["test"])
