"""The cache of answers as a PostgreSQL database, for the processes of any number of machines.

Its tables are in a schema of their own, so that it can be the database that Prefect has already.
"""

from __future__ import annotations

import atexit
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import psycopg

from tasks.errors import AnswersUnavailable, BadInput
from tasks.teachers.cache import (
    PAGE,
    SUMS,
    Average,
    Batch,
    Fault,
    Page,
    ResponseCache,
    Sum,
    Use,
    pack_keys,
    sum_of,
    unpack_keys,
)
from tasks.teachers.postgres import Connection, Database

_MAKING = 0x6B6F64666F726765
"""The advisory lock that whoever makes the tables holds."""
_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS kodforge;
CREATE TABLE IF NOT EXISTS kodforge.answers (key text PRIMARY KEY, body bytea NOT NULL);
CREATE TABLE IF NOT EXISTS kodforge.vectors (key bytea PRIMARY KEY, body bytea NOT NULL);
CREATE TABLE IF NOT EXISTS kodforge.usage (
    run text, stage text, key text, label text NOT NULL, model text NOT NULL, prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL, usd double precision, paid smallint NOT NULL, estimated smallint NOT NULL,
    PRIMARY KEY (run, stage, key)
);
CREATE TABLE IF NOT EXISTS kodforge.spent (
    run text, part integer, tokens bigint NOT NULL, usd double precision NOT NULL, PRIMARY KEY (run, part)
);
CREATE TABLE IF NOT EXISTS kodforge.faults (
    run text, stage text, kind text, count bigint NOT NULL, PRIMARY KEY (run, stage, kind)
);
CREATE TABLE IF NOT EXISTS kodforge.batches (
    tag text PRIMARY KEY, base_url text NOT NULL, batch_id text NOT NULL, keys bytea NOT NULL, open boolean NOT NULL
);
CREATE TABLE IF NOT EXISTS kodforge.holders (holder text PRIMARY KEY, until timestamptz NOT NULL);
CREATE UNLOGGED TABLE IF NOT EXISTS kodforge.claims (key text PRIMARY KEY, holder text NOT NULL);
"""
# Bodies are packed already: PostgreSQL need not try it again.
_STORAGE = """
ALTER TABLE kodforge.answers ALTER body SET STORAGE EXTERNAL;
ALTER TABLE kodforge.vectors ALTER body SET STORAGE EXTERNAL;
ALTER TABLE kodforge.batches ALTER keys SET STORAGE EXTERNAL;
"""
# Sums are kept in parts, so that processes that pay at the same time do not wait for one another's commit.
_USES = """
WITH added AS (
    INSERT INTO kodforge.usage
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[],
                         %s::float8[], %s::smallint[], %s::smallint[])
    ON CONFLICT DO NOTHING
    RETURNING run, paid, prompt_tokens + completion_tokens AS tokens, usd
)
INSERT INTO kodforge.spent
SELECT run, pg_backend_pid() %% 64, sum(tokens), coalesce(sum(usd), 0) FROM added WHERE paid = 1 GROUP BY run
ON CONFLICT (run, part) DO UPDATE SET tokens = spent.tokens + excluded.tokens, usd = spent.usd + excluded.usd
"""
_FAULTS = """
INSERT INTO kodforge.faults SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])
ON CONFLICT (run, stage, kind) DO UPDATE SET count = faults.count + excluded.count
"""
_CLAIM = """
INSERT INTO kodforge.claims AS held SELECT key, %s FROM unnest(%s::text[]) AS key
ON CONFLICT (key) DO UPDATE SET holder = excluded.holder
WHERE held.holder = excluded.holder
   OR NOT EXISTS (SELECT FROM kodforge.holders WHERE holders.holder = held.holder AND until > now())
RETURNING key
"""
_FIELDS = tuple(Use.__dataclass_fields__)
_USE = ", ".join(_FIELDS)
LEASE_S = 30
"""After so long without a sign of life a process's claims are free."""
_RENEW_S = 10


class PostgresCache(ResponseCache):
    """Answers in a database.

    Args:
        path: ``postgresql://user@host/database``, as ``Database`` takes it.

    Raises:
        BadInput: the tables cannot be made; or as ``Database``.
        AnswersUnavailable: it cannot be reached.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._database = Database.of(path)
        try:
            self._database.transact(_create)
        except psycopg.Error as error:
            raise BadInput(
                f"the tables of answers cannot be made in {path!r}: {str(error).strip()}. Let the user make a schema "
                f"(GRANT CREATE ON DATABASE …), or run `kodforge usage` once as one who may"
            ) from error
        self._holder = _holder(self._database)

    def packed(self, keys: Sequence[str]) -> dict[str, bytes]:
        query = "SELECT key, body FROM kodforge.answers WHERE key = ANY(%s)"
        return {key: bytes(body) for key, body in self._rows(query, list(keys))}

    def vectors(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        query = "SELECT key, body FROM kodforge.vectors WHERE key = ANY(%s)"
        return {bytes(key): bytes(body) for key, body in self._rows(query, list(keys))}

    def store(self, page: Page) -> None:
        # In order of their keys: two processes that store the same ones never wait for each other in a circle.
        answers, vectors = sorted(page.answers), sorted(page.vectors)
        uses = sorted(page.uses, key=lambda use: (use.run, use.stage, use.key))
        batches = [(one.tag, one.base_url, one.batch_id, pack_keys(one.keys)) for one in page.batches]
        faults = sorted((one.run, one.stage, one.kind, one.count) for one in page.faults)

        def work(connection: Connection) -> None:
            for table, kind, rows in (("answers", "text", answers), ("vectors", "bytea", vectors)):
                if rows:
                    connection.execute(
                        f"INSERT INTO kodforge.{table} SELECT * FROM unnest(%s::{kind}[], %s::bytea[]) "  # noqa: S608
                        f"ON CONFLICT DO NOTHING",
                        ([key for key, _ in rows], [body for _, body in rows]),
                    )
            if uses:
                connection.execute(_USES, [[getattr(use, name) for use in uses] for name in _FIELDS])
            if faults:  # twice where a connection is lost after the commit: they are told, nobody pays by them
                connection.execute(_FAULTS, [list(column) for column in zip(*faults, strict=True)])
            for batch in batches:
                connection.execute(
                    "INSERT INTO kodforge.batches VALUES (%s, %s, %s, %s, true) ON CONFLICT DO NOTHING", batch
                )
            if paid := sorted(use.key for use in uses if use.paid):
                self._holder.forget(connection, paid)

        self._database.transact(work)

    def claim(self, keys: Sequence[str]) -> set[str]:
        return self._holder.claim(keys)

    def release(self, keys: Iterable[str]) -> None:
        if some := sorted(keys):
            self._database.transact(lambda connection: self._holder.forget(connection, some))

    def spent(self, run: str) -> tuple[int, float]:
        query = "SELECT coalesce(sum(tokens), 0), coalesce(sum(usd), 0) FROM kodforge.spent WHERE run = %s"
        ((tokens, usd),) = self._rows(query, run)
        return int(tokens), float(usd)

    def uses(self, run: str) -> list[Use]:
        return [Use(*row) for row in self._rows(f"SELECT {_USE} FROM kodforge.usage WHERE run = %s", run)]  # noqa: S608

    def sums(self, run: str) -> list[Sum]:
        query = f"{SUMS} FROM kodforge.usage WHERE run = %s GROUP BY stage, label ORDER BY stage, label"
        return [sum_of(row) for row in self._rows(query, run)]

    def faults(self, run: str) -> list[Fault]:
        query = "SELECT run, stage, kind, count FROM kodforge.faults WHERE run = %s ORDER BY count DESC, stage, kind"
        return [Fault(*row) for row in self._rows(query, run)]

    def averages(self, model: str) -> dict[str, Average]:
        rows = self._rows(
            "SELECT stage, count(*), avg(prompt_tokens)::float8, avg(completion_tokens)::float8 FROM kodforge.usage "
            "WHERE model = %s AND estimated = 0 GROUP BY stage",
            model,
        )
        return {stage: Average(*numbers) for stage, *numbers in rows}

    def put_batch(self, batch: Batch) -> None:
        row = (batch.tag, batch.base_url, batch.batch_id, pack_keys(batch.keys))
        self._database.transact(
            lambda connection: connection.execute(
                "INSERT INTO kodforge.batches VALUES (%s, %s, %s, %s, true) ON CONFLICT (tag) DO UPDATE SET "
                "base_url = excluded.base_url, batch_id = excluded.batch_id, keys = excluded.keys, open = true",
                row,
            )
        )

    def settle_batch(self, tag: str, keys: Iterable[str]) -> None:
        settled = set(keys)

        def work(connection: Connection) -> None:
            query = "SELECT keys FROM kodforge.batches WHERE tag = %s FOR UPDATE"
            row = connection.execute(query, (tag,)).fetchone()
            if row is None:
                return
            left = [key for key in unpack_keys(row[0]) if key not in settled]
            connection.execute(
                "UPDATE kodforge.batches SET keys = %s, open = %s WHERE tag = %s", (pack_keys(left), bool(left), tag)
            )

        self._database.transact(work)

    def open_batches(self, base_url: str | None) -> list[Batch]:
        query = "SELECT tag, base_url, batch_id, keys FROM kodforge.batches WHERE open"
        rows = self._rows(f"{query} AND base_url = coalesce(%s, base_url)", base_url)
        return [Batch(tag, url, batch_id, unpack_keys(keys)) for tag, url, batch_id, keys in rows]

    def pages(self) -> Iterator[Page]:
        answers: list[tuple[str, bytes]] = []
        query = "SELECT key, body FROM kodforge.answers WHERE key > %s ORDER BY key LIMIT %s"
        while answers := self._rows(query, answers[-1][0] if answers else "", PAGE):
            yield Page(answers=answers)
        vectors: list[tuple[bytes, bytes]] = []
        query = "SELECT key, body FROM kodforge.vectors WHERE key > %s ORDER BY key LIMIT %s"
        while vectors := self._rows(query, vectors[-1][0] if vectors else b"", PAGE):
            yield Page(vectors=vectors)
        query = f"SELECT {_USE} FROM kodforge.usage WHERE (run, stage, key) > (%s, %s, %s) "  # noqa: S608
        query += "ORDER BY run, stage, key LIMIT %s"
        last = ("", "", "")
        while uses := [Use(*row) for row in self._rows(query, *last, PAGE)]:
            yield Page(uses=uses)
            last = (uses[-1].run, uses[-1].stage, uses[-1].key)
        yield Page(batches=self.open_batches(None))

    def __len__(self) -> int:
        return int(self._rows("SELECT count(*) FROM kodforge.answers")[0][0])

    def _rows(self, query: str, *values: Any) -> list[Any]:
        return self._database.transact(lambda connection: connection.execute(query, values).fetchall())


class _Holder:
    """This process among those that share a database: it holds claims for as long as it gives signs of life."""

    def __init__(self, database: Database) -> None:
        self._database, self._name = database, uuid.uuid4().hex
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._renewing: threading.Thread | None = None

    def claim(self, keys: Sequence[str]) -> set[str]:
        """Those that this process holds now."""
        if not keys:
            return set()
        self._begin()
        wanted = sorted(set(keys))
        rows = self._database.transact(lambda connection: connection.execute(_CLAIM, (self._name, wanted)).fetchall())
        return {row[0] for row in rows}

    def forget(self, connection: Connection, keys: Sequence[str]) -> None:
        """Give up claims, within a transaction."""
        connection.execute("DELETE FROM kodforge.claims WHERE key = ANY(%s) AND holder = %s", (keys, self._name))

    def _begin(self) -> None:
        with self._lock:
            if self._renewing is None:
                self._renew()
                self._database.transact(_forget_the_gone)
                self._renewing = threading.Thread(target=self._keep, daemon=True, name="claims")
                self._renewing.start()
                atexit.register(self._end)

    def _keep(self) -> None:
        while not self._ended.wait(_RENEW_S):
            with suppress(AnswersUnavailable):  # whoever stores an answer is told
                self._renew()

    def _renew(self) -> None:
        def work(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO kodforge.holders VALUES (%s, now() + make_interval(secs => %s)) "
                "ON CONFLICT (holder) DO UPDATE SET until = excluded.until",
                (self._name, LEASE_S),
            )

        self._database.transact(work)

    def _end(self) -> None:
        self._ended.set()

        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM kodforge.holders WHERE holder = %s", (self._name,))
            _forget_the_gone(connection)

        with suppress(Exception):  # as the process ends; its claims are free in half a minute in any case
            self._database.transact(work, patience_s=0)


@cache
def _holder(database: Database) -> _Holder:
    """This process among those that share a database; its caches there are one holder."""
    return _Holder(database)


def _create(connection: Connection) -> None:
    """The tables, made by one process at a time; a role that may not make any can use those that are there."""
    row = connection.execute("SELECT to_regclass('kodforge.claims'), to_regclass('kodforge.faults')").fetchone()
    if row and all(row):
        return
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_MAKING,))
    connection.execute(_SCHEMA)
    connection.execute(_STORAGE)


def _forget_the_gone(connection: Connection) -> None:
    """Remove claims of processes that have ended."""
    connection.execute("DELETE FROM kodforge.holders WHERE until < now()")
    connection.execute(
        "DELETE FROM kodforge.claims WHERE NOT EXISTS "
        "(SELECT FROM kodforge.holders WHERE holders.holder = claims.holder AND until > now())"
    )
