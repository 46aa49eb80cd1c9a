"""Every command with its arguments and options, as typer has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from docs.builder.tables import code, prose, table
from flows.cli import app

PAGE = "reference/commands.md"


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its name as it is typed."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        if not hasattr(command, "commands"):
            yield name, command
            return
        for part, inner in command.commands.items():
            yield from walk(f"{name} {part}", inner)

    yield from walk("kodforge", typer.main.get_command(app))


def _written(name: str, command: Any) -> str:
    context = command.make_context(name, [], resilient_parsing=True)
    what, _, example = prose(command.help).partition("Example:")
    text = f"## {name}\n\n{what.strip()}\n\n"
    if example:
        text += f"```bash\n{' '.join(example.split())}\n```\n\n"
    records = [record for one in command.params if (record := one.get_help_record(context))]
    return text + table(["argument or option", "meaning"], [[code(term), meaning] for term, meaning in records])


def pages() -> dict[str, str]:
    """The page of the commands, by its place in the site."""
    intro = (
        "# Commands\n\nWhat `kodforge COMMAND --help` shows. The exit status is 0 if and only if the command did its "
        "work, and met the targets of `kpis.targets`. `--set` takes every key of the [configuration](configuration.md) "
        "and may be repeated.\n\n"
    )
    return {PAGE: intro + "\n".join(_written(name, command) for name, command in commands())}
