"""``kodforge inspect``: one row with its lineage, every attempt, and why it was accepted or rejected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from flows.console.inspect_post_training import show_responses, show_retold, show_styles
from flows.console.telling import rejects_of, rows_of, say, show_call, show_checks, show_code, split_of
from tasks.curation.decisions import told_finding, told_hit
from tasks.errors import BadInput
from tasks.models import BenchmarkHit, ContentFinding
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tasks.syntax import printable


def _rejects(run: Run, row_id: str) -> Iterator[tuple[StageName, dict[str, Any]]]:
    return ((stage, row) for stage in StageName for row in rejects_of(run, stage, row_id))


def show_row(config: BuildConfig, row_id: str, console: Console) -> None:
    """Print everything that is known of a row.

    Raises:
        BadInput: the run does not know the row.
    """
    run = Run(config=config, teachers=config.teachers)
    if retold := next(rows_of(run, StageName.CONVERTED, row_id), None):
        show_retold(console, run, retold)
        return
    questions = list(rows_of(run, StageName.QUESTIONS, row_id))
    rejects = list(_rejects(run, row_id))
    if not questions and not rejects:
        raise BadInput(
            f"run {config.run!r} in {config.store!r} has no row {row_id!r}. Ids look like Docs_00000003_I and are in "
            f"the column question_id of the release and in the column id of the rejects"
        )
    curated = next(rows_of(run, run.last_stage, row_id), None)
    if curated:
        curated["split"] = split_of(run, curated)
    triplet = curated or next(rows_of(run, StageName.TRIPLETS, row_id), None)
    console.rule(Text(printable(row_id)))
    _outcome(console, curated, triplet, rejects, row_id)
    if questions:
        question = questions[0]
        console.print("\n[bold]Question[/bold]")
        say(console, (triplet or question)["question"])
        console.print("\n[bold]Lineage[/bold]")
        for seed in question["seeds"]:
            source = seed["source"]
            say(
                console,
                f"  seed {seed['seed_id']} · {source['origin']} {source['version']} · {source['licence']}",
            )
        show_call(console, "question", question["call"])
    if triplet:
        show_call(console, "solution", triplet["lineage"]["solution_call"])
        lineage = triplet["lineage"]
        say(
            console,
            f"  sandbox: {lineage['sandbox_backend']} {lineage['sandbox_image'][:24]} · "
            f"tier {lineage['integrity_tier']}",
        )
    _attempts(console, run, row_id, triplet)
    show_styles(console, run, row_id)
    show_responses(console, run, row_id)


def _outcome(
    console: Console,
    curated: dict[str, Any] | None,
    triplet: dict[str, Any] | None,
    rejects: list[tuple[StageName, dict[str, Any]]],
    row_id: str,
) -> None:
    if curated:
        why = f" because of {curated['filter_reason']}" if curated["filter_reason"] else ""
        say(console, f"Accepted into split {curated['split']}{why}.", "bold")
        _found(console, curated)
    if triplet:
        _why_kept(console, triplet)
    for stage, reject in rejects:
        if reject["id"] == row_id:
            say(console, f"Rejected at {stage}: {reject['reason']}", "bold red")
            _why_rejected(console, reject["evidence"])


def _found(console: Console, curated: dict[str, Any]) -> None:
    """What curation found in a row that stays."""
    labels = curated["labels"]
    say(console, f"Topics: {', '.join(labels['topics'])}. Skills: {', '.join(labels['skills']) or 'none'}.")
    if curated["duplicates"]:
        say(console, f"It stands for {len(curated['duplicates'])} more: {', '.join(curated['duplicates'])}.")
    for hit in curated["benchmark_hits"]:
        say(console, f"  {hit['outcome']:>12}  {told_hit(BenchmarkHit.model_validate(hit))}")
    for one in curated["content"]:
        say(console, f"  {one['outcome']:>12}  {told_finding(ContentFinding.model_validate(one))}")


def _why_kept(console: Console, triplet: dict[str, Any]) -> None:
    """How the label came about, which attempt was kept, and what was found out about it."""
    stood = [one["file_source"] for one in triplet["trials"] if one["test_result"] == "passed"]
    kept = triplet["trials"][triplet["chosen_trial"] - 1]
    say(
        console,
        f"{triplet['gpt_pass_trial_num']} of {len(triplet['gpt_pass_sequence'])} attempts passed: "
        f"{triplet['gpt_difficulty']}. Of {len(stood)} that stood, attempt {_number(kept['file_source'])} proved most.",
    )
    if kept["mends"]:
        told = "left out" if kept["completion_tokens"] == 0 else "written anew"
        say(console, f"It is attempt {_number(kept['mends'])}, whose wrong tests were {told}.")
    if solver := triplet["solver"]:
        say(
            console,
            f"Of {solver['tries']} solutions by {', '.join(solver['models'])}, which saw no tests, {solver['passes']} "
            f"pass its tests: {solver['rate']:.2f} (95 % from {solver['low']:.2f} to {solver['high']:.2f}), "
            f"{solver['difficulty'] or 'unsolved'}.",
        )
    show_checks(console, triplet["quality"])


def _why_rejected(console: Console, evidence: str) -> None:
    """The evidence: sentences per attempt where it has some, else as it is."""
    try:
        attempts = json.loads(evidence)
        lines = [(one["attempt"], one["outcome"], one["why"], one["checks"]) for one in attempts]
    except (ValueError, KeyError, TypeError):
        say(console, evidence)
        return
    for number, outcome, why, checks in lines:
        say(console, f"attempt {number}: {outcome or 'passed'}: {why}")
        show_checks(console, [one for one in checks if one["outcome"] in ("rejected", "caution")])


def _number(attempt_id: str) -> str:
    return attempt_id.rpartition("/")[2]


def _attempts(console: Console, run: Run, row_id: str, triplet: dict[str, Any] | None) -> None:
    attempts = {row["attempt_id"]: row for row in rows_of(run, StageName.ATTEMPTS, row_id)}
    verdicts = {row["attempt_id"]: row for row in rows_of(run, StageName.VERDICTS, row_id)}
    unusable = {row["id"]: row for stage, row in _rejects(run, row_id) if stage is StageName.ATTEMPTS}
    for attempt_id in sorted({*attempts, *unusable}, key=lambda name: int(name.rpartition("/")[2])):
        number = int(attempt_id.rpartition("/")[2])
        kept = triplet is not None and triplet["trials"][triplet["chosen_trial"] - 1]["file_source"] == attempt_id
        console.print()
        console.rule(f"attempt {number}{' (kept)' if kept else ''}")
        if attempt_id in unusable:
            say(console, f"unusable reply: {unusable[attempt_id]['reason']}")
            say(console, unusable[attempt_id]["evidence"])
            continue
        attempt, verdict = attempts[attempt_id], verdicts.get(attempt_id)
        if verdict:
            pair = verdict["pair"]
            say(console, f"{pair['verdict']}: {pair['reason']}")
            for test in pair["tests"]:
                say(console, f"  {test['outcome']:>8} {test['test_id']}")
        show_code(console, "solution.py", attempt["solution"])
        show_code(console, "test_solution.py", attempt["test"])
