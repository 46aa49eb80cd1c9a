"""What is found in a row by itself: benchmark overlap, content, topics and skills."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.curation.contamination.index import BenchmarkIndex
from tasks.curation.content.scan import scan
from tasks.curation.diversity.labels import label
from tasks.curation.texts import RowTexts
from tasks.models import GRAVITY, BenchmarkHit, ContentFinding, Examination
from tasks.settings import Content


def examine(
    rows: Sequence[RowTexts], vectors: NDArray[np.float32] | None, index: BenchmarkIndex, content: Content
) -> list[Examination]:
    """Examine rows one by one.

    Args:
        vectors: of the questions, shape (len(rows), dimensions); None where nothing is compared by meaning.
    """
    found = zip(rows, index.hits(rows, vectors), scan(rows, content), strict=True)
    return [_examination(row, hits, findings) for row, hits, findings in found]


def _examination(row: RowTexts, hits: Sequence[BenchmarkHit], findings: Sequence[ContentFinding]) -> Examination:
    outcomes = [*(hit.outcome for hit in hits), *(one.outcome for one in findings)]
    ordered = sorted(hits, key=lambda hit: (GRAVITY.index(hit.outcome), -hit.similarity))
    return Examination(
        id=row.id,
        hits=ordered,
        content=list(findings),
        labels=label(row.question, row.solution),
        outcome=min(outcomes, key=GRAVITY.index, default="noted"),
        contaminated=any(hit.outcome == "rejected" for hit in hits),
    )
