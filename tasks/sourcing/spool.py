"""Seeds on local disk while their prompts are drawn: any of a million can be had by its number, none is in memory."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.models import Seed
from tasks.scratch import scratch_folder


class Spool:
    """A throw-away SQLite file of seeds, numbered from 0 in the order in which they came."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;"
            "CREATE TABLE seeds (number INTEGER PRIMARY KEY, topic INTEGER NOT NULL, seed BLOB NOT NULL);"
            "CREATE TABLE topics (topic INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);"
            "CREATE TABLE ids (hash INTEGER PRIMARY KEY);"
            "CREATE TABLE texts (hash INTEGER PRIMARY KEY, seed_id TEXT NOT NULL);"
            "BEGIN"
        )
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def knows(self, seed_id: str) -> bool:
        """Whether a seed of that id was offered before; it counts as offered from now on."""
        added = self._file.execute("INSERT OR IGNORE INTO ids VALUES (?)", (_hash(seed_id),))
        return added.rowcount == 0

    def twin(self, seed: Seed) -> str:
        """The id of an earlier seed with the same text and context; empty where there is none."""
        found = self._file.execute("SELECT seed_id FROM texts WHERE hash = ?", (_hash(_content(seed)),)).fetchone()
        return found[0] if found else ""

    def add(self, seed: Seed) -> None:
        """Take in a seed."""
        self._file.execute("INSERT OR IGNORE INTO texts VALUES (?, ?)", (_hash(_content(seed)), seed.seed_id))
        self._file.execute("INSERT OR IGNORE INTO topics (name) VALUES (?)", (seed.topic,))
        (topic,) = self._file.execute("SELECT topic FROM topics WHERE name = ?", (seed.topic,)).fetchone()
        self._file.execute("INSERT INTO seeds VALUES (?, ?, ?)", (self._count, topic, seed.model_dump_json().encode()))
        self._count += 1

    def topics(self) -> npt.NDArray[np.int32]:
        """The number of each seed's topic, in the order of the seeds."""
        rows = self._file.execute("SELECT topic FROM seeds ORDER BY number")
        return np.fromiter((topic for (topic,) in rows), dtype=np.int32, count=self._count)

    def __getitem__(self, number: int) -> Seed:
        (data,) = self._file.execute("SELECT seed FROM seeds WHERE number = ?", (int(number),)).fetchone()
        return Seed.model_validate_json(data)

    def close(self) -> None:
        self._file.close()


def _content(seed: Seed) -> str:
    return f"{seed.text}\0{seed.context}"


def _hash(text: str) -> int:
    """64 bits: among a million texts two differ and collide once in 37 million times."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


@contextmanager
def spooled() -> Iterator[Spool]:
    """An empty spool; its file is gone when the block ends."""
    with scratch_folder() as folder:
        spool = Spool(folder / "seeds.sqlite")
        try:
            yield spool
        finally:
            spool.close()
