"""What a run is doing right now: how far each stage is, what teachers cost, what went wrong, what was just rejected."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from tasks.browsing.queries import Cursor, dicts, fetch, one
from tasks.errors import AnswersUnavailable, BadInput, StoreUnavailable
from tasks.lease import writer_of
from tasks.models import NOT_ASKED, RejectReason
from tasks.publishing.folder import read_manifest, release_store
from tasks.publishing.summary import FUNNEL
from tasks.redaction import hider
from tasks.run import Run, StageName
from tasks.teachers.cache import Sum, is_database, open_cache

NEWEST = 20
"""Rejects that are shown."""
WINDOW_S = 60.0
"""The rate is that of the last minute."""
_STALE_S = 3 * WINDOW_S
"""A look that is longer ago says nothing of the last minute."""
_AT_LEAST_S, _PATIENCE = 2.0, 10
"""The sums of what teachers cost are asked for again after that, or after so many times what they took."""
_REPLIES = {
    *NOT_ASKED,
    RejectReason.MALFORMED_REPLY,
    RejectReason.TRUNCATED_REPLY,
    RejectReason.TEACHER_REFUSED,
    RejectReason.CONTEXT_OVERFLOW,
}
"""Reasons that lie with the teacher and not with the row: the errors of a run."""
_AS_MANY = (
    StageName.QUESTIONS,
    StageName.AUDITS,
    StageName.SOLUTIONS,
    StageName.TRIPLETS,
    StageName.EXAMINATIONS,
    StageName.DUPLICATES,
    StageName.CURATED,
    StageName.PLACINGS,
)
"""Stages with a shard for each shard of prompts."""


@dataclass(frozen=True)
class StageState:
    """How far a stage is.

    Attributes:
        done: shards that are finished.
        planned: shards that there will be; None where that is not known before.
        at_most: ``planned`` is a bound.
        finished: all of them are.
    """

    stage: str
    done: int
    planned: int | None
    at_most: bool
    finished: bool
    rows_in: int
    rows_out: int
    rejected: int


@dataclass(frozen=True)
class State:
    """All of a run at a moment.

    Attributes:
        per_min: answers of teachers in the last minute; None until two looks lie apart.
        usd: None where a price is not known, or the answers cannot be read and never were.
        errors: replies that could not be had or used, by kind.
        failed_tries: tries of requests that failed, by kind; most of them were followed by one that did not.
        released: rows that are released, or would be now.
        ended: whether its rows are released, and nobody is at it again.
    """

    stages: list[StageState]
    answers: int
    cached: int
    per_min: float | None
    tokens: int
    usd: float | None
    errors: dict[str, int]
    failed_tries: dict[str, int]
    newest: list[dict[str, Any]]
    rows: int
    released: int
    ended: bool
    version: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Live:
    """Looks at a run again and again. Thread-safe.

    Args:
        clock: seconds.
    """

    def __init__(self, run: Run, clock: Callable[[], float] = time.monotonic) -> None:
        self.run, self._clock = run, clock
        self._lock = Lock()
        self._answers: deque[tuple[float, int]] = deque()
        self._sums: list[Sum] | None = None
        self._failed: dict[str, int] = {}
        self._again = 0.0

    def look(self, cursor: Cursor, version: int) -> State:
        """The run as the index has it, and what its teachers have cost until now."""
        query = "SELECT stage, count(*), sum(rows_in), sum(rows_out), sum(rejected) FROM receipts GROUP BY stage"
        counted = {stage: tuple(map(int, counts)) for stage, *counts in fetch(cursor, query)}
        sums, failed_tries, per_min = self._used()
        query = "SELECT reason, count(*) FROM rejects WHERE list_contains(?, reason) GROUP BY 1 ORDER BY 2 DESC, 1"
        errors = fetch(cursor, query, [sorted(reason.value for reason in _REPLIES)])
        query = (
            "SELECT stage, id, owner, subset, reason, evidence FROM rejects ORDER BY written DESC, stage, id LIMIT ?"
        )
        hide = hider()
        newest = [{name: hide(str(told)) for name, told in row.items()} for row in dicts(cursor, query, [NEWEST])]
        query = "SELECT count(*), count(*) FILTER (WHERE stage = 'released') FROM rows"
        rows, released = one(cursor, query)
        costs = [None] if sums is None else [one.usd for one in sums]
        sums = sums or []
        stages = list(self._stages(counted))
        return State(
            stages=stages,
            answers=sum(one.calls for one in sums),
            cached=sum(one.cached for one in sums),
            per_min=per_min,
            tokens=sum(one.prompt_tokens + one.completion_tokens for one in sums),
            usd=None if None in costs else sum(usd for usd in costs if usd is not None),
            errors={str(reason): int(count) for reason, count in errors},
            failed_tries=failed_tries,
            newest=newest,
            rows=int(rows),
            released=int(released),
            ended=all(one.finished for one in stages) and self._is_released(),
            version=version,
        )

    def _stages(self, counted: dict[str, tuple[int, ...]]) -> Iterator[StageState]:
        parts = counted.get(StageName.PROMPTS.value, (0,))[0] if self._finished(StageName.PROMPTS) else None
        tries = self.run.config.verification.attempts
        for stage in (*FUNNEL, StageName.EXAMINATIONS, StageName.DUPLICATES, StageName.PLACINGS):
            if stage.value not in counted:
                continue
            done, rows_in, rows_out, rejected = counted[stage.value]
            finished = self._finished(stage)
            planned, at_most = done if finished else None, False
            if not finished and parts is not None:
                if stage in _AS_MANY:
                    planned = parts
                elif stage in (StageName.ATTEMPTS, StageName.VERDICTS):
                    planned, at_most = max(done, parts * tries), True
            yield StageState(stage.value, done, planned, at_most, finished, rows_in, rows_out, rejected)

    def _finished(self, stage: StageName) -> bool:
        with suppress(StoreUnavailable):
            return self.run.store.exists(self.run.config.run, stage.value, "manifest.json")
        return False

    def _is_released(self) -> bool:
        """Whether there is a release of this run, which nobody is about to replace."""
        config = self.run.config
        with suppress(StoreUnavailable, BadInput, OSError):
            if writer_of(self.run.store, config.run) is None:
                manifest = read_manifest(release_store(config))
                return manifest is not None and manifest.run == config.run
        return False

    def _used(self) -> tuple[list[Sum] | None, dict[str, int], float | None]:
        """What was used so far, the tries that failed, and answers per minute; as of when it could last be read."""
        with self._lock:
            now = self._clock()
            if now >= self._again:
                if (read := self._read()) is not None:
                    self._sums, self._failed = read
                    self._answers.append((now, sum(one.calls for one in self._sums)))
                self._again = now + max(_AT_LEAST_S, _PATIENCE * (self._clock() - now))
            while len(self._answers) > 2 and self._answers[1][0] <= now - WINDOW_S:
                self._answers.popleft()
            while self._answers and self._answers[0][0] < now - _STALE_S:
                self._answers.popleft()
            if not self._answers:
                return self._sums, self._failed, None
            (began, before), (ended, after) = self._answers[0], self._answers[-1]
            rate = 60 * (after - before) / (ended - began) if ended > began else None
            return self._sums, self._failed, rate

    def _read(self) -> tuple[list[Sum], dict[str, int]] | None:
        """What the answers say; None where they are not there, or cannot be read."""
        with suppress(BadInput, AnswersUnavailable):
            place = self.run.cache_path
            if is_database(place) or Path(place).is_file():
                cache, failed = open_cache(place), Counter[str]()
                for fault in cache.faults(self.run.account):
                    failed[fault.kind] += fault.count
                return cache.sums(self.run.account), dict(failed.most_common())
        return None
