"""The set ``curriculum``: the train rows in order of difficulty, easiest first, cut into the splits easy, medium and
hard."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.arrow import arrow_schema
from tasks.models import Difficulty, ReleaseRow, Split
from tasks.released import Released
from tasks.sets.levels import levels
from tasks.sets.tables import Piece

Place = tuple[int, float]
"""Position of the split, and the share of failures: what rows are ordered by."""
SCHEMA = pa.schema([field for field in arrow_schema(ReleaseRow) if field.name != "split"])
_LEVELS = list(Difficulty)
_BATCH = 1000


def curriculum_rows(released: Released) -> Iterator[Piece]:
    """The train rows, in order. Rows of one pass rate keep the order of the run.

    They wait on local disk, a file per pass rate, so that no more than a shard is in memory.
    """
    with tempfile.TemporaryDirectory(prefix="kodforge-") as folder:
        places = _spread(released, Path(folder))
        for place in sorted(places):
            with pq.ParquetFile(places[place], pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=_BATCH):
                    yield _LEVELS[place[0]].value, pa.Table.from_batches([batch])


def _spread(released: Released, folder: Path) -> dict[Place, Path]:
    """Put the rows of each pass rate into a file of their own."""
    paths: dict[Place, Path] = {}
    with ExitStack() as stack:
        writers: dict[Place, pq.ParquetWriter] = {}
        for rows in released.tables():
            table = rows.filter(pc.field("split") == Split.TRAIN.value)
            members: dict[Place, list[int]] = defaultdict(list)
            for number, (level, rate) in enumerate(levels(table)):
                members[_LEVELS.index(level), 1 - rate].append(number)
            for place, numbers in members.items():
                if place not in writers:
                    paths[place] = folder / f"{len(paths)}.parquet"
                    writers[place] = stack.enter_context(pq.ParquetWriter(paths[place], SCHEMA))
                writers[place].write_table(table.select(SCHEMA.names).take(numbers))
    return paths
