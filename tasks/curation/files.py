"""Curation of the user's own file of questions: ``kodforge curate``."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Literal

from tasks.curation.contamination import human_eval_index
from tasks.curation.dedup import Candidate, find_duplicates
from tasks.errors import BadInput
from tasks.files import check_suffix, read_rows, row_writer
from tasks.models import Row
from tasks.settings import Curation


class CurationDecision(Row):
    """What became of one row: the columns of ``kodforge curate``."""

    id: str
    decision: Literal["train", "use_with_caution", "reject"]
    reason: str
    similarity: float
    representative: str
    benchmark_item: str
    benchmark_similarity: float
    benchmark_span: str
    duplicates: list[str]


def _checked(path: Path) -> list[dict[str, Any]]:
    rows, seen = [], set()
    for number, row in enumerate(read_rows(path), 1):
        for column in ("id", "question"):
            if not isinstance(row.get(column), str) or not row[column].strip():
                raise BadInput(
                    f"{path}, row {number}: column {column!r} must be a text that is not empty, "
                    f"got {row.get(column)!r}. Needed: id, question; optional: solution, test, quality"
                )
        if row["id"] in seen:
            raise BadInput(f"{path}, row {number}: id {row['id']!r} occurs twice. Ids must be unique")
        seen.add(row["id"])
        rows.append(row)
    if not rows:
        raise BadInput(f"{path} has no rows")
    return rows


def curate_file(path: Path, out: Path, rules: Curation) -> Counter[str]:
    """Write a decision per row of ``path`` to ``out``, in order.

    Of a cluster of duplicates the row with the largest ``quality`` stays, the first one where there is none.

    Returns:
        How many rows got which decision.

    Raises:
        BadInput: a column is missing or empty (names the row), an id occurs twice, or a file cannot be used.
    """
    check_suffix(out)
    rows = _checked(path)
    candidates = [Candidate(row["id"], row["question"], (float(row.get("quality") or 0),)) for row in rows]
    decisions = find_duplicates(candidates, rules.near_duplicate_jaccard, rules.permutations)
    stands_for: dict[str, list[str]] = defaultdict(list)
    for decision in decisions:
        if decision.kind:
            stands_for[decision.representative].append(decision.question_id)
    index = human_eval_index(rules.ngram)
    counts: Counter[str] = Counter()
    with row_writer(out, CurationDecision) as write:
        for row, duplicate in zip(rows, decisions, strict=True):
            overlap = index.overlap([row["question"], row.get("solution") or "", row.get("test") or ""])
            contaminated = overlap.share >= rules.reject_above
            verdict: Literal["train", "use_with_caution", "reject"] = "train"
            reason = ""
            if duplicate.kind:
                verdict, reason = "reject", f"{duplicate.kind}_duplicate"
            elif overlap.item_id:
                verdict = "reject" if contaminated else "use_with_caution"
                reason = "contaminated" if contaminated else "benchmark_overlap"
            counts[verdict] += 1
            write(
                [
                    CurationDecision(
                        id=row["id"],
                        decision=verdict,
                        reason=reason,
                        similarity=duplicate.similarity,
                        representative=duplicate.representative,
                        benchmark_item=overlap.item_id,
                        benchmark_similarity=overlap.share,
                        benchmark_span=overlap.span,
                        duplicates=stands_for[row["id"]],
                    )
                ]
            )
    return counts
