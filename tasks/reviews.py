"""Decisions by hand on the rows of a run: a file of JSON lines, of which the last one on a row wins."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import BadInput
from tasks.settings import BuildConfig
from tasks.store import Store

MOST_BYTES = 64 << 20
"""Of a file of reviews: half a million decisions with a sentence each."""


LONGEST_NAME = 200
"""Characters of who decides."""


class Decision(StrEnum):
    ACCEPT = "accept"
    REJECT = "reject"


_IN_A_REVIEW = " in a review"
_ACCEPTED = f"{Decision.ACCEPT}ed{_IN_A_REVIEW}"


class Review(BaseModel):
    """What somebody decided on a row, and why: one line of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question_id: str = Field(min_length=1, max_length=500, description="Of the row.")
    decision: Decision
    note: str = Field("", max_length=4000, description="Why.")
    reviewer: str = Field("", max_length=LONGEST_NAME, description="Who.")
    at: datetime | None = Field(None, description="When.")

    @property
    def told(self) -> str:
        """Who decided and why, in one sentence."""
        who = f" by {self.reviewer}" if self.reviewer else ""
        return f"{self.decision}ed{_IN_A_REVIEW}{who}" + (f": {self.note}" if self.note else "")


def is_doubt(filter_reason: str) -> bool:
    """Whether the reason of a released row says more than who accepted it."""
    return bool(filter_reason) and not filter_reason.startswith(_ACCEPTED)


Reviews = Mapping[str, Review]
"""By the id of the row, the decision that holds."""
NO_REVIEWS: Reviews = {}


def parse_reviews(data: bytes, place: str) -> list[Review]:
    """The lines of a file, in order.

    Args:
        place: what to call it.

    Raises:
        BadInput: a line is none (names it).
    """
    found = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(Review.model_validate_json(line))
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in wrong["loc"]) or "the line"
            got = "" if wrong["type"] in ("missing", "json_invalid") else f", got {str(wrong['input'])[:100]!r}"
            raise BadInput(
                f"review {place}, line {number}: {where}: {wrong['msg']}{got}. A line is a JSON object with "
                f"question_id, decision (accept or reject) and optional note, reviewer, at; mend or remove it"
            ) from error
    return found


def dump_reviews(reviews: Iterable[Review]) -> bytes:
    """A file of these lines."""
    return b"".join(f"{review.model_dump_json()}\n".encode() for review in reviews)


def holding(reviews: Iterable[Review]) -> dict[str, Review]:
    """Of each row the last decision."""
    return {review.question_id: review for review in reviews}


def read_reviews(config: BuildConfig) -> dict[str, Review]:
    """The decisions of ``curation.review``; none where it names no file.

    Raises:
        BadInput: there is no such file, or a line of it is wrong (names it).
    """
    place = config.curation.review
    if not place:
        return {}
    folder, _, name = place.rpartition("/")
    store = Store.of(config, folder or ("/" if place.startswith("/") else "."))
    data = store.find(name) if name else None
    if data is None:
        raise BadInput(
            f"curation.review is {place!r}, and there is no such file. Give the path or URL of a review.jsonl that "
            f"`kodforge browse` has written, or leave it empty"
        )
    if len(data) > MOST_BYTES:
        raise BadInput(f"curation.review is {place!r}, which has {len(data):,} bytes; at most {MOST_BYTES:,} are read")
    return holding(parse_reviews(data, repr(place)))


def ids_of(reviews: Reviews, decision: Decision) -> frozenset[str]:
    """Rows on which this was decided."""
    return frozenset(name for name, review in reviews.items() if review.decision is decision)


def among(reviews: Reviews, ids: Iterable[str]) -> list[Review]:
    """The decisions on some rows, in the rows' order."""
    return [reviews[one] for one in ids if one in reviews]


def of_inputs(reviews: Collection[Review]) -> Sequence[object]:
    """What a shard depends on besides its usual inputs: nothing where nobody has decided on a row of it.

    When something was decided and by whom is told in the evidence, when it was is not.
    """
    return [[review.model_dump(mode="json", exclude={"at"}) for review in reviews]] if reviews else []
