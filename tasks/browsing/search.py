"""Filters over a run's rows: which rows, how many of which kind, a page at a time.

Names in the queries are those of this module; what a reader gives is handed over as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.browsing.queries import Cursor, dicts, fetch, first, one
from tasks.browsing.words import find, id_of, left_out, terms_of
from tasks.errors import BadInput
from tasks.reviews import Reviews

FACETS = ("fate", "subset", "difficulty", "verdict", "quality", "style", "reason", "review")
"""What rows are counted by, and chosen by ticking values."""
UNDECIDED = "none"
"""As a value of ``review``: nobody has decided."""
PAGE = 50
MOST_VALUES = 200
"""Values of a facet that are shown, the commonest ones."""
_SORTS = {
    "id": "''",
    "hardest": "coalesce(pass_rate, 2.0)",
    "weakest": "coalesce(mutation, 2.0)",
    "duplicates": "-duplicates",
}
_LISTED = (
    *("id", "subset", "style", "fate", "stage", "reason", "verdict", "difficulty", "quality", "pass_rate"),
    *("mutation", "branch", "tests", "duplicates", "why", "title", "review", "passes", "tries"),
)


class Filters(BaseModel):
    """What a reader asks for; of a facet any of the values, of different facets all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    q: str = Field("", max_length=2000)
    fate: tuple[str, ...] = ()
    subset: tuple[str, ...] = ()
    difficulty: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    style: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    review: tuple[str, ...] = ()
    mutation_below: float | None = Field(None, ge=0, le=1)
    branch_below: float | None = Field(None, ge=0, le=1)
    sort: Literal["id", "hardest", "weakest", "duplicates"] = "id"
    after: str = Field("", max_length=20_000, description="Key of the last row of the page before.")

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Filters:
        """The filters of a query string. What is empty asks for nothing.

        Raises:
            BadInput: there is no such filter, or its value is none (says which).
        """
        values: dict[str, Any] = {}
        for name, value in pairs:
            if name in FACETS:
                values.setdefault(name, []).append(value)
            elif value:
                values[name] = value
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            where = ".".join(map(str, found["loc"]))
            raise BadInput(
                f"filter {where!r}: {found['msg']}, got {str(found['input'])[:100]!r}. Leave it out"
            ) from error

    def pairs(self, **changes: Any) -> list[tuple[str, str]]:
        """As a query string has them, without what is empty."""
        found = []
        for name, value in {**self.model_dump(), **changes}.items():
            if isinstance(value, tuple):
                found += [(name, one) for one in value]
            elif value not in (None, "") and (name, value) != ("sort", "id"):
                found.append((name, f"{value:g}" if isinstance(value, float) else str(value)))
        return found

    @property
    def ticked(self) -> dict[str, tuple[str, ...]]:
        """The values of each facet that are asked for."""
        return {name: values for name in FACETS if (values := getattr(self, name))}


@dataclass(frozen=True)
class Found:
    """A page of rows.

    Attributes:
        total: rows that fit, on all pages.
        rows: those of this page, by column.
        facets: of each, how many rows have which value, if nothing were chosen of it.
        after: the key of the next page; empty on the last one.
        before: that of the page before, which is empty for the first one; None where this is the first.
        left_out: what of the search field was not looked for, in words.
    """

    total: int
    rows: list[dict[str, Any]]
    facets: dict[str, list[tuple[str, int]]]
    after: str
    before: str | None
    left_out: str


@dataclass(frozen=True)
class Around:
    """Where a row stands in a list.

    Attributes:
        preceding: the id of the row before it; empty where it is the first.
        following: that of the row after it; empty where it is the last.
        after: the key of the page that it is on; empty for the first page.
    """

    preceding: str = ""
    following: str = ""
    after: str = ""


def search(cursor: Cursor, filters: Filters, reviews: Reviews) -> Found:
    """The rows that filters ask for."""
    rows = _chosen_rows(cursor, filters, reviews)
    condition, values = _condition(filters)
    (total,) = one(cursor, f"SELECT count(*) FROM {rows} WHERE {condition}", values)
    key = _SORTS[filters.sort]
    beyond, more = _beyond(filters, key)
    query = (
        f"SELECT {', '.join(_LISTED)}, {key} AS sorted_by FROM {rows} "
        f"WHERE {condition} AND {beyond} ORDER BY sorted_by, id LIMIT {PAGE + 1}"
    )
    listed = dicts(cursor, query, [*values, *more])
    shown = listed[:PAGE]
    after = _key(shown[-1]["sorted_by"], shown[-1]["id"]) if len(listed) > PAGE else ""
    before = None
    if filters.after:  # the last row of the page before: it and PAGE - 1 rows before it are that page
        earlier = preceding(cursor, rows, filters)
        before = earlier[PAGE - 1][1] if len(earlier) == PAGE else ""
    facets = {name: _count(cursor, filters, rows, name) for name in FACETS}
    return Found(total, shown, facets, after, before, left_out(filters.q))


def around(cursor: Cursor, filters: Filters, reviews: Reviews, row: Mapping[str, Any]) -> Around:
    """Where a row stands, in the order and under the filters of a list."""
    found = first(cursor, f"SELECT {_SORTS[filters.sort]} FROM rows WHERE id = ?", [row["id"]])
    if found is None:
        return Around()
    rows = _chosen_rows(cursor, filters, reviews)
    here = filters.model_copy(update={"after": _key(found[0], row["id"])})
    earlier = preceding(cursor, rows, here)
    on_page = _number_preceding(cursor, rows, here) % PAGE
    after = earlier[on_page][1] if on_page < len(earlier) else ""
    return Around(earlier[0][0] if earlier else "", following(cursor, rows, here), after)


def following(cursor: Cursor, rows: str, filters: Filters) -> str:
    """The id of the row after the one that ``filters.after`` names; empty where it is the last.

    Args:
        rows: what to select from.
    """
    condition, values = _condition(filters)
    key = _SORTS[filters.sort]
    beyond, more = _beyond(filters, key)
    query = f"SELECT id, {key} AS sorted_by FROM {rows} WHERE {condition} AND {beyond} ORDER BY sorted_by, id LIMIT 1"
    found = first(cursor, query, [*values, *more])
    return str(found[0]) if found else ""


def preceding(cursor: Cursor, rows: str, filters: Filters) -> list[tuple[str, str]]:
    """The rows before the one that ``filters.after`` names, the nearest first, as many as a page has: ids and keys.

    Args:
        rows: what to select from.
    """
    condition, values = _condition(filters)
    key = _SORTS[filters.sort]
    beyond, more = _beyond(filters, key, backwards=True)
    query = (
        f"SELECT id, {key} AS sorted_by FROM {rows} WHERE {condition} AND {beyond} "
        f"ORDER BY sorted_by DESC, id DESC LIMIT {PAGE}"
    )
    return [(str(name), _key(value, name)) for name, value in fetch(cursor, query, [*values, *more])]


def _number_preceding(cursor: Cursor, rows: str, filters: Filters) -> int:
    condition, values = _condition(filters)
    beyond, more = _beyond(filters, _SORTS[filters.sort], backwards=True)
    (number,) = one(cursor, f"SELECT count(*) FROM {rows} WHERE {condition} AND {beyond}", [*values, *more])
    return int(number)


def _key(sorted_by: object, row: str) -> str:
    """A row's place in a list, as ``Filters.after`` has it."""
    return f"{sorted_by}|{row}"


def _chosen_rows(cursor: Cursor, filters: Filters, reviews: Reviews) -> str:
    """What to select from: all rows, or those with the words that are asked for; with what was decided on them."""
    rows = "rows"
    terms = terms_of(filters.q)
    if find(cursor, terms):
        # By their ids: while what has changed is read, the texts of some rows are newer than the rows.
        cursor.execute(
            "CREATE OR REPLACE TEMP TABLE fitting AS SELECT n FROM rows "
            "SEMI JOIN (SELECT id FROM texts SEMI JOIN hits USING (n)) USING (id)"
        )
        if name := id_of(terms):
            cursor.execute(
                "INSERT INTO fitting SELECT n FROM rows "
                "WHERE starts_with(lower(id), lower($1)) OR starts_with($1, id || '/')",
                [name],
            )
        rows += " SEMI JOIN fitting USING (n)"
    if reviews:
        decisions = [review.decision.value for review in reviews.values()]
        ids = pa.array(list(reviews), pa.string())
        cursor.register("given", pa.table({"id": ids, "decision": pa.array(decisions, pa.string())}))
        cursor.execute("CREATE OR REPLACE TEMP TABLE decided AS SELECT * FROM given")
        cursor.unregister("given")
        rows += " LEFT JOIN decided USING (id)"
    return f"(SELECT *, {_review_of(reviews)} AS review FROM {rows})"


def _review_of(reviews: Reviews) -> str:
    return f"coalesce(decision, '{UNDECIDED}')" if reviews else f"'{UNDECIDED}'"


def _condition(filters: Filters, without: str = "") -> tuple[str, list[object]]:
    """The condition of all filters, and its values.

    Args:
        without: a facet to leave out.
    """
    conditions, values = ["true"], list[object]()
    for name, chosen in filters.ticked.items():
        if name == without:
            continue
        conditions.append(f"list_contains(?, {name})")
        values.append(list(chosen))
    for column in ("mutation", "branch"):
        bound = getattr(filters, f"{column}_below")
        if bound is not None:
            conditions.append(f"{column} < ?")
            values.append(bound)
    return " AND ".join(conditions), values


def _beyond(filters: Filters, key: str, backwards: bool = False) -> tuple[str, list[object]]:
    """The condition that a row comes after the one which ``filters.after`` names, or before it, and its values."""
    if not filters.after:
        return "true", []
    than = "<" if backwards else ">"
    value, _, row = filters.after.partition("|")
    if filters.sort == "id":
        return f"id {than} ?", [row]
    try:
        number = float(value)
    except ValueError:
        raise BadInput(f"filter 'after': {filters.after[:100]!r} is no place in the list. Leave it out") from None
    return f"({key} {than} ? OR ({key} = ? AND id {than} ?))", [number, number, row]


def _count(cursor: Cursor, filters: Filters, rows: str, facet: str) -> list[tuple[str, int]]:
    condition, values = _condition(filters, without=facet)
    query = (
        f"SELECT {facet} AS value, count(*) AS rows FROM {rows} WHERE {condition} GROUP BY 1 "
        f"ORDER BY rows DESC, value LIMIT {MOST_VALUES}"
    )
    counted = {str(name): int(count) for name, count in fetch(cursor, query, values) if name != ""}
    # What is chosen stays where it can be unchosen.
    return [*counted.items(), *((name, 0) for name in getattr(filters, facet) if name not in counted)]
