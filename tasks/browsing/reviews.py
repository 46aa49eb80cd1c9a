"""The review file of a run: what the browser writes, beside an empty file that is locked meanwhile."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from tasks.curation.reviewed import is_final
from tasks.errors import BadInput, StoreUnavailable
from tasks.reviews import MOST_BYTES, Decision, Review, dump_reviews, holding, parse_reviews
from tasks.run import Run

FILE = "review.jsonl"
"""Of a run, in its folder."""
LOCK = "review.lock"


class DecidedAnew(BadInput):
    """The decision that is to be undone is not the last one on its row any more."""


class ReviewFile:
    """Decisions on a run's rows, whoever made them: the file is read anew where it has changed.

    Args:
        reviewer: who decides.

    Raises:
        BadInput: a line of the file that is there is none.
    """

    def __init__(self, run: Run, reviewer: str) -> None:
        self.run, self.reviewer = run, reviewer
        self._lock = Lock()
        self._stamp = ""
        self._held: dict[str, Review] = {}
        self.decisions()

    @property
    def place(self) -> str:
        """Where the file is, as ``curation.review`` takes it."""
        url = self.run.store.url.rstrip("/")
        return f"{url}/{self.run.config.run}/{FILE}"

    def decisions(self) -> dict[str, Review]:
        """By row, what holds; while the store is away, what held when it was last reached.

        Raises:
            BadInput: a line of the file is none.
        """
        with self._lock:
            with suppress(StoreUnavailable):
                written = self.run.store.written(self.run.config.run).get(FILE)
                stamp = written.stamp if written else ""
                if stamp != self._stamp:
                    self._held, self._stamp = holding(self._read()), stamp
            return dict(self._held)

    def data(self) -> bytes:
        """The file as it is."""
        return dump_reviews(self._read())

    def decide(self, row_id: str, decision: Decision, note: str) -> Review:
        """Add a decision, which holds from now on."""
        review = Review(
            question_id=row_id,
            decision=decision,
            note=note.strip(),
            reviewer=self.reviewer,
            at=datetime.now(UTC).replace(microsecond=0),
        )
        self._change(lambda lines: [*lines, review])
        return review

    def undo(self, row_id: str, line: str) -> Review | None:
        """Take the last decision on a row back; what holds then, if anything.

        Args:
            line: which decision that is, as ``line_of`` names it.

        Raises:
            DecidedAnew: it is another one by now.
        """

        def without_last(lines: list[Review]) -> list[Review]:
            last = next((place for place in reversed(range(len(lines))) if lines[place].question_id == row_id), None)
            found = None if last is None else lines[last]
            if line_of(found) != line:
                told = f"it was {found.told}" if found else "nothing is decided on it any more"
                raise DecidedAnew(
                    f"row {row_id!r} was decided on since this page was loaded: {told}. Load the page again, and undo "
                    f"that if you want to"
                )
            return lines if last is None else [*lines[:last], *lines[last + 1 :]]

        return self._change(without_last).get(row_id)

    def _change(self, change: Callable[[list[Review]], list[Review]]) -> dict[str, Review]:
        with self._lock, self._alone():
            before = self._read()
            lines = change(before)
            data = dump_reviews(lines)
            if len(data) > MOST_BYTES:
                raise BadInput(
                    f"the review of run {self.run.config.run!r} would have {len(data):,} bytes, at most {MOST_BYTES:,} "
                    f"are read. Remove lines that later ones replace from {self.place}"
                )
            if lines != before:
                self.run.store.write(data, self.run.config.run, FILE)
            self._held = holding(lines)
            return self._held

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Have other servers on this folder wait with their changes. An object store knows no locks."""
        store = self.run.store
        if not store.is_local:
            yield
            return
        folder = store.path(self.run.config.run)
        os.makedirs(folder, exist_ok=True)
        # Not the review, in whose place each change puts another one, nor the folder, which NFS locks for nobody else.
        opened = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with suppress(OSError):  # a filesystem that knows none either
                fcntl.flock(opened, fcntl.LOCK_EX)
            yield
        finally:
            os.close(opened)

    def _read(self) -> list[Review]:
        data = self.run.store.find(self.run.config.run, FILE)
        return [] if data is None else parse_reviews(data, repr(self.place))


def line_of(review: Review | None) -> str:
    """A name for a decision that no other one has; empty for none."""
    return "" if review is None else hashlib.sha256(dump_reviews([review])).hexdigest()[:16]


def without_effect(row: Mapping[str, Any], review: Review | None) -> str:
    """Why a decision changes nothing of a row, in a sentence; empty where it does, or none was made.

    Args:
        row: as the list has it.
    """
    if review is None or review.decision is not Decision.ACCEPT or row["fate"] != "rejected":
        return ""
    if not is_final(row["stage"], row["reason"]):
        return ""
    reason = row["reason"].replace("_", " ")
    return f"This has no effect: the row was rejected at {row['stage']} ({reason}), and nobody can bring it back."
