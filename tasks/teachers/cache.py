"""Every answered call on disk before anyone uses it, and what each run used. `open_cache` opens where it is kept.

A SQLite file serves the processes and threads of one machine, a PostgreSQL database those of any number of machines.
Both make the same promises: a write is one transaction over all that is waiting to be written, and is on disk when it
returns; an answer is counted once; a request is under way in one process at a time.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.teachers.requests import Answer, Vectors

PAGE = 500
"""Rows that are copied at a time."""


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
class Sum:
    """What a run used in one stage under one label. ``calls`` were paid for by it; ``usd`` is None without prices."""

    stage: str
    label: str
    calls: int
    cached: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None


@dataclass(frozen=True)
class Fault:
    """Tries of a run's requests that failed in one way in one stage; most of them were followed by another."""

    run: str
    stage: str
    kind: str
    count: int


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


@dataclass(frozen=True)
class Page:
    """Some of what a cache holds, as it is stored: answers and vectors packed, by key. Faults add up."""

    answers: Sequence[tuple[str, bytes]] = ()
    vectors: Sequence[tuple[bytes, bytes]] = ()
    uses: Sequence[Use] = ()
    batches: Sequence[Batch] = ()
    faults: Sequence[Fault] = ()

    def __len__(self) -> int:
        return len(self.answers) + len(self.vectors) + len(self.uses) + len(self.batches)


class ResponseCache(ABC):
    """Answers by request key, and what runs used. Tries that failed are counted, no more. Any thread may use it.

    Attributes:
        path: where it is, as ``open_cache`` takes it.
    """

    path: str

    @abstractmethod
    def packed(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The packed answers that are there, by key."""

    @abstractmethod
    def vectors(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The packed vectors of texts that are there, by key."""

    @abstractmethod
    def store(self, page: Page) -> None:
        """Store all of a page in one transaction, and give up the claims on what was paid for.

        Of two answers to the same request the first stays; a use that is known of the run already is not counted again.
        """

    @abstractmethod
    def claim(self, keys: Sequence[str]) -> set[str]:
        """Those of the requests that are for this process to ask: no other process has them under way.

        A claim ends when the request's answer is stored, when it is released, or with the process.
        """

    @abstractmethod
    def release(self, keys: Iterable[str]) -> None:
        """Give up claims on requests that got no answer."""

    @abstractmethod
    def spent(self, run: str) -> tuple[int, float]:
        """Tokens and USD that a run has paid for so far, as far as prices are known."""

    @abstractmethod
    def uses(self, run: str) -> list[Use]:
        """All that a run used."""

    @abstractmethod
    def sums(self, run: str) -> list[Sum]:
        """What a run used, by stage and label."""

    @abstractmethod
    def faults(self, run: str) -> list[Fault]:
        """The failed tries of a run, the most frequent first."""

    @abstractmethod
    def averages(self, model: str) -> dict[str, Average]:
        """What a call of a model took on average, by stage, over all runs."""

    @abstractmethod
    def put_batch(self, batch: Batch) -> None:
        """Remember a batch, or what became known of it."""

    @abstractmethod
    def settle_batch(self, tag: str, keys: Iterable[str]) -> None:
        """Requests of a batch whose fate is known: no later run looks for them there. Without any left it is closed."""

    @abstractmethod
    def open_batches(self, base_url: str | None) -> list[Batch]:
        """Batches whose answers have not been taken over yet; None: of all servers."""

    @abstractmethod
    def pages(self) -> Iterator[Page]:
        """All that is stored, faults left out, a page in memory at a time."""

    @abstractmethod
    def __len__(self) -> int:
        """How many answers there are."""

    def get_many(self, keys: Sequence[str]) -> dict[str, Answer]:
        """The answers that are there, by key."""
        return {key: Answer.model_validate_json(zlib.decompress(body)) for key, body in self.packed(keys).items()}

    def put(self, *answers: Answer) -> None:
        """Store answers; of two answers to the same request the first stays."""
        self.record(answers, ())

    def put_vectors(self, vectors: Mapping[bytes, bytes]) -> None:
        """Store packed vectors that were computed here; of two for the same text the first stays."""
        self.store(Page(vectors=list(vectors.items())))

    def record(self, answers: Iterable[Answer | Vectors], uses: Iterable[Use], faults: Iterable[Fault] = ()) -> None:
        """Store answers, what runs used and what failed, in one transaction."""
        answers = list(answers)
        packed = [(one.response_id, _pack(one)) for one in answers if isinstance(one, Answer)]
        vectors = [item for one in answers if isinstance(one, Vectors) for item in one.vectors.items()]
        self.store(Page(packed, vectors, list(uses), faults=list(faults)))


SUMS = """
SELECT stage, label, sum(paid), sum(1 - paid), sum(paid * prompt_tokens), sum(paid * completion_tokens),
    CASE WHEN sum(CASE WHEN paid = 1 AND usd IS NULL THEN 1 ELSE 0 END) = 0
        THEN coalesce(sum(CASE WHEN paid = 1 THEN usd END), 0) END
"""
"""The columns of a ``Sum``, over the table of uses."""


def sum_of(row: Sequence[Any]) -> Sum:
    """A row of ``SUMS``; databases have number types of their own."""
    stage, label, *counts, usd = row
    calls, cached, prompt_tokens, completion_tokens = map(int, counts)
    return Sum(stage, label, calls, cached, prompt_tokens, completion_tokens, None if usd is None else float(usd))


def open_cache(place: str) -> ResponseCache:
    """The cache at a place.

    Args:
        place: a local file, made with its folder where it is missing, or ``postgresql://user@host/database``.

    Raises:
        BadInput: it cannot be made, or is no such database.
        AnswersUnavailable: a database cannot be reached.
    """
    if is_database(place):
        from tasks.teachers.postgres_cache import PostgresCache  # noqa: PLC0415 - an extra

        return PostgresCache(place)
    from tasks.teachers.sqlite_cache import SqliteCache  # noqa: PLC0415 - it implements what is defined here

    return SqliteCache(place)


def check_cache(place: str) -> None:
    """Open the cache at a place, without waiting for a database that does not answer.

    Raises:
        BadInput: as ``open_cache``.
    """
    if is_database(place):
        from tasks.teachers.postgres import Database  # noqa: PLC0415 - an extra

        Database.of(place).check()
    open_cache(place)


def is_database(place: str) -> bool:
    """Whether a place is a PostgreSQL database, which several machines can share."""
    return place.startswith(("postgresql://", "postgres://"))


def copy_answers(source: ResponseCache, target: ResponseCache) -> int:
    """Copy all that one cache holds into another one; how many answers it holds then.

    What is there already stays as it is, so that it can be done again, after a break or to bring over what came since.
    """
    for page in source.pages():
        target.store(page)
    return len(target)


def pack_keys(keys: Iterable[str]) -> bytes:
    """The keys of a batch as they are stored."""
    return zlib.compress("\n".join(keys).encode())


def unpack_keys(packed: bytes) -> tuple[str, ...]:
    return tuple(zlib.decompress(packed).decode().split("\n"))


def _pack(answer: Answer) -> bytes:
    return zlib.compress(answer.model_dump_json().encode("utf-8", "surrogatepass"))
