"""Folders on local disk for what is too large for memory; those of processes that were killed are removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.filesystems import local_space

_PREFIX = "kodforge-scratch-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder that goes when the block ends.

    Its process holds a lock on it, which the operating system lets go of however the process ends. So the next one to
    make a folder knows which ones were left behind.

    Raises:
        StoreFull: the disk of temporary files has no space left.
    """
    _remove_left_behind()
    fresh = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}"))
    lock = os.open(fresh, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = fresh.rename(fresh.with_name(fresh.name[1:]))  # seen by others from here on, and locked by then
        try:
            with local_space():
                yield folder
        finally:
            shutil.rmtree(folder)
    finally:
        os.close(lock)


def _remove_left_behind() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:  # another user's, or another process was faster
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # its process is at work
            continue
        finally:
            os.close(lock)
