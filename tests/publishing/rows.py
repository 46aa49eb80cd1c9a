"""Rows to publish, and runs that have them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.acceptance import difficulty
from tasks.artifacts import Outcome, Receipt
from tasks.labeling.triplets import label
from tasks.models import Labels, Placing, ReleaseRow, Row, SolverRate, Split, Style, Triplet
from tasks.run import Run, StageName
from tasks.settings import BuildConfig, Verification
from tests.labeling.rows import question, tries, verdict


def current(folder: Path) -> Path:
    """The folder of the current version of a release."""
    return folder / str(json.loads((folder / "release.json").read_text())["folder"])


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


def row(name: str, passes: int = 5, split: Split = Split.TRAIN, **values: Any) -> ReleaseRow:
    """A row with other values than usual."""
    return release_row(name, passes, split=split).model_copy(update=values)


def told_as(style: Style, of: ReleaseRow) -> ReleaseRow:
    """A row in another style."""
    lineage = of.lineage.model_copy(update={"converted_from": of.question_id})
    return of.model_copy(update={"question_id": f"{of.question_id}_C", "style": style, "lineage": lineage})


SETS = ("sft", "sft_reasoning", "preference", "rl")


def only_rows(folder: Path, name: str, release: dict[str, Any], sets: Sequence[str] = ()) -> BuildConfig:
    """The config of a run whose release has no sets but these."""
    wanted: dict[str, Any] = {one: {"enabled": one in sets} for one in SETS}
    wanted |= {one: one in sets for one in ("curriculum", "evaluation")}
    return BuildConfig(store=str(folder / "store"), run=name, release=release, post_training={"sets": wanted})


def shards(run: Run, stage: StageName, rows: Sequence[Row]) -> list[Receipt]:
    key = [row.model_dump(mode="json") for row in rows]
    return [run.stage(stage).run_shard("p", type(rows[0]), [key], lambda: Outcome.of(rows))]


def finish(run: Run, rows: Sequence[ReleaseRow], converted: Sequence[ReleaseRow] = ()) -> None:
    """Finish curation with these rows, and post-training with what is made of them."""
    run.finish(StageName.CURATED, shards(run, StageName.CURATED, rows))
    placings = [
        Placing(question_id=one.question_id, group=one.group or one.question_id, split=one.split) for one in rows
    ]
    run.finish(StageName.PLACINGS, shards(run, StageName.PLACINGS, placings))
    stage = run.stage(StageName.CONVERTED)
    key = [row.model_dump(mode="json") for row in converted]
    made = [stage.run_shard("p-complete", ReleaseRow, [key], lambda: Outcome.of(converted))] if converted else []
    run.finish(StageName.CONVERTED, made)
    for name in (StageName.CONVERSIONS, StageName.RESPONSES, StageName.GRADES, StageName.REFERENCES):
        run.finish(name, [])
