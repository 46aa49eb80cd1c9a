"""Connections to a PostgreSQL database: few per process, renewed where they are lost, their password in no text."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tasks.errors import AnswersUnavailable, BadInput, StoreFull
from tasks.secret_block import secret
from tasks.settings.place import without_password

try:
    import psycopg
    from psycopg import errors
except ImportError as error:
    raise BadInput(
        f"answers in PostgreSQL need psycopg, which is not installed ({error}). Install it: "
        f"pip install 'kodforge[postgres]'"
    ) from error

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]
_BLOCK = "password_block"
_MOST = 4
"""Connections per process: a database takes about a hundred, and many processes share it."""
_AGAIN_S = 60.0
"""How long a lost database is waited for."""
_CONNECT_S = 10
_PASSING = (errors.DeadlockDetected, errors.SerializationFailure, errors.AdminShutdown, errors.CannotConnectNow)
_ALIVE: dict[str, Any] = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
"""A host that has vanished is noticed within half a minute."""
_databases: dict[str, Database] = {}
_lock = threading.Lock()


class Database:
    """A process's connections to one database. Any thread may use it. Get it by ``of``.

    Args:
        place: ``postgresql://user@host:port/database``. The password comes from ``PGPASSWORD`` or ``.pgpass``, or from
            the Prefect Secret block that ``?password_block=`` names.

    Raises:
        BadInput: the place holds a password, or cannot be read; the block does not exist.
    """

    def __init__(self, place: str) -> None:
        try:
            url = urlsplit(without_password(place))
        except ValueError as error:
            raise BadInput(f"the database of answers: {error}") from None
        options = dict(parse_qsl(url.query))
        block = options.pop(_BLOCK, "")
        self.place = place
        self._conninfo = urlunsplit(url._replace(query=urlencode(options)))
        self._password = str(secret(block, _BLOCK)) if block else None
        self._idle: list[Connection] = []
        self._free = threading.BoundedSemaphore(_MOST)

    @classmethod
    def of(cls, place: str) -> Database:
        """The process's connections to a place.

        Raises:
            BadInput: as the constructor.
        """
        with _lock:
            if place not in _databases:
                _databases[place] = cls(place)
            return _databases[place]

    def check(self) -> None:
        """Raises:
        BadInput: it cannot be reached, or lets nobody in.
        """
        try:
            with self._connection() as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise BadInput(
                f"the database of answers {self.place!r} cannot be used: {self._told(error)}. Is it running, is the "
                f"address right, and is the password in PGPASSWORD, .pgpass or a {_BLOCK}?"
            ) from None

    def transact(self, work: Callable[[Connection], T], patience_s: float | None = None) -> T:
        """Do work in one transaction. It is done again where the connection was lost, even after the commit.

        Args:
            work: to do it twice must be as good as once.
            patience_s: how long it is tried; None: a minute.

        Raises:
            AnswersUnavailable: the database was not to be had for so long.
            StoreFull: its disk is full.
        """
        patience_s = _AGAIN_S if patience_s is None else patience_s
        deadline, pause = time.monotonic() + patience_s, 0.05
        while True:
            try:
                with self._connection() as connection, connection.transaction():
                    return work(connection)
            except errors.DiskFull as error:
                raise StoreFull(
                    f"the disk of the database of answers {self.place!r} is full: {self._told(error)}. Make space "
                    f"there, then run the same command again: it goes on where it stopped"
                ) from None
            except (psycopg.OperationalError, psycopg.InterfaceError, *_PASSING) as error:
                if time.monotonic() > deadline:
                    raise AnswersUnavailable(
                        f"the database of answers {self.place!r} was not to be had for {patience_s:g} s: "
                        f"{self._told(error)}. What was stored is kept; run the same command when it is well"
                    ) from None
                time.sleep(pause)
                pause = min(2.0, 2 * pause)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        with self._free:
            connection = self._idle.pop() if self._idle else self._connect()
            try:
                yield connection
            finally:
                if connection.closed or connection.broken:
                    self._drop_idle()
                else:
                    self._idle.append(connection)

    def _drop_idle(self) -> None:
        """Where one connection was lost, the others are most likely lost too."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> Connection:
        connection: Connection = psycopg.connect(
            self._conninfo,
            password=self._password,
            autocommit=True,
            connect_timeout=_CONNECT_S,
            application_name="kodforge",
            prepare_threshold=None,  # so that it works behind a pooler that hands out a connection per transaction
            **cast(Any, _ALIVE),
        )
        # A commit that returns is on disk, whatever is usual for this database.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        return connection

    def _told(self, error: Exception) -> str:
        text = " ".join(str(error).split()) or type(error).__name__
        return text.replace(self._password, "<password>") if self._password else text
