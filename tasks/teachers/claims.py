"""Which process of a machine has which request under way: byte-range locks on a file beside the answers.

The kernel gives up a process's locks when it ends, however it ends, and a lock costs a system call and no disk.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterable, Sequence

_DIGITS = 15
"""Of a key, which is hexadecimal: its place in the file. Two keys in one place would only wait for one another."""
_open: dict[str, FileClaims] = {}
_opening = threading.Lock()


class FileClaims:
    """The claims of this process on requests, by key. Get it by ``of``.

    There is one per file and process: closing any descriptor of a file gives up all locks that its process has on it.

    Args:
        path: of the file that is locked; empty for none, where no other process can ask the same.
    """

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644) if path else None

    @classmethod
    def of(cls, path: str) -> FileClaims:
        """The claims on what a SQLite file holds.

        Raises:
            OSError: the file beside it cannot be made.
        """
        if path == ":memory:":
            return cls("")
        place = os.path.realpath(path) + "-claims"
        with _opening:
            if place not in _open or not os.path.exists(place):
                _open[place] = cls(place)
            return _open[place]

    def claim(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that this process holds now: it held them already, or nobody did."""
        if self._file is None:
            return set(keys)
        with self._lock:
            fresh = {key for key in keys if key not in self._held and self._locked(key)}
            self._held |= fresh
            return {key for key in keys if key in self._held}

    def release(self, keys: Iterable[str]) -> None:
        """Let others have them."""
        if self._file is None:
            return
        with self._lock:
            for key in keys:
                if key in self._held:
                    self._held.discard(key)
                    fcntl.lockf(self._file, fcntl.LOCK_UN, 1, int(key[:_DIGITS], 16))

    def _locked(self, key: str) -> bool:
        assert self._file is not None
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(key[:_DIGITS], 16))
        except BlockingIOError:
            return False
        return True
