"""What curation reads of a row, whether it is a triplet of a run or a row of the user's own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tasks.arrow import values
from tasks.artifacts import Receipt, to_table
from tasks.models import CorpusRow
from tasks.run import Run, StageName

QUALITY = ["quality", "mutation_score", "branch_coverage", "gpt_pass_percentage", "lineage"]
"""Columns of a triplet that tell how well it is verified."""
_OF_TRIPLETS = ["question_id", "subset", "metadata", "solution", "test", "licence", *QUALITY]


def verification_quality(triplet: Mapping[str, Any]) -> list[float]:
    """How well a triplet is verified, the weightiest first: checks without a doubt, tests out of the solution's reach,
    mutants caught, branches covered, attempts passed, number of tests."""
    lineage = triplet["lineage"]
    return [
        -float(sum(one["outcome"] != "met" for one in triplet["quality"] if one["outcome"] != "not measured")),
        float(lineage["integrity_tier"] == "isolated"),
        triplet["mutation_score"] or 0.0,
        triplet["branch_coverage"] or 0.0,
        triplet["gpt_pass_percentage"],
        float(len(lineage["tests_passed"])),
    ]


def row_ids(run: Run, stage: StageName, shard: Receipt) -> list[str]:
    """Ids of the rows of a shard, of the user's own file (``rows``) or of any other stage."""
    name = "id" if stage is StageName.ROWS else "question_id"
    return values(run.stage(stage).table(shard, [name]), name)


def read_corpus(run: Run, source: StageName, shard: str) -> pa.Table:
    """The rows of a shard with the columns of ``CorpusRow``.

    Args:
        source: ``triplets`` or ``rows``. Of triplets the question is the one that was asked for, without what was
            added to it.
    """
    stage = run.stage(source)
    if source is StageName.ROWS:
        return stage.table(shard)
    return to_table(
        [
            CorpusRow(
                id=row["question_id"],
                subset=row["subset"],
                question=row["metadata"]["original_instruction"],
                solution=row["solution"],
                test=row["test"],
                licence=row["licence"],
                quality=verification_quality(row),
            )
            for row in stage.table(shard, _OF_TRIPLETS).to_pylist()
        ],
        CorpusRow,
    )
