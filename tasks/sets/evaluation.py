"""The set ``evaluation``: the rows that are held out, in HumanEval's columns with ours beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from tasks.arrow import arrow_schema
from tasks.models import ReleaseRow, Split
from tasks.released import Released
from tasks.reviews import is_doubt
from tasks.sets.columns import entry_points
from tasks.sets.levels import COLUMNS, levels
from tasks.sets.tables import Piece, split_rows

SPLIT = "test"
_AS_THEY_ARE = ("subset", "style", "licence", "group", "test", "io")
SCHEMA = pa.schema(
    [
        pa.field("id", pa.string()),
        pa.field("prompt", pa.string()),
        pa.field("entry_point", pa.string()),
        pa.field("canonical_solution", pa.string()),
        *(arrow_schema(ReleaseRow).field(name) for name in _AS_THEY_ARE),
        pa.field("entry_points", pa.list_(pa.string())),
        pa.field("libraries", pa.list_(pa.string())),
        pa.field("topics", pa.list_(pa.string())),
        pa.field("difficulty", pa.string()),
        pa.field("pass_rate", pa.float64()),
    ]
)
_OF_ROW = ("question_id", "split", "filter_reason", "question", "solution", "test_info", "labels", "lineage")
_READ = [*_OF_ROW, *_AS_THEY_ARE, *COLUMNS]


def evaluation_rows(released: Released) -> Iterator[Piece]:
    """A row for each row that is held out, in every style that it is told in without a doubt."""
    for table in released.tables(_READ):
        rows = []
        for row, (level, rate) in zip(table.to_pylist(), levels(table), strict=True):
            if row["split"] != Split.EVALUATION or is_doubt(row["filter_reason"]):
                continue
            names = entry_points(row)
            made = {
                "id": row["question_id"],
                "prompt": row["question"],
                "entry_point": names[0] if names else "",
                "canonical_solution": row["solution"],
                "entry_points": names,
                "libraries": row["lineage"]["libraries"],
                "topics": row["labels"]["topics"],
                "difficulty": level.value,
                "pass_rate": rate,
            }
            rows.append((SPLIT, {**row, **made}))
        yield from split_rows(rows, SCHEMA)
