"""What becomes of each triplet: a pure function over what deduplication and decontamination found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from tasks.curation.contamination import BenchmarkIndex
from tasks.models import DuplicateDecision, Reject, RejectReason, ReleaseRow, Split, Triplet

_DUPLICATE_REASONS = {"exact": RejectReason.EXACT_DUPLICATE, "near": RejectReason.NEAR_DUPLICATE}


def curate(
    triplets: Sequence[Triplet],
    decisions: Sequence[DuplicateDecision],
    benchmark: BenchmarkIndex,
    reject_above: float,
) -> list[ReleaseRow | Reject]:
    """One decision per triplet, in order.

    A duplicate is rejected and named by its representative. A row that contains ``reject_above`` of a benchmark
    item's n-grams or more is rejected; any smaller overlap puts it into
    ``use_with_caution``, and so does a doubt about its tests.

    Args:
        decisions: those of the whole run, so that a representative can name the rows it stands for.
    """
    by_id = {decision.question_id: decision for decision in decisions}
    stands_for: dict[str, list[str]] = defaultdict(list)
    for decision in decisions:
        if decision.kind:
            stands_for[decision.representative].append(decision.question_id)
    return [
        _decide(row, by_id[row.question_id], stands_for[row.question_id], benchmark, reject_above) for row in triplets
    ]


def _decide(
    row: Triplet,
    decision: DuplicateDecision,
    duplicates: list[str],
    benchmark: BenchmarkIndex,
    reject_above: float,
) -> ReleaseRow | Reject:
    if decision.kind:
        return Reject(
            id=row.question_id,
            subset=row.subset,
            reason=_DUPLICATE_REASONS[decision.kind],
            evidence=f"Jaccard {decision.similarity:.2f} with {decision.representative}, which stays",
            response_id=row.lineage.question_call.response_id,
        )
    overlap = benchmark.overlap([row.question, row.solution, row.test])
    found = f"{overlap.share:.2f} of the {benchmark.size}-grams of {overlap.item_id}, such as {overlap.span!r}"
    if overlap.share >= reject_above:
        return Reject(
            id=row.question_id,
            subset=row.subset,
            reason=RejectReason.CONTAMINATED,
            evidence=f"contains {found}",
            response_id=row.lineage.question_call.response_id,
        )
    doubts = [f"benchmark overlap: {found}"] if overlap.item_id else []
    doubts += [f"{one.check} {one.value:.2f}: {one.why}" for one in row.quality if one.outcome == "caution"]
    return ReleaseRow(
        **{name: getattr(row, name) for name in Triplet.model_fields},
        split=Split.USE_WITH_CAUTION if doubts else Split.TRAIN,
        benchmark_similarity=overlap.share,
        benchmark_item=overlap.item_id,
        benchmark_span=overlap.span,
        duplicates=duplicates,
        filter_reason="; ".join(doubts),
    )
