"""What ``kodforge inspect`` tells of a row's other styles, and of what reasoning models answered to it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from flows.console.telling import rejects_of, rows_of, say, show_call, show_checks, show_code, split_of
from tasks.models import Style
from tasks.run import Run, StageName
from tasks.styles.ids import converted_id
from tasks.syntax import printable


def show_styles(console: Console, run: Run, row_id: str) -> None:
    """Which styles a row was told in, and what became of each."""
    for style in Style:
        name = converted_id(row_id, style)
        if name == row_id:
            continue
        if retold := next(rows_of(run, StageName.CONVERTED, name), None):
            say(console, f"\nIt is told in the style {style} as {name}: see kodforge inspect {name}.")
            show_call(console, style, retold["lineage"]["conversion_call"])
        for stage in (StageName.CONVERSIONS, StageName.RETOLD, StageName.CONVERTED):
            for reject in rejects_of(run, stage, name):
                say(console, f"\nNot told in the style {style}, rejected at {stage}: {reject['reason']}", "bold red")
                say(console, reject["evidence"])


def show_retold(console: Console, run: Run, row: dict[str, Any]) -> None:
    """A row that tells another one in its own style, and what was answered to it."""
    lineage = row["lineage"]
    console.rule(Text(printable(row["question_id"])))
    origin = lineage["converted_from"]
    why = f" because of {row['filter_reason']}" if row["filter_reason"] else ""
    say(console, f"It tells {origin} in the style {row['style']}; split {split_of(run, row)}{why}.", "bold")
    say(console, f"For all that came before: kodforge inspect {origin}.")
    show_checks(console, row["quality"])
    console.print("\n[bold]Question[/bold]")
    say(console, row["question"])
    show_call(console, "conversion", lineage["conversion_call"])
    for mend in lineage["conversion_mends"]:
        say(console, f"  {mend}")
    show_code(console, "solution.py", row["solution"])
    if row["test"]:
        show_code(console, "test_solution.py", row["test"])
    for number, one in enumerate(row["io"]):
        say(console, f"  io[{number}]: {one['stdin']!r} -> {one['stdout']!r}")
    show_responses(console, run, row["question_id"])


def show_responses(console: Console, run: Run, row_id: str) -> None:
    """Every answer to a row, with what the row's tests made of it."""
    grades = {grade["response_id"]: grade for grade in rows_of(run, StageName.GRADES, row_id)}
    for one in rows_of(run, StageName.RESPONSES, row_id):
        console.print()
        console.rule(Text(printable(f"answer {one['number']} of {one['reasoner']}")))
        if grade := grades.get(one["response_id"]):
            _grade(console, grade)
        show_call(console, "answer", one["call"])
        say(console, f"  thought of {len(one['reasoning']):,} characters, ended by {one['finish_reason'] or 'nobody'}")
        if one["code"]:
            show_code(console, "solution.py", one["code"])
        else:
            say(console, one["text"])
    for reject in rejects_of(run, StageName.RESPONSES, row_id):
        say(console, f"\nanswer {reject['id'].partition('/')[2]}: {reject['reason']}: {reject['evidence']}")


def _grade(console: Console, grade: dict[str, Any]) -> None:
    passed = "passed" if grade["passed"] else "not passed"
    say(console, f"{passed}: {grade['reason']}", "bold" if grade["passed"] else "bold red")
    for test in grade["tests"]:
        say(console, f"  {test['outcome']:>8} {test['test_id']}")
