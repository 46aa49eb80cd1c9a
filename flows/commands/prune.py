"""``kodforge prune``."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.console.options import Profile, Sets, load_config


def prune(
    older_than: Annotated[int, typer.Option("--older-than", min=1, max=36_500, help="Days since a run ended.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Remove the stages of finished runs of a store. Releases, reports, numbers and answers stay.

    A row of such a run can be looked at no more; `kodforge run` makes the stages again from the answers.

    Example: kodforge prune --older-than 30 --profile pilot
    """
    from flows.console.runs import wait_until_recorded  # noqa: PLC0415 - Prefect takes two seconds to import
    from flows.prune import prune as remove  # noqa: PLC0415

    try:
        remove(load_config(profile, set_), older_than, dry_run)
    finally:
        wait_until_recorded()
