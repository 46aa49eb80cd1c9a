"""``kodforge sandbox``: the image of the box."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from tasks.settings import Layer

app = typer.Typer(help="The box that untrusted code runs in.", no_args_is_help=True)


@app.command()
def build(
    base: Annotated[
        str, typer.Option("--base", help="Base image, or `debootstrap` where no registry answers.")
    ] = "python:3.12-slim",
    tag: Annotated[str, typer.Option("--tag")] = "kodforge-sandbox",
    layer: Annotated[
        list[Layer] | None, typer.Option("--layer", help="Optional libraries, for sandbox.layers; may be repeated.")
    ] = None,
) -> None:
    """Build the Docker image of the sandbox.

    Example: kodforge sandbox build --base debootstrap
    """
    from tasks.execution.image import build_image  # noqa: PLC0415 - only this command needs it

    Console().print(f"built {tag}: {build_image(base, tag, tuple(layer or ()))}")
