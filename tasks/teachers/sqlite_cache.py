"""The cache of answers as a SQLite file, for the processes and threads of one machine."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.errors import BadInput
from tasks.filesystems import local_space
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
from tasks.teachers.claims import FileClaims

# Answers stay in the order in which they came, keys in an index: rows as long as these, sorted by a hash, would leave
# half of each page empty.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS usage (
    run TEXT, stage TEXT, key TEXT, label TEXT, model TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
    usd REAL, paid INTEGER, estimated INTEGER, PRIMARY KEY (run, stage, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (run TEXT PRIMARY KEY, tokens INTEGER, usd REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS faults (
    run TEXT, stage TEXT, kind TEXT, count INTEGER, PRIMARY KEY (run, stage, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    tag TEXT PRIMARY KEY, base_url TEXT, batch_id TEXT, keys BLOB, open INTEGER
) WITHOUT ROWID;
"""
_USE = ", ".join(Use.__dataclass_fields__)
_BUSY_S = 60.0
"""How long to wait for another process that writes."""
_VARIABLES = 500
"""Keys per look-up; SQLite takes 999 variables in a statement at the least."""


class SqliteCache(ResponseCache):
    """Answers in a local file.

    Args:
        path: made with its folder where it is missing.

    Raises:
        BadInput: the file cannot be made, or is no SQLite database.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._local = threading.local()
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._create()
            self._claims = FileClaims.of(path)
        except (OSError, sqlite3.Error) as error:
            raise BadInput(
                f"the cache of answers {path!r} cannot be used: {error}. Give another: --set cache=FILE"
            ) from error

    def _create(self) -> None:
        """Write-ahead logging and the tables, both kept by the file.

        Of two processes that turn on write-ahead logging at once SQLite refuses one, without waiting for its timeout.
        """
        deadline = time.monotonic() + _BUSY_S
        while True:
            try:
                self._connection().execute("PRAGMA journal_mode=WAL")
                self._connection().executescript(_SCHEMA)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _connection(self) -> sqlite3.Connection:
        """One connection per thread, in autocommit, synced at each commit."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
            connection.execute("PRAGMA synchronous=FULL")
            self._local.connection = connection
        return connection

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection()
        with local_space(self.path):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk may have ended it
                    connection.execute("ROLLBACK")
                raise

    def _among(self, table: str, keys: Sequence[Any]) -> Iterator[tuple[Any, bytes]]:
        for start in range(0, len(keys), _VARIABLES):
            some = keys[start : start + _VARIABLES]
            marks = ",".join("?" * len(some))
            yield from self._connection().execute(f"SELECT key, body FROM {table} WHERE key IN ({marks})", some)  # noqa: S608

    def packed(self, keys: Sequence[str]) -> dict[str, bytes]:
        return dict(self._among("answers", keys))

    def vectors(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        return dict(self._among("vectors", keys))

    def store(self, page: Page) -> None:
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", page.answers)
            connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", page.vectors)
            for use in page.uses:
                row = (
                    *(use.run, use.stage, use.key, use.label, use.model, use.prompt_tokens, use.completion_tokens),
                    *(use.usd, use.paid, use.estimated),
                )
                added = connection.execute("INSERT OR IGNORE INTO usage VALUES (?,?,?,?,?,?,?,?,?,?)", row).rowcount
                if added and use.paid:
                    connection.execute(
                        "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (run) DO UPDATE SET "
                        "tokens = tokens + excluded.tokens, usd = usd + excluded.usd",
                        (use.run, use.prompt_tokens + use.completion_tokens, use.usd or 0.0),
                    )
            rows = [(one.tag, one.base_url, one.batch_id, pack_keys(one.keys)) for one in page.batches]
            connection.executemany("INSERT OR IGNORE INTO batches VALUES (?, ?, ?, ?, 1)", rows)
            connection.executemany(
                "INSERT INTO faults VALUES (?, ?, ?, ?) ON CONFLICT (run, stage, kind) DO UPDATE SET "
                "count = count + excluded.count",
                [(one.run, one.stage, one.kind, one.count) for one in page.faults],
            )
        self.release(use.key for use in page.uses if use.paid)

    def claim(self, keys: Sequence[str]) -> set[str]:
        return self._claims.claim(keys)

    def release(self, keys: Iterable[str]) -> None:
        self._claims.release(keys)

    def spent(self, run: str) -> tuple[int, float]:
        row = self._connection().execute("SELECT tokens, usd FROM spent WHERE run = ?", (run,)).fetchone()
        return (int(row[0]), float(row[1])) if row else (0, 0.0)

    def uses(self, run: str) -> list[Use]:
        rows = self._connection().execute(f"SELECT {_USE} FROM usage WHERE run = ?", (run,))  # noqa: S608
        return [Use(*row) for row in rows]

    def sums(self, run: str) -> list[Sum]:
        query = f"{SUMS} FROM usage WHERE run = ? GROUP BY stage, label ORDER BY stage, label"
        return [sum_of(row) for row in self._connection().execute(query, (run,))]

    def faults(self, run: str) -> list[Fault]:
        query = "SELECT run, stage, kind, count FROM faults WHERE run = ? ORDER BY count DESC, stage, kind"
        return [Fault(*row) for row in self._connection().execute(query, (run,))]

    def averages(self, model: str) -> dict[str, Average]:
        rows = self._connection().execute(
            "SELECT stage, count(*), avg(prompt_tokens), avg(completion_tokens) FROM usage "
            "WHERE model = ? AND NOT estimated GROUP BY stage",
            (model,),
        )
        return {stage: Average(*numbers) for stage, *numbers in rows}

    def put_batch(self, batch: Batch) -> None:
        row = (batch.tag, batch.base_url, batch.batch_id, pack_keys(batch.keys))
        self._connection().execute("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, 1)", row)

    def settle_batch(self, tag: str, keys: Iterable[str]) -> None:
        with self._transaction() as connection:
            row = connection.execute("SELECT keys FROM batches WHERE tag = ?", (tag,)).fetchone()
            if row is None:
                return
            settled = set(keys)
            left = [key for key in unpack_keys(row[0]) if key not in settled]
            connection.execute(
                "UPDATE batches SET keys = ?, open = ? WHERE tag = ?", (pack_keys(left), bool(left), tag)
            )

    def open_batches(self, base_url: str | None) -> list[Batch]:
        rows = self._connection().execute(
            "SELECT tag, base_url, batch_id, keys FROM batches WHERE open AND base_url = coalesce(?, base_url)",
            (base_url,),
        )
        return [Batch(tag, url, batch_id, unpack_keys(keys)) for tag, url, batch_id, keys in rows]

    def pages(self) -> Iterator[Page]:
        for rows in self._rows("answers"):
            yield Page(answers=rows)
        for rows in self._rows("vectors"):
            yield Page(vectors=rows)
        last = ("", "", "")
        while uses := self._uses_after(last):
            yield Page(uses=uses)
            last = (uses[-1].run, uses[-1].stage, uses[-1].key)
        yield Page(batches=self.open_batches(None))

    def _rows(self, table: str) -> Iterator[list[tuple[Any, bytes]]]:
        """The rows of a table in the order in which they lie in the file."""
        last = -1
        query = f"SELECT rowid, key, body FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT ?"  # noqa: S608
        while rows := self._connection().execute(query, (last, PAGE)).fetchall():
            yield [(key, body) for _, key, body in rows]
            last = rows[-1][0]

    def _uses_after(self, place: tuple[str, str, str]) -> list[Use]:
        query = f"SELECT {_USE} FROM usage WHERE (run, stage, key) > (?, ?, ?) ORDER BY run, stage, key LIMIT ?"  # noqa: S608
        return [Use(*row) for row in self._connection().execute(query, (*place, PAGE))]

    def __len__(self) -> int:
        return int(self._connection().execute("SELECT count(*) FROM answers").fetchone()[0])
