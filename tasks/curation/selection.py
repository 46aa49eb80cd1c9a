"""The rows that meet the target mix: what there is too much of is left out, the least verified first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from prefect.logging import get_run_logger

from tasks.arrow import values
from tasks.artifacts import Outcome, Receipt, Stage
from tasks.curation.corpus import QUALITY, verification_quality
from tasks.curation.diversity.mix import choose
from tasks.curation.files import CurationDecision
from tasks.models import Labels, Reject, RejectReason, ReleaseRow, Split
from tasks.run import Run, StageName
from tasks.shards import shard_task

MIX = "mix.md"
_OF_RELEASE = ["question_id", "subset", "style", "gpt_difficulty", "labels", "split", *QUALITY]
_OF_DECISIONS = ["id", "subset", "decision", "quality", "topics", "skills", "libraries", "language", "words"]


def _of_triplets(table: pa.Table) -> pd.DataFrame:
    rows = table.filter(pc.field("split") == Split.TRAIN.value).to_pylist()
    return pd.DataFrame(
        {
            "id": [row["question_id"] for row in rows],
            "subset": [row["subset"] for row in rows],
            "style": [row["style"] for row in rows],
            "difficulty": [row["gpt_difficulty"] for row in rows],
            "quality": [tuple(verification_quality(row)) for row in rows],
            **{name: [row["labels"][name] for row in rows] for name in Labels.model_fields},
        }
    )


def _of_decisions(table: pa.Table) -> pd.DataFrame:
    return table.filter(pc.field("decision") == Split.TRAIN.value).to_pandas().assign(style="", difficulty="")


def _candidates(stage: Stage, source: StageName, curated: Sequence[Receipt]) -> pd.DataFrame:
    """All train rows of a run."""
    if source is StageName.TRIPLETS:
        frames = [_of_triplets(stage.table(part, _OF_RELEASE)) for part in curated]
    else:
        frames = [_of_decisions(stage.table(part, _OF_DECISIONS)) for part in curated]
    every = pd.concat(frames, ignore_index=True)
    every["quality"] = every["quality"].rank(method="dense")  # of triplets tuples, the weightiest criterion first
    return every


@shard_task("select rows")
def select_rows(
    run: Run, source: StageName, curated: Sequence[Receipt], accepted: frozenset[str] = frozenset()
) -> list[Receipt]:
    """Of the train rows those that meet the mix; rows in `use_with_caution` stay as they are.

    Args:
        accepted: ids of rows that somebody accepted: they are taken first, and stay even if there are too many of them.

    Raises:
        BadInput: the mix cannot be met, and is to stop then.
    """
    mix = run.config.curation.mix
    stage = run.stage(StageName.CURATED)

    @cache
    def left_out() -> Mapping[str, str]:
        frame = _candidates(stage, source, curated)
        if accepted:
            frame.loc[frame["id"].isin(accepted), "quality"] += len(frame)
        choice = choose(frame, mix, run.config.seed)
        get_run_logger().info("mix: %s", choice.message)
        run.store.write(choice.to_markdown().encode(), run.config.run, MIX)
        ids = frame["id"].to_numpy()
        return {name: why for place, why in choice.left_out if (name := str(ids[place])) not in accepted}

    receipts = []
    for part in curated:

        def work(part: Receipt = part) -> Outcome:
            if source is StageName.TRIPLETS:
                return _without(stage.table(part), left_out())
            decided = stage.rows(part, CurationDecision)
            return Outcome.of([_decided(row, left_out().get(row.id)) for row in decided])

        depends_on = [mix, run.config.seed, part, *curated, *([sorted(accepted)] if accepted else [])]
        model = ReleaseRow if source is StageName.TRIPLETS else CurationDecision
        receipts.append(run.stage(StageName.SELECTED).run_shard(part.name, model, depends_on, work))
    return receipts


def _without(table: pa.Table, left_out: Mapping[str, str]) -> Outcome:
    ids, subsets = values(table, "question_id"), values(table, "subset")
    rejects = [
        Reject(id=one, subset=subset, reason=RejectReason.OVER_TARGET, evidence=left_out[one])
        for one, subset in zip(ids, subsets, strict=True)
        if one in left_out
    ]
    stays = pa.array([one not in left_out for one in ids], pa.bool_())
    return Outcome(rows_in=len(ids), rows=table.filter(stays), rejects=rejects)


def _decided(row: CurationDecision, why: str | None) -> CurationDecision:
    if why is None:
        return row
    return row.model_copy(update={"decision": "reject", "reason": RejectReason.OVER_TARGET.value, "evidence": why})
