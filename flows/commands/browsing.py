"""``kodforge browse``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from flows.console.options import Profile, Sets, load_config


def browse(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any that is free.")] = 0,
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Who decides on rows by hand. Default: who is logged in.")
    ] = "",
    profile: Profile = "demo",
    set_: Sets = [],  # noqa: B006 - typer reads the default, nobody changes it
) -> None:
    """Look at a run's rows in a browser on this machine: search, read, decide by hand, run again; live during a run.

    Prints an address with a token, another one at each start. Decisions go into the run's review.jsonl, which the next
    run honours with curation.review.

    Example: kodforge browse --profile demo --port 8765
    """
    from flows.console.browse import serve  # noqa: PLC0415 - only this command needs it

    serve(load_config(profile, set_), port, reviewer, Console())
