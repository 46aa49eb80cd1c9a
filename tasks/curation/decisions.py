"""What becomes of each row: pure functions over what was found in it and in its cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.models import (
    BenchmarkHit,
    ContentFinding,
    DuplicateDecision,
    Examination,
    Reject,
    RejectReason,
    ReleaseRow,
    Split,
    Triplet,
)
from tasks.reviews import NO_REVIEWS, Decision, Review, Reviews, is_doubt

_DUPLICATE_REASONS = {
    "exact": RejectReason.EXACT_DUPLICATE,
    "near": RejectReason.NEAR_DUPLICATE,
    "semantic": RejectReason.SEMANTIC_DUPLICATE,
}
_MEASURES = {"exact": "same words", "near": "word 3-grams", "semantic": "cosine"}
NO_LICENCES: Mapping[str, str] = {}
_NAMED = 5
"""Rows of a cluster that a reason names."""


@dataclass(frozen=True)
class Doubt:
    """Why a row goes to ``use_with_caution``: the kind of doubt, and in words."""

    kind: str
    told: str


@dataclass(frozen=True)
class Judgement:
    """What becomes of a row. ``reason`` is None where it stays; ``evidence`` then says who accepted it, if anybody."""

    reason: RejectReason | None
    evidence: str
    doubts: tuple[Doubt, ...] = ()

    @property
    def decision(self) -> Literal["train", "use_with_caution", "reject"]:
        if self.reason:
            return "reject"
        return "use_with_caution" if self.doubts else "train"


def judge(duplicate: DuplicateDecision, found: Examination, review: Review | None = None) -> Judgement:
    """A duplicate goes, and so does what is contaminated or unsafe by the config's bounds; a doubt is told.

    A representative is doubted where a row that it stands for is rejected for what it shares with a benchmark.

    Args:
        review: what somebody decided on the row. A row that is accepted is kept whatever it is alike or holds, but not
            if it is contaminated.
    """
    if review and review.decision is Decision.REJECT:
        return Judgement(RejectReason.REVIEWED, review.told)
    objections = list(_objections(duplicate, found))
    if review is None:
        if objections:
            return Judgement(*objections[0])
        return Judgement(None, "", _doubts(duplicate, found))
    for reason, evidence in objections:
        if reason is RejectReason.CONTAMINATED:
            return Judgement(reason, evidence)
    return Judgement(None, accepted_over(review, [*(told for _, told in objections), *_told(duplicate, found)]))


def accepted_over(review: Review, objections: Sequence[str]) -> str:
    """What is told of a row that somebody accepted."""
    return review.told + (f" (over {'; '.join(objections)})" if objections else "")


def _objections(duplicate: DuplicateDecision, found: Examination) -> Iterator[tuple[RejectReason, str]]:
    """All that rejects a row, the first being what is told of it: what no review can overrule comes first."""
    yield from ((RejectReason.CONTAMINATED, told_hit(hit)) for hit in found.hits if hit.outcome == "rejected")
    if duplicate.kind:
        yield _DUPLICATE_REASONS[duplicate.kind], _alike(duplicate)
    for finding in found.content:
        if finding.outcome == "rejected":
            yield RejectReason.UNSAFE_CONTENT, told_finding(finding)


def _told(duplicate: DuplicateDecision, found: Examination) -> list[str]:
    return [doubt.told for doubt in _doubts(duplicate, found)]


def _doubts(duplicate: DuplicateDecision, found: Examination) -> tuple[Doubt, ...]:
    doubts = [
        Doubt("benchmark_overlap", f"benchmark overlap: {told_hit(hit)}")
        for hit in found.hits
        if hit.outcome == "caution"
    ]
    if duplicate.contaminated:
        told = f"duplicates of it are contaminated: {', '.join(duplicate.contaminated[:_NAMED])}"
        doubts.append(Doubt("contaminated_duplicate", told))
    doubts += [Doubt(one.rule, told_finding(one)) for one in found.content if one.outcome == "caution"]
    return tuple(doubts)


def told_hit(hit: BenchmarkHit) -> str:
    """A hit in words."""
    return f"{hit.part} and {hit.benchmark}/{hit.item_id} by {hit.way}: {hit.similarity:.2f}" + (
        f", such as {hit.span!r}" if hit.span else ""
    )


def told_finding(finding: ContentFinding) -> str:
    """A finding in words."""
    return f"{finding.rule} in {finding.part}, line {finding.line}: {finding.evidence}"


def _alike(duplicate: DuplicateDecision) -> str:
    how = _MEASURES[duplicate.kind]
    how += "" if duplicate.kind == "exact" else f" {duplicate.similarity:.2f}"
    return f"{how} with {duplicate.representative}, which stands for {duplicate.cluster_size} rows"


def curate(
    triplets: Sequence[Triplet],
    duplicates: Sequence[DuplicateDecision],
    found: Sequence[Examination],
    refused: Mapping[str, str],
    excludes: bool,
    reviews: Reviews = NO_REVIEWS,
) -> list[ReleaseRow | Reject]:
    """One decision per triplet, in order; the three sequences belong together row by row.

    Args:
        refused: licences that the release's policy does not let out, and why.
        excludes: whether their rows are rejected; else they go to ``use_with_caution``.
        reviews: what somebody decided on some of them.
    """
    return [
        _decide(row, duplicate, one, refused.get(row.licence, ""), excludes, reviews.get(row.question_id), _weak(row))
        for row, duplicate, one in zip(triplets, duplicates, found, strict=True)
    ]


def curate_again(
    row: ReleaseRow, found: Examination, review: Review | None = None, refused: Mapping[str, str] = NO_LICENCES
) -> ReleaseRow | Reject:
    """A decision on a row that was told in another style: its own text may hold what that it was made of did not.

    It has the doubts of the row that it was made of, and those that its own text gives. A review overrules all of them
    but that of the licence.

    Args:
        review: what somebody decided on it in this style.
        refused: licences that the release's policy does not let out, and why.
    """
    alone = DuplicateDecision(
        question_id=row.question_id,
        subset=row.subset,
        representative=row.question_id,
        representative_subset=row.subset,
        kind="",
        similarity=1.0,
        cluster_size=1,
        duplicates=[],
        contaminated=[],
    )
    if review:
        decided = _decide(row, alone, found, refused.get(row.licence, ""), False, review, _weak(row))
    else:
        decided = _decide(row, alone, found, "", False, None, [])
    if isinstance(decided, Reject):
        return decided
    if review:
        return decided.model_copy(update={"group": row.group})
    own = decided.filter_reason if decided.filter_reason != row.filter_reason else ""
    # Doubts first: what begins with who accepted a row tells of none.
    reasons = sorted((reason for reason in (row.filter_reason, own) if reason), key=is_doubt, reverse=True)
    split = Split.USE_WITH_CAUTION if any(map(is_doubt, reasons)) else row.split
    return decided.model_copy(update={"split": split, "filter_reason": "; ".join(reasons), "group": row.group})


def _weak(row: Triplet) -> list[str]:
    """What its tests leave in doubt."""
    return [f"{one.check} {one.value:.2f}: {one.why}" for one in row.quality if one.outcome == "caution"]


def _decide(
    row: Triplet,
    duplicate: DuplicateDecision,
    found: Examination,
    objection: str,
    excludes: bool,
    review: Review | None,
    weak: Sequence[str],
) -> ReleaseRow | Reject:
    judgement = judge(duplicate, found, review)
    if objection and excludes and judgement.reason not in (RejectReason.CONTAMINATED, RejectReason.REVIEWED):
        judgement = Judgement(RejectReason.LICENCE_REFUSED, objection)
    if judgement.reason:
        return Reject(
            id=row.question_id,
            subset=row.subset,
            reason=judgement.reason,
            evidence=judgement.evidence,
            response_id=row.lineage.question_call.response_id,
        )
    # A review may overrule a doubt, but not give a licence.
    doubts = [objection] if objection else []
    if review is None:
        doubts = [*(doubt.told for doubt in judgement.doubts), *weak, *doubts]
        told = doubts
    else:
        overruled = [why for _, why in _objections(duplicate, found)] + _told(duplicate, found) + list(weak)
        told = [*doubts, accepted_over(review, overruled)]
    top = found.hits[0] if found.hits else None
    return ReleaseRow(
        **{name: getattr(row, name) for name in Triplet.model_fields},
        split=Split.USE_WITH_CAUTION if doubts else Split.TRAIN,
        benchmark_similarity=top.similarity if top else 0.0,
        benchmark_item=f"{top.benchmark}/{top.item_id}" if top else "",
        benchmark_span=top.span if top else "",
        benchmark_hits=found.hits,
        content=found.content,
        labels=found.labels,
        duplicates=duplicate.duplicates,
        filter_reason="; ".join(told),
    )
