"""The file of an index: opened, made anew where it is broken, and removed where nobody needs it any more."""

from __future__ import annotations

import errno
import glob
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from tasks.errors import BadInput

MEMORY = "1GB"
"""What DuckDB may use before it puts things on disk."""
KEPT_DAYS = 30
"""After so many days without use an index is removed."""
_LOCKED = "Could not set lock"
_UNUSABLE = tuple(
    os.strerror(one)
    for one in (
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT),
        *(errno.ENOTDIR, errno.EEXIST),
    )
)
_OWN = re.compile(r"\.(\d+)\.duckdb")
"""Of a database that one process has for itself: its process id."""


@contextmanager
def usable(folder: Path, *kinds: type[Exception]) -> Iterator[None]:
    """Work on a database of a folder.

    Args:
        kinds: of errors that are about the folder.

    Raises:
        BadInput: the folder may not be written, or is full.
    """
    try:
        yield
    except kinds as error:
        why = _unusable(str(error).replace(str(folder), ""))
        if why is None:
            raise
        raise BadInput(
            f"the index of the run's rows is kept in {str(folder)!r}, which cannot be used: {why}. Mend that, or name "
            f"another folder for caches in the variable XDG_CACHE_HOME"
        ) from error


def _unusable(told: str) -> str | None:
    """What of an error's text says that its folder cannot be used, rather than that a file in it is broken."""
    return next((one for one in _UNUSABLE if one in told), None)


def opened(path: Path) -> tuple[duckdb.DuckDBPyConnection, Path]:
    """A database, and where it is: one of this process alone where another has that of the path.

    A broken one is made anew.

    Raises:
        duckdb.IOException: there is no permission or no space for it.
    """
    try:
        connection = _connect(path)
    except duckdb.IOException as error:
        told = str(error).replace(str(path), "")
        if _LOCKED in told:
            path = path.with_suffix(f".{os.getpid()}.duckdb")
        elif _unusable(told):
            raise
        else:
            discard(path)
        connection = _connect(path)
    shutil.rmtree(f"{path}.tmp", ignore_errors=True)  # of a process that was killed
    path.chmod(0o600)
    os.utime(path)
    return connection, path


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    """A database that reads no file but its own, and takes no extension from the network."""
    return duckdb.connect(
        str(path),
        config={
            "memory_limit": MEMORY,
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )


def is_own(path: Path) -> bool:
    """Whether a database is of this process alone."""
    owner = _OWN.search(path.name)
    return owner is not None and int(owner[1]) == os.getpid()


def discard(path: Path) -> None:
    """Remove a database, with what lies beside it."""
    for one in path.parent.glob(f"{glob.escape(path.name)}*"):
        _remove(one)


def remove_left_overs(folder: Path) -> None:
    """Remove databases that nobody has used for long, and those of processes that have ended."""
    for one in folder.glob("*.duckdb*"):
        with suppress(OSError):
            owner = _OWN.search(one.name)
            is_over = owner is not None and not os.path.exists(f"/proc/{owner[1]}")
            if is_over or one.stat().st_mtime < time.time() - KEPT_DAYS * 86_400:
                _remove(one)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


@contextmanager
def transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Change all of it or nothing."""
    cursor.execute("BEGIN TRANSACTION")
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor for one reader, to which the database stays as it was; temporary tables of the reader's go with it."""
    cursor = connection.cursor()
    try:
        cursor.execute("BEGIN TRANSACTION")
        yield cursor
    finally:
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        cursor.close()
