"""Every answered call on disk before anyone uses it: a SQLite file that processes and threads share."""

from __future__ import annotations

import sqlite3
import threading
import time
import zlib
from pathlib import Path

from tasks.errors import BadInput
from tasks.teachers.requests import Answer

_SCHEMA = "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID"
_BUSY_S = 60.0
"""How long to wait for another process that writes."""


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
        """Write-ahead logging and the table, both kept by the file.

        Of two processes that turn on write-ahead logging at once SQLite refuses one, without waiting for its timeout.
        """
        deadline = time.monotonic() + _BUSY_S
        while True:
            try:
                self._connection().execute("PRAGMA journal_mode=WAL")
                self._connection().execute(_SCHEMA)
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _connection(self) -> sqlite3.Connection:
        """One connection per thread, in autocommit: a put is on disk when it returns."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
            connection.execute("PRAGMA synchronous=NORMAL")
            self._local.connection = connection
        return connection

    def get(self, key: str) -> Answer | None:
        """The answer to a request, None where it was not answered yet."""
        row = self._connection().execute("SELECT body FROM answers WHERE key = ?", (key,)).fetchone()
        return Answer.model_validate_json(zlib.decompress(row[0])) if row else None

    def put(self, answer: Answer) -> None:
        """Store an answer; of two answers to the same request the first stays."""
        body = zlib.compress(answer.model_dump_json().encode("utf-8", "surrogatepass"))
        self._connection().execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (answer.response_id, body))

    def __len__(self) -> int:
        return int(self._connection().execute("SELECT count(*) FROM answers").fetchone()[0])
