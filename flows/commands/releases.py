"""Finished releases: ``kodforge export``, ``diff`` and ``push``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tasks.settings.exports import ExportFormat


def export(
    release: Annotated[str, typer.Argument(help="A release folder or a file of its rows, on disk or by URL.")],
    to: Annotated[ExportFormat, typer.Option("--to", help="The trainer.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the export.")],
    config: Annotated[
        list[str] | None,
        typer.Option("--config", help="A set of the release; may be repeated. Default: all that the trainer takes."),
    ] = None,
    split: Annotated[list[str] | None, typer.Option("--split", help="May be repeated. Default: train.")] = None,
    any_tier: Annotated[
        bool, typer.Option("--any-tier", help="To reward: rows too whose tests an answer could forge.")
    ] = False,
) -> None:
    """Write a release as a trainer loads it: TRL, verl, LLaMA-Factory, Axolotl, verifiers.

    Example: kodforge export release --to trl-grpo --out grpo
    """
    from flows.export_release import run_export  # noqa: PLC0415 - Prefect takes two seconds to import

    run_export(release, to, out, config or [], split or ["train"], any_tier, Console())


def diff(
    earlier: Annotated[str, typer.Argument(help="Folder or URL of a release, as in hf://datasets/org/name@v1.0.0.")],
    later: Annotated[str, typer.Argument(help="Of another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what differs between two releases: rows, columns, sets, splits, licences and the make-up of the whole.

    Example: kodforge diff kodforge-store/demo/release/1.0.0 kodforge-store/demo/release
    """
    from flows.console.releases import show_diff  # noqa: PLC0415

    show_diff(earlier, later, as_json, Console())


def push(
    release: Annotated[str, typer.Argument(help="Folder or fsspec URL of a release.")],
    to: Annotated[str, typer.Option("--to", help="Repository of data sets on the Hugging Face hub, as in org/name.")],
    private: Annotated[bool, typer.Option("--private", help="Make a private one, where there is none.")] = False,
    token_env: Annotated[str, typer.Option("--token-env", help="Variable with the token.")] = "HF_TOKEN",  # noqa: S107
) -> None:
    """Push a release to the Hugging Face hub: one commit, and a tag for its version.

    A push that was interrupted goes on when it is given again; a version that is there already is left as it is.

    Example: kodforge push kodforge-store/demo/release --to org/name --private
    """
    from flows.console.releases import push_folder  # noqa: PLC0415

    push_folder(release, to, private, token_env, Console())
