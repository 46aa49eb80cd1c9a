"""The review file of a run: the only file that the browser writes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock

from tasks.errors import BadInput
from tasks.reviews import MOST_BYTES, Decision, Review, dump_reviews, holding, parse_reviews
from tasks.run import Run

FILE = "review.jsonl"
"""Of a run, in its folder."""


class ReviewFile:
    """Decisions on a run's rows. Read anew before each change, so that what somebody added meanwhile stays.

    Args:
        reviewer: who decides.

    Raises:
        BadInput: a line of the file that is there is none.
    """

    def __init__(self, run: Run, reviewer: str) -> None:
        self.run, self.reviewer = run, reviewer
        self._lock = Lock()
        self._held = holding(self._read())

    @property
    def place(self) -> str:
        """Where the file is, as ``curation.review`` takes it."""
        url = self.run.store.url.rstrip("/")
        return f"{url}/{self.run.config.run}/{FILE}"

    def decisions(self) -> dict[str, Review]:
        """By row, what holds."""
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

    def undo(self, row_id: str) -> Review | None:
        """Take the last decision on a row back; what holds then, if anything."""

        def without_last(lines: list[Review]) -> list[Review]:
            mine = [place for place, one in enumerate(lines) if one.question_id == row_id]
            return [one for place, one in enumerate(lines) if place != mine[-1]] if mine else lines

        self._change(without_last)
        return self._held.get(row_id)

    def _change(self, change: Callable[[list[Review]], list[Review]]) -> None:
        with self._lock:
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

    def _read(self) -> list[Review]:
        data = self.run.store.find(self.run.config.run, FILE)
        return [] if data is None else parse_reviews(data, repr(self.place))
