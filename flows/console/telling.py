"""Parts of what ``kodforge inspect`` tells of a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from tasks.models import Split
from tasks.run import Run, StageName
from tasks.syntax import printable


def rows_of(run: Run, stage: StageName, row_id: str) -> Iterator[dict[str, Any]]:
    """The rows of a stage that belong to a question."""
    for shard in run.stage(stage).shards():
        table = run.stage(stage).table(shard)
        yield from table.filter(pc.field("question_id") == row_id).to_pylist()


def split_of(run: Run, row: dict[str, Any]) -> str:
    """The split that a curated row is released in: held-out groups are known after curation."""
    placing = next(rows_of(run, StageName.PLACINGS, row["lineage"]["converted_from"] or row["question_id"]), None)
    held_out = placing is not None and placing["split"] == Split.EVALUATION
    return Split.EVALUATION.value if held_out else str(row["split"])


def rejects_of(run: Run, stage: StageName, row_id: str) -> Iterator[dict[str, Any]]:
    """The rejects of a stage that are a row, or belong to one: their ids begin with its id."""
    for shard in run.stage(stage).shards():
        rejects = run.stage(stage).rejected(shard)
        yield from (row for row in rejects.to_pylist() if row["id"].partition("/")[0] == row_id)


def say(console: Console, text: str, style: str = "") -> None:
    """A line in which nothing of a row is markup, or obeyed by the terminal."""
    console.print(Text(printable(text), style=style), highlight=False, soft_wrap=True)


def show_code(console: Console, title: str, text: str) -> None:
    """A program under a heading."""
    console.print(f"\n[bold]{title}[/bold]")
    console.print(Syntax(printable(text), "python", line_numbers=True, background_color="default"))


def show_call(console: Console, title: str, made: dict[str, Any]) -> None:
    """The teacher's call that made something."""
    say(
        console,
        f"  {title}: {made['model']} · template {made['template']} · sampling {made['sampling']} · "
        f"response {made['response_id'][:16]} · {made['prompt_tokens']} + {made['completion_tokens']} tokens",
    )


def show_checks(console: Console, measures: list[dict[str, Any]]) -> None:
    """What was measured, and what followed from it."""
    for one in measures:
        value = "" if one["value"] is None else f" {one['value']:.2f}"
        bound = {"rejected": one["reject_below"], "caution": one["caution_below"]}.get(one["outcome"])
        below = f", below {bound:g}" if bound is not None else ""
        say(console, f"  {one['outcome']:>12}  {one['check'].replace('_', ' ')}{value}{below}: {one['why']}")
