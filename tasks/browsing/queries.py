"""Results of queries, always fetched to their end: an unfinished one would hold on to its connection and snapshot."""

from __future__ import annotations

from typing import Any

import duckdb

Cursor = duckdb.DuckDBPyConnection


def fetch(cursor: Cursor, query: str, values: object = None) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    found: list[tuple[Any, ...]] = cursor.execute(query, values).fetchall()
    return found


def first(cursor: Cursor, query: str, values: object = None) -> tuple[Any, ...] | None:
    """The first row of a query; None where it has none."""
    found = fetch(cursor, query, values)
    return found[0] if found else None


def one(cursor: Cursor, query: str, values: object = None) -> tuple[Any, ...]:
    """The only row of a query."""
    (found,) = fetch(cursor, query, values)
    return found


def dicts(cursor: Cursor, query: str, values: object = None) -> list[dict[str, Any]]:
    """All rows of a query, by the names of its columns."""
    cursor.execute(query, values)
    names = [str(column[0]) for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
