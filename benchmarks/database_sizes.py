"""How large the tables of Prefect's database are."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import psycopg

from tests.engines.database import PASSWORD, Postgres

TABLES = {
    "events": ("events", "event_resources"),
    "task runs and their states": ("task_run", "task_run_state"),
    "logs": ("log",),
}


def sqlite_bytes(home: Path) -> Counter[str]:
    """Bytes of each table, its indexes included."""
    with sqlite3.connect(f"file:{home / 'prefect.db'}?mode=ro", uri=True) as database:
        sizes = database.execute(
            "select m.tbl_name, sum(s.pgsize) from dbstat s join sqlite_master m on m.name = s.name group by 1"
        )
        return Counter(dict(sizes.fetchall()))


def postgres_bytes(postgres: Postgres, database: str) -> Counter[str]:
    """The same of PostgreSQL."""
    with psycopg.connect(postgres.url(database), password=PASSWORD) as connection:
        sizes = connection.execute(
            "select relname, pg_total_relation_size(oid) from pg_class "
            "where relkind = 'r' and relnamespace = 'public'::regnamespace"
        )
        return Counter({name: int(size) for name, size in sizes.fetchall()})


def grouped(sizes: Counter[str]) -> dict[str, float]:
    """Bytes by what they are for.

    Raises:
        KeyError: a table is not there.
    """
    if missing := {table for tables in TABLES.values() for table in tables} - set(sizes):
        raise KeyError(f"Prefect's database has no {', '.join(sorted(missing))}")
    known = {part: float(sum(sizes[table] for table in tables)) for part, tables in TABLES.items()}
    return {**known, "all else": float(sum(sizes.values())) - sum(known.values())}
