"""What a deploy would change, one step per object on the server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Step:
    """One object on the server: what becomes of it, and how.

    Attributes:
        kind: such as ``work pool``.
        told: what differs, or what there is to know; never a secret.
        apply: makes or updates it. Not called where it is unchanged.
    """

    kind: str
    name: str
    action: Action
    told: str
    apply: Callable[[], object]


def step_of(
    kind: str,
    name: str,
    wanted: Mapping[str, Any],
    found: Mapping[str, Any] | None,
    apply: Callable[[], object],
    told: str = "",
) -> Step:
    """The step that turns what was found into what is wanted.

    Args:
        wanted: the values that a deploy decides on. Others, such as a limit that somebody changed, stay.
        found: what the server has; None where it has no such object.
        told: what there is to know of an object that is made.
    """
    if found is None:
        return Step(kind, name, Action.CREATE, told, apply)
    differing = [key for key, value in wanted.items() if found.get(key) != value]
    if differing:
        return Step(kind, name, Action.UPDATE, ", ".join(differing), apply)
    return Step(kind, name, Action.UNCHANGED, "", apply)


def show_plan(steps: list[Step], console: Console, dry_run: bool) -> None:
    """Print a line per object, and what all of them come to."""
    table = Table(title="What would be done" if dry_run else None, title_justify="left")
    for name in ("", "object", "name", "what"):
        table.add_column(name, overflow="fold")
    for step in steps:
        table.add_row(step.action, step.kind, step.name, step.told)
    console.print(table)
    counts = {action: sum(step.action is action for step in steps) for action in Action}
    verbs = ("to create", "to update", "unchanged") if dry_run else ("created", "updated", "unchanged")
    told = ", ".join(f"{count} {verb}" for count, verb in zip(counts.values(), verbs, strict=True))
    console.print(told, highlight=False)
