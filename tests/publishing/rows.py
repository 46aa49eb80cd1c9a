"""Rows to publish."""

from __future__ import annotations

from tasks.acceptance import difficulty
from tasks.labeling.triplets import label
from tasks.models import Labels, ReleaseRow, SolverRate, Split, Triplet
from tasks.settings import Verification
from tests.labeling.rows import question, tries, verdict


def release_row(
    name: str, passes: int, solver: tuple[int, int] | None = None, split: Split = Split.TRAIN
) -> ReleaseRow:
    row = label(question(), tries(verdict(1)), Verification())
    assert isinstance(row, Triplet)
    rate = None
    if solver:
        share = solver[0] / solver[1]
        label_of = difficulty(*solver)
        rate = SolverRate(
            passes=solver[0], tries=solver[1], rate=share, low=0, high=1, difficulty=label_of, models=["m"]
        )
    kind = difficulty(passes, 10)
    update = {"question_id": name, "gpt_pass_percentage": passes / 10, "gpt_difficulty": kind, "solver": rate}
    return ReleaseRow(
        **row.model_copy(update=update).model_dump(),
        split=split,
        benchmark_similarity=0,
        benchmark_item="",
        benchmark_span="",
        benchmark_hits=[],
        content=[],
        labels=Labels(topics=["other"], skills=[], libraries=[], language="en", words=3, structure=""),
        duplicates=[],
        filter_reason="",
    )
