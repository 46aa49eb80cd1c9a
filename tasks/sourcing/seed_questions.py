"""Method 2: a question in the style of one or several seed questions, read from the user's file."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from tasks.errors import BadInput
from tasks.files import read_rows
from tasks.models import Provenance, Seed, Subset
from tasks.settings import SeedOptions
from tasks.sourcing.packages import UNKNOWN_LICENCE

EMBEDDED = "embedded:questions"
"""A path that stands for the seed questions written for this project."""

COLUMNS = ("id", "title", "question")


def _embedded() -> Path:
    return Path(str(resources.files("tasks.sourcing") / "seeds" / "questions.jsonl"))


def read_seeds(subset: Subset, options: SeedOptions) -> Iterator[Seed]:
    """One seed per row of the file; columns ``id``, ``title``, ``question``, renamed by ``options.columns``.

    Raises:
        BadInput: a column or value is missing (names row and column), or the file cannot be read.
    """
    if not options.path:
        raise BadInput(f"subset {subset} reads a file of seed questions, not packages. Give `path`")
    embedded = options.path == EMBEDDED
    path = _embedded() if embedded else Path(options.path)
    theirs = {ours: options.columns.get(ours, ours) for ours in COLUMNS}
    if unknown := set(options.columns) - set(COLUMNS):
        raise BadInput(f"columns maps {', '.join(sorted(unknown))}; only {', '.join(COLUMNS)} can be mapped")
    seen: set[str] = set()
    for number, row in enumerate(read_rows(path), 1):
        if missing := [name for name in theirs.values() if name not in row]:
            raise BadInput(
                f"{path}, row {number}: no column {missing[0]!r} (it has {', '.join(map(str, row))}). "
                f"Map it, as in --set subsets.{subset}.seeds.columns.question=THEIR_NAME"
            )
        values = {ours: row[name] for ours, name in theirs.items()}
        for ours, value in values.items():
            if not str(value or "").strip():
                raise BadInput(f"{path}, row {number}: column {theirs[ours]!r} is empty. Fill it or drop the row")
        if str(values["id"]) in seen:
            raise BadInput(f"{path}, row {number}: id {values['id']!r} occurs twice. Ids must be unique")
        seen.add(str(values["id"]))
        licence = "Apache-2.0" if embedded else options.licence or UNKNOWN_LICENCE
        yield Seed(
            seed_id=f"{path.stem}:{values['id']}",
            subset=subset,
            text=str(values["question"]),
            title=str(values["title"]),
            libraries=[],
            source=Provenance(
                origin="kodforge" if embedded else path.name,
                version="",
                path=str(values["id"]),
                licence=licence,
            ),
        )
