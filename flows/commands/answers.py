"""``kodforge answers``: the teachers' answers, wherever they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tasks.errors import BadInput

app = typer.Typer(help="The teachers' answers: a SQLite file, or a PostgreSQL database.", no_args_is_help=True)


@app.callback()
def answers() -> None:
    """The teachers' answers."""


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help="A file, or postgresql://user@host/database.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Likewise; made where it is missing.")],
) -> None:
    """Copy answers, vectors, what runs have spent and open batches from one place to another.

    What is there already stays: after a break, or when more has come, the same command copies the rest.

    Example: kodforge answers copy kodforge-store/answers.sqlite postgresql://kodforge@db/kodforge
    """
    from tasks.teachers.cache import check_cache, copy_answers, is_database, open_cache  # noqa: PLC0415

    if not is_database(source) and not Path(source).is_file():
        raise BadInput(f"there is no file {source!r} with answers to copy. Name one, or a database by its URL")
    for place in (source, target):
        check_cache(place)
    Console().print(f"{copy_answers(open_cache(source), open_cache(target)):,} answers in {target}", highlight=False)


@app.command()
def forget(
    place: Annotated[str, typer.Argument(metavar="ANSWERS", help="A file, or postgresql://user@host/database.")],
    batch: Annotated[str, typer.Argument(help="Id of a batch that its server has lost.")],
) -> None:
    """Forget a batch that was handed in: what it has not answered is handed in, and paid for, again.

    Example: kodforge answers forget kodforge-store/answers.sqlite batch_68a1
    """
    from tasks.teachers.cache import check_cache, is_database, open_cache  # noqa: PLC0415

    if not is_database(place) and not Path(place).is_file():
        raise BadInput(f"there is no file {place!r} with answers. Name one, or a database by its URL")
    check_cache(place)
    answers = open_cache(place)
    open_ones = {one.batch_id or one.tag: one for one in answers.open_batches(None)}
    if batch not in open_ones:
        raise BadInput(f"no batch {batch!r} is open in {place!r}; open are: {', '.join(open_ones) or 'none'}")
    found = open_ones[batch]
    answers.settle_batch(found.tag, found.keys)
    Console().print(f"batch {batch} forgotten: {len(found.keys):,} requests are handed in again", highlight=False)
