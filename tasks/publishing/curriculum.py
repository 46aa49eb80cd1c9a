"""The train rows in order of difficulty, easiest first, cut into the splits easy, medium and hard."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.artifacts import Receipt
from tasks.models import Difficulty, Split
from tasks.run import Run

Place = tuple[int, float]
"""Position of the split, and the share of failures: what rows are ordered by."""
_LEVELS = list(Difficulty)


def curriculum(run: Run, receipts: Sequence[Receipt], columns: list[str], size: int) -> Iterator[tuple[str, pa.Table]]:
    """The train rows as (split, table of at most ``size`` rows), in order.

    A row's difficulty is what a solver that saw no tests makes of it, and where none was asked what the author's own
    attempts do. Rows of one pass rate keep the order of the run. Rows wait on local disk, a file per pass rate, so that
    no more than a shard and a table is in memory.
    """
    with tempfile.TemporaryDirectory(prefix="kodforge-") as folder:
        places = _spread(run, receipts, columns, Path(folder))
        for level, name in enumerate(_LEVELS):
            held: list[pa.Table] = []
            for place in sorted(place for place in places if place[0] == level):
                with pq.ParquetFile(places[place], pre_buffer=False) as file:
                    for batch in file.iter_batches(batch_size=min(size, 1000)):
                        held.append(pa.Table.from_batches([batch]))
                        while sum(part.num_rows for part in held) >= size:
                            whole = pa.concat_tables(held)
                            yield name.value, whole.slice(0, size).combine_chunks()
                            held = [whole.slice(size)]
            if sum(part.num_rows for part in held):
                yield name.value, pa.concat_tables(held).combine_chunks()


def _spread(run: Run, receipts: Sequence[Receipt], columns: list[str], folder: Path) -> dict[Place, Path]:
    """Put the rows of each pass rate into a file of their own."""
    paths: dict[Place, Path] = {}
    with ExitStack() as stack:
        writers: dict[Place, pq.ParquetWriter] = {}
        for receipt in receipts:
            table = run.stage(run.last_stage).table(receipt.name)
            table = table.filter(pc.field("split") == Split.TRAIN.value)
            members: dict[Place, list[int]] = defaultdict(list)
            told = table.select(["gpt_difficulty", "gpt_pass_percentage", "solver"]).to_pylist()
            for number, row in enumerate(told):
                members[_place(row["gpt_difficulty"], row["gpt_pass_percentage"], row["solver"])].append(number)
            for place, numbers in members.items():
                if place not in writers:
                    paths[place] = folder / f"{len(paths)}.parquet"
                    writers[place] = stack.enter_context(pq.ParquetWriter(paths[place], table.select(columns).schema))
                writers[place].write_table(table.select(columns).take(numbers))
    return paths


def _place(label: str, rate: float, solver: dict[str, object] | None) -> Place:
    if solver is not None:
        label, rate = str(solver["difficulty"] or Difficulty.HARD.value), float(str(solver["rate"]))
    return _LEVELS.index(Difficulty(label)), 1 - rate
