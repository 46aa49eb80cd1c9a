"""Method 2: a question in the style of one or several seed questions, of a published data set or a file of one's own.

A ``Format`` says what the columns of a published data set mean; ``SeedOptions.columns`` overrides it, ours to theirs.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tasks.errors import BadInput
from tasks.licences.expressions import UNKNOWN_LICENCE, canonical
from tasks.models import Provenance, Reject, RejectReason, Seed
from tasks.settings import SeedOptions
from tasks.sourcing.solutions import solution
from tasks.tables import EMBEDDED, Row, Table, open_table

COLUMNS = ("id", "title", "question", "topic", "licence", "solution")
"""Ours. ``question`` must be there; of the others those that the format names."""
_EXTRAS = ("topic", "licence", "solution")
"""Ours that are no plain text, and without which a file may still be of a format."""
_LONGEST_TITLE = 80


@dataclass(frozen=True)
class Format:
    """Columns of a published data set.

    Attributes:
        columns: ours to theirs; what is not named is not there.
        required: ours that each row must fill.
        further: their columns that follow the question, each under a heading.
        licence: SPDX expression of the data set.
    """

    columns: dict[str, str]
    required: tuple[str, ...] = ("question",)
    further: dict[str, str] = field(default_factory=dict)
    licence: str = UNKNOWN_LICENCE


FORMATS: dict[str, Format] = {
    "plain": Format(
        {
            "id": "id",
            "title": "title",
            "question": "question",
            "topic": "topic",
            "licence": "licence",
            "solution": "solution",
        },
        required=("id", "title", "question"),
    ),
    "leetcode": Format(
        {"id": "id", "title": "title", "question": "content", "topic": "difficulty", "solution": "python"}
    ),
    "codeforces": Format(
        {"id": "id", "title": "title", "question": "description", "topic": "tags"},
        further={"Input": "input_format", "Output": "output_format", "Examples": "examples", "Note": "note"},
        licence="CC-BY-4.0",
    ),
    "apps": Format(
        {"id": "problem_id", "question": "question", "topic": "difficulty", "solution": "solutions"}, licence="MIT"
    ),
    "taco": Format(
        {"title": "name", "question": "question", "topic": "tags", "solution": "solutions"},
        licence="Apache-2.0 AND MIT AND CC-BY-4.0",
    ),
    "code_contests": Format(
        {"id": "name", "title": "name", "question": "description", "topic": "cf_tags", "solution": "solutions"},
        licence="CC-BY-4.0",
    ),
    "package_instruct": Format({"id": "seq_id", "question": "instruction", "solution": "output"}, licence="MIT"),
    "evol_instruct": Format(
        {"question": "instruction", "licence": "licence", "solution": "output"}, licence="Apache-2.0"
    ),
}


def check_columns(options: SeedOptions, known: tuple[str, ...]) -> None:
    """Raises:
    BadInput: the mapping names a column that is none of ours.
    """
    if unknown := set(options.columns) - set(known):
        raise BadInput(f"columns maps {', '.join(sorted(unknown))}; only {', '.join(known)} can be mapped")


def text_of(row: Row, subset: str, ours: str, column: str, required: bool) -> str:
    """The text of their column for one of ours, stripped; empty where it is missing and need not be there.

    Raises:
        BadInput: it must be there and is not, or it is no text (names row and column).
    """
    hint = f"Map it, as in --set subsets.{subset}.seeds.columns.{ours}=THEIR_NAME"
    if column not in row.values:
        if not required:
            return ""
        raise row.wrong(column, f"is missing (there are {', '.join(map(str, row.columns))}). {hint}")
    value = row.values[column]
    if _is_missing(value):
        value = ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise row.wrong(column, f"must be text, got {type(value).__name__}. {hint}")
    text = str(value).strip()
    if not _is_unicode(text):
        raise row.wrong(column, "holds half of a surrogate pair, which is no text. Mend or drop the row")
    if required and not text:
        raise row.wrong(column, "is empty. Fill it, drop the row, or set seeds.on_bad_row=skip")
    return text


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def first_of(value: Any) -> str:
    """The first of several tags, which may be a list or the text of one."""
    if isinstance(value, str) and value.startswith("["):
        with suppress(ValueError, SyntaxError):
            value = ast.literal_eval(value)
    if isinstance(value, list):
        value = value[0] if value else None
    return "" if _is_missing(value) else str(value).encode(errors="replace").decode()


def _examples(value: Any) -> str:
    """Examples as text: a text, or a list of {input, output}."""
    if not isinstance(value, list):
        return "" if value is None else str(value).strip()
    parts = [
        f"Input:\n{one.get('input', '')}\nOutput:\n{one.get('output', '')}" for one in value if isinstance(one, dict)
    ]
    return "\n\n".join(parts)


def _licence(row: Row, column: str, told: Any) -> str:
    try:
        return canonical(str(told))
    except BadInput as error:
        raise row.wrong(column, f"is no SPDX expression: {told!r}. Give one such as MIT, or none") from error


def good_rows(
    subset: str, table: Table, options: SeedOptions, columns: Collection[str], seed_of: Callable[[Row], Seed]
) -> Iterator[Seed | Reject]:
    """A seed per row of a table; of a bad one a reject, where ``options.on_bad_row`` is to skip it.

    Raises:
        BadInput: a row is bad and not to be skipped.
    """
    for row in table.rows(columns):
        try:
            if row.problem:
                raise row.problem
            yield seed_of(row)
        except BadInput as error:
            if options.on_bad_row == "stop":
                raise
            name = f"{table.origin}:row {row.place}"
            yield Reject(id=name, subset=subset, reason=RejectReason.INVALID_SEED, evidence=str(error))


def _fitting(table: Table, options: SeedOptions, usual: str) -> Format:
    """The format of a file: the one that was named; else the subset's usual one where the file has its columns; else
    the plain one."""
    if options.format:
        if options.format not in FORMATS:
            raise BadInput(
                f"seeds format {options.format!r} is not known. Choose one of {', '.join(FORMATS)}, or map the columns"
            )
        return FORMATS[options.format]
    columns = {theirs for ours, theirs in FORMATS[usual].columns.items() if ours not in _EXTRAS}
    mapped = set(options.columns) - {"solution"}
    first = next(table.rows(columns), None)
    fits = first is not None and not mapped and columns <= set(first.columns)
    return FORMATS[usual if fits else "plain"]


def read_seeds(subset: str, options: SeedOptions, usual: str = "plain") -> Iterator[Seed | Reject]:
    """One seed per row.

    Args:
        usual: the format of the published data set of this subset.

    Raises:
        BadInput: a column or value is missing (names row and column), the format is unknown, the file cannot be read.
        SourceUnavailable: a remote source does not answer.
    """
    if options.packages:
        raise BadInput(f"subset {subset} reads a file of seed questions, not packages. Give `path`")
    check_columns(options, COLUMNS)
    table = open_table(options.path)
    found = _fitting(table, options, usual)
    theirs = {**found.columns, **options.columns}
    licence = canonical(options.licence) if options.licence else found.licence
    if options.path.startswith(EMBEDDED):
        licence = "Apache-2.0"

    def seed_of(row: Row) -> Seed:
        values = {
            ours: text_of(row, subset, ours, column, ours in found.required)
            for ours, column in theirs.items()
            if ours not in _EXTRAS
        }
        text = values["question"]
        if "question" not in options.columns:
            for heading, column in found.further.items():
                if part := _examples(row.values.get(column)):
                    text += f"\n\n{heading}\n{part}"
        number = values.get("id") or row.place
        title = values.get("title") or text.partition("\n")[0][:_LONGEST_TITLE]
        own = licence
        if theirs.get("licence", "") in row.values:
            told = row.values[theirs["licence"]]
            own = UNKNOWN_LICENCE if _is_missing(told) or told == "" else _licence(row, theirs["licence"], told)
        return Seed(
            seed_id=f"{table.origin}:{number}",
            subset=subset,
            text=text,
            title=title,
            topic=first_of(row.values.get(theirs.get("topic", ""))),
            libraries=options.libraries,
            reference=solution(row.values.get(theirs.get("solution", ""))),
            source=Provenance(origin=table.origin, version=table.version, path=number, licence=own),
        )

    return good_rows(subset, table, options, {*theirs.values(), *found.further.values()}, seed_of)
