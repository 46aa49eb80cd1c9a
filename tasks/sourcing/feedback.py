"""Seeds from production: prompts that a model answered wrongly, to ask for more questions of that kind."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.licences.expressions import UNKNOWN_LICENCE, canonical
from tasks.models import Provenance, Reject, Seed
from tasks.settings import SeedOptions
from tasks.sourcing.seed_questions import check_columns, first_of, good_rows, text_of
from tasks.tables import Row, open_table

COLUMNS = ("prompt", "answer", "expected", "id", "topic")


def read_seeds(subset: str, options: SeedOptions) -> Iterator[Seed | Reject]:
    """One seed per row; columns ``prompt``, ``answer`` (the wrong one), ``expected``, and perhaps ``id`` and ``topic``,
    renamed by ``options.columns``.

    Raises:
        BadInput: a column or value is missing (names row and column), or the file cannot be read.
        SourceUnavailable: a remote source does not answer.
    """
    check_columns(options, COLUMNS)
    theirs = {ours: options.columns.get(ours, ours) for ours in COLUMNS}
    licence = canonical(options.licence) if options.licence else UNKNOWN_LICENCE
    table = open_table(options.path)

    def seed_of(row: Row) -> Seed:
        prompt, answer, expected = (text_of(row, subset, name, theirs[name], True) for name in COLUMNS[:3])
        number = text_of(row, subset, "id", theirs["id"], False) or row.place
        return Seed(
            seed_id=f"{table.origin}:{number}",
            subset=subset,
            text=prompt,
            title=number,
            topic=first_of(row.values.get(theirs["topic"])),
            context=f"The answer, which is wrong:\n{answer}\n\nWhat was expected:\n{expected}",
            libraries=options.libraries,
            source=Provenance(origin=table.origin, version=table.version, path=number, licence=licence),
        )

    return good_rows(subset, table, options, set(theirs.values()), seed_of)
