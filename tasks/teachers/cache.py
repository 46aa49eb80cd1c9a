"""Every answered call on disk before anyone uses it, and what each run used: a SQLite file.

Processes and threads of one machine share it. A write is one transaction over all that is waiting to be written, and is
on disk, synced, when it returns.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BadInput
from tasks.teachers.requests import Answer, Vectors

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
CREATE TABLE IF NOT EXISTS batches (
    tag TEXT PRIMARY KEY, base_url TEXT, batch_id TEXT, keys BLOB, open INTEGER
) WITHOUT ROWID;
"""
_PUT_VECTOR = "INSERT OR IGNORE INTO vectors VALUES (?, ?)"
_BUSY_S = 60.0
"""How long to wait for another process that writes."""
_VARIABLES = 500
"""Keys per look-up; SQLite takes 999 variables in a statement at the least."""


@dataclass(frozen=True)
class Use:
    """What one request of a run took. ``paid`` (0 or 1): this run had it answered, it was not in the cache.

    ``usd`` is None where a price is not known; ``label`` is the request's.
    """

    run: str
    stage: str
    key: str
    label: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    paid: int
    estimated: int


@dataclass(frozen=True)
class Average:
    """Tokens per call, over so many calls."""

    calls: int
    prompt_tokens: float
    completion_tokens: float


@dataclass(frozen=True)
class Batch:
    """A batch that was handed to a server. ``batch_id`` is empty until the server's answer is known."""

    tag: str
    base_url: str
    batch_id: str
    keys: tuple[str, ...]


class ResponseCache:
    """Answers by request key. Failures are never stored.

    Args:
        path: a local file; made with its folder where it is missing.

    Raises:
        BadInput: the file cannot be made, or is no SQLite database.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._local = threading.local()
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._create()
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
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def get_many(self, keys: Sequence[str]) -> dict[str, Answer]:
        """The answers that are there, by key."""
        found: dict[str, Answer] = {}
        for start in range(0, len(keys), _VARIABLES):
            some = keys[start : start + _VARIABLES]
            marks = ",".join("?" * len(some))
            rows = self._connection().execute(f"SELECT key, body FROM answers WHERE key IN ({marks})", some)  # noqa: S608
            found |= {key: Answer.model_validate_json(zlib.decompress(body)) for key, body in rows}
        return found

    def put(self, *answers: Answer) -> None:
        """Store answers; of two answers to the same request the first stays."""
        self.record(answers, ())

    def vectors(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The packed vectors of texts that are there, by key."""
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _VARIABLES):
            some = keys[start : start + _VARIABLES]
            marks = ",".join("?" * len(some))
            found.update(self._connection().execute(f"SELECT key, body FROM vectors WHERE key IN ({marks})", some))  # noqa: S608
        return found

    def put_vectors(self, vectors: Mapping[bytes, bytes]) -> None:
        """Store packed vectors that were computed here; of two for the same text the first stays."""
        with self._transaction() as connection:
            connection.executemany(_PUT_VECTOR, vectors.items())

    def record(self, answers: Iterable[Answer | Vectors], uses: Iterable[Use]) -> None:
        """Store answers and what runs used, in one transaction.

        A use that is known of the run already is not counted again.
        """
        answers = list(answers)
        packed = [(one.response_id, _pack(one)) for one in answers if isinstance(one, Answer)]
        vectors = [item for one in answers if isinstance(one, Vectors) for item in one.vectors.items()]
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", packed)
            connection.executemany(_PUT_VECTOR, vectors)
            for use in uses:
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

    def spent(self, run: str) -> tuple[int, float]:
        """Tokens and USD that a run has paid for so far, as far as prices are known."""
        row = self._connection().execute("SELECT tokens, usd FROM spent WHERE run = ?", (run,)).fetchone()
        return (int(row[0]), float(row[1])) if row else (0, 0.0)

    def uses(self, run: str) -> list[Use]:
        """All that a run used."""
        names = ", ".join(Use.__dataclass_fields__)
        rows = self._connection().execute(f"SELECT {names} FROM usage WHERE run = ?", (run,))  # noqa: S608
        return [Use(*row) for row in rows]

    def averages(self, model: str) -> dict[str, Average]:
        """What a call of a model took on average, by stage, over all runs."""
        rows = self._connection().execute(
            "SELECT stage, count(*), avg(prompt_tokens), avg(completion_tokens) FROM usage "
            "WHERE model = ? AND NOT estimated GROUP BY stage",
            (model,),
        )
        return {stage: Average(*numbers) for stage, *numbers in rows}

    def put_batch(self, batch: Batch) -> None:
        """Remember a batch, or what became known of it."""
        keys = zlib.compress("\n".join(batch.keys).encode())
        row = (batch.tag, batch.base_url, batch.batch_id, keys)
        self._connection().execute("INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?, 1)", row)

    def settle_batch(self, tag: str, keys: Iterable[str]) -> None:
        """Requests of a batch whose fate is known: no later run looks for them there. Without any left it is closed."""
        with self._transaction() as connection:
            row = connection.execute("SELECT keys FROM batches WHERE tag = ?", (tag,)).fetchone()
            if row is None:
                return
            settled = set(keys)
            left = [key for key in zlib.decompress(row[0]).decode().split("\n") if key not in settled]
            packed = zlib.compress("\n".join(left).encode())
            connection.execute("UPDATE batches SET keys = ?, open = ? WHERE tag = ?", (packed, bool(left), tag))

    def open_batches(self, base_url: str) -> list[Batch]:
        """Batches whose answers have not been taken over yet."""
        rows = self._connection().execute(
            "SELECT tag, base_url, batch_id, keys FROM batches WHERE open AND base_url = ?", (base_url,)
        )
        return [
            Batch(tag, url, batch_id, tuple(zlib.decompress(keys).decode().split("\n")))
            for tag, url, batch_id, keys in rows
        ]

    def __len__(self) -> int:
        return int(self._connection().execute("SELECT count(*) FROM answers").fetchone()[0])


def _pack(answer: Answer) -> bytes:
    return zlib.compress(answer.model_dump_json().encode("utf-8", "surrogatepass"))
