"""The set ``curriculum``: the train rows in order of difficulty, easiest first, cut into the splits easy, medium and
hard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tasks.arrow import arrow_schema
from tasks.models import Difficulty, ReleaseRow, Split
from tasks.released import Released
from tasks.scratch import scratch_folder
from tasks.sets.levels import levels
from tasks.sets.tables import Piece

Place = tuple[int, float]
"""Position of the split, and the share of failures: what rows are ordered by."""
SCHEMA = pa.schema([field for field in arrow_schema(ReleaseRow) if field.name != "split"])
_LEVELS = list(Difficulty)
_BATCH = 1000
_PACKED = pa.ipc.IpcWriteOptions(compression="zstd")


def curriculum_rows(released: Released) -> Iterator[Piece]:
    """The train rows, in order. Rows of one pass rate keep the order of the run.

    They wait on local disk, a file per pass rate, so that no more than a shard is in memory.
    """
    with scratch_folder() as folder:
        places = _spread(released, folder)
        for place in sorted(places):
            for batch in _batches(places[place]):
                yield _LEVELS[place[0]].value, pa.Table.from_batches([batch])


def _spread(released: Released, folder: Path) -> dict[Place, Path]:
    """Put the rows of each pass rate into a file of their own.

    A file gets a stream for each shard, and is open only while one is written: solvers asked different numbers of times
    give as many pass rates as there are fractions.
    """
    paths: dict[Place, Path] = {}
    for rows in released.tables():
        table = rows.filter(pc.field("split") == Split.TRAIN.value)
        members: dict[Place, list[int]] = defaultdict(list)
        for number, (level, rate) in enumerate(levels(table)):
            members[_LEVELS.index(level), 1 - rate].append(number)
        for place, numbers in members.items():
            path = paths.setdefault(place, folder / f"{len(paths)}.arrows")
            with path.open("ab") as file, pa.ipc.new_stream(file, SCHEMA, options=_PACKED) as stream:
                stream.write_table(table.select(SCHEMA.names).take(numbers), max_chunksize=_BATCH)
    return paths


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a file, a stream after the other."""
    with pa.OSFile(str(path), "rb") as file:
        while file.tell() < file.size():
            yield from pa.ipc.open_stream(file)
