"""``kodforge browse``: a run's rows in a browser on this machine."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from rich.console import Console

from tasks import serving
from tasks.browsing.index import Index
from tasks.browsing.reviews import ReviewFile
from tasks.browsing.server import GRACE_S, HOST, Desk, browser_app, browser_socket
from tasks.errors import BadInput
from tasks.reviews import LONGEST_NAME
from tasks.run import Run
from tasks.settings import BuildConfig


def serve(config: BuildConfig, port: int, reviewer: str, console: Console) -> None:
    """Serve in the foreground until SIGINT or SIGTERM.

    Args:
        port: 0: any that is free.
        reviewer: who decides; empty: who is logged in.

    Raises:
        BadInput: the run is not there, is of another version, or the port cannot be had.
    """
    run = Run(config=config, teachers=config.teachers)
    if not run.store.exists(config.run):
        raise BadInput(
            f"store {config.store!r} has no run {config.run!r}. Name one with --set run=NAME, with the profile and the "
            f"options that it is made with; one that has just been started is there once its first stage has begun"
        )
    if len(reviewer) > LONGEST_NAME:
        raise BadInput(f"--reviewer takes {LONGEST_NAME} characters, got {len(reviewer):,}. Give a shorter name")
    reviews = ReviewFile(run, reviewer or _user()[:LONGEST_NAME])
    with browser_socket(port) as listener, console.status("reading the run …") as status:
        index = Index(run, index_folder(), status.update)
        desk = Desk(run, index, reviews)
        try:
            index.refresh()
            status.stop()
            port = listener.getsockname()[1]
            console.print(
                f"http://{HOST}:{port}/?token={desk.tokens.opening}", highlight=False, soft_wrap=True, markup=False
            )
            console.print("Whoever has this address can read the run and decide on rows. Ctrl-C stops it.")
            serving.serve(browser_app(desk, port), listener, GRACE_S)
        finally:
            desk.close()
    console.print("stopped")


def index_folder() -> Path:
    """Where indexes are kept: a cache of this user's, which nobody misses."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "kodforge" / "browse"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container
        return ""
