"""What is done with finished releases: compared with one another, and pushed to the hub."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown

from tasks.publishing.diff import diff
from tasks.publishing.folder import opened


def show_diff(earlier: str, later: str, as_json: bool, console: Console) -> None:
    """Print what differs between two releases."""
    found = diff(opened(earlier), opened(later))
    if as_json:
        print(found.model_dump_json(indent=1))  # noqa: T201 - for another program, without a terminal's wrapping
        return
    console.print(Markdown(found.to_markdown()))
    told = {
        "major": "a major change: rows or columns that were there are not as they were",
        "minor": "a minor change: there is more than before",
        "patch": "a patch: the same data, packaged or described otherwise",
        "none": "no change: the files are the same",
    }
    console.print(f"By Croissant's rules this is {told[found.change]}.", highlight=False)


def push_folder(release: str, repository: str, private: bool, token_env: str, console: Console) -> None:
    """Push a release to the hub and say where it is."""
    from tasks.publishing.push import push, token_of  # noqa: PLC0415 - the hub's client takes half a second to import
    from tasks.settings.stages import Hub  # noqa: PLC0415

    done = push(release, repository, token_of(Hub(token_env=token_env)), private)
    console.print(done.message, highlight=False, soft_wrap=True)
