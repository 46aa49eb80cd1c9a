"""Decisions by hand that changed nothing: of rows that are not there, or that nobody can bring back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tasks.arrow import values
from tasks.curation.corpus import row_ids
from tasks.models import RejectReason
from tasks.reviews import Decision, ids_of, read_reviews
from tasks.run import Run, StageName
from tasks.styles.ids import is_retold

_STAGES = (StageName.SEEDS, StageName.PROMPTS, StageName.QUESTIONS, StageName.TRIPLETS, StageName.CURATED)
"""Where a row of a run may be, or may have left."""
_OF_STYLES = (StageName.CONVERSIONS, StageName.RETOLD, StageName.CONVERTED)
_DECIDING = (StageName.CURATED, StageName.SELECTED, StageName.CONVERTED)
"""Where decisions by hand are honoured."""
_FINAL = (RejectReason.CONTAMINATED, RejectReason.LICENCE_REFUSED)


def is_final(stage: str, reason: str) -> bool:
    """Whether a row that was rejected stays so, whoever accepts it."""
    return stage not in _DECIDING or reason in _FINAL


def tell_reviews(run: Run, say: Callable[..., None], made: StageName = StageName.QUESTIONS) -> None:
    """Say which decisions of ``curation.review`` have no effect, and why; with no review nothing is read.

    Args:
        say: takes a message and what is put into it, as the methods of a logger do.
        made: where the rows are that were decided on: ``questions``, ``converted`` for those in other styles, which
            are left out of the former, or ``rows`` for those of the user's own file.
    """
    in_other_styles = made is StageName.CONVERTED
    reviews = read_reviews(run.config)
    if made is not StageName.ROWS:
        reviews = {row: one for row, one in reviews.items() if is_retold(row) == in_other_styles}
    if not reviews:
        return
    wanted, accepted = set(reviews), ids_of(reviews, Decision.ACCEPT)
    unknown = set(wanted)
    for stage, row, reason in _rejected(run, _OF_STYLES if in_other_styles else _STAGES, wanted):
        unknown.discard(row)
        if row in accepted:
            say("review: %s cannot be accepted, as it was rejected at %s: %s", row, stage.value, reason)
    for row in sorted(unknown - _present(run, made, unknown)):
        say("review: run %s has no row %s, so that the decision on it has no effect", run.config.run, row)


def _rejected(run: Run, stages: Sequence[StageName], wanted: set[str]) -> Iterator[tuple[StageName, str, str]]:
    value_set = pa.array(sorted(wanted), pa.string())
    for stage in stages:
        for receipt in run.receipts(stage) if run.stage(stage).manifest() else ():
            if receipt.rejected:
                table = run.stage(stage).rejected(receipt, ["id", "reason"])
                found = table.filter(pc.is_in(table["id"], value_set=value_set))
                yield from ((stage, *one) for one in zip(values(found, "id"), values(found, "reason"), strict=True))


def _present(run: Run, made: StageName, wanted: set[str]) -> set[str]:
    """Those of some ids that a stage has rows of."""
    found = set[str]()
    for receipt in run.receipts(made) if run.stage(made).manifest() else ():
        if len(found) < len(wanted):
            found |= wanted.intersection(row_ids(run, made, receipt))
    return found
