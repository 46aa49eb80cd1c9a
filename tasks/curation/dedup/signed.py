"""The signatures of all rows, read in parts: rows are numbered through all blocks, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.arrow import packed, values
from tasks.artifacts import Receipt
from tasks.curation.dedup.near import Positions, Sets
from tasks.curation.dedup.semantic import Vectors
from tasks.run import Run, StageName


class Signed:
    """What was signed of a run.

    Args:
        blocks: the shards of the stage ``signatures``, all of them, in order.
    """

    def __init__(self, run: Run, blocks: Sequence[Receipt]) -> None:
        self._stage, self._blocks = run.stage(StageName.SIGNATURES), blocks
        self._ends = np.cumsum([0, *(block.rows_out for block in blocks)])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def column(self, name: str) -> list[Any]:
        """A column of all rows."""
        return [value for block in self._blocks for value in values(self._stage.table(block, [name]), name)]

    def table(self, columns: list[str]) -> pa.Table:
        """Some columns of all rows."""
        return pa.concat_tables([self._stage.table(block, columns) for block in self._blocks])

    def parts(self, rows: Positions) -> Iterator[tuple[str, Positions, Positions]]:
        """Each block's name with those of ``rows`` (ascending) that are in it, and their places within it."""
        cuts = np.searchsorted(rows, self._ends)
        for number, block in enumerate(self._blocks):
            mine = rows[cuts[number] : cuts[number + 1]]
            yield block.name, mine, mine - self._ends[number]

    def take(self, rows: Positions, columns: list[str]) -> pa.Table:
        """Some columns of some rows (ascending), a block in memory at a time."""
        tables = [self._stage.table(name, columns).take(within) for name, mine, within in self.parts(rows) if len(mine)]
        return pa.concat_tables(tables) if tables else self.table(columns).slice(0, 0)

    def sets(self, rows: Positions) -> Sets:
        """The word 3-grams of some rows (ascending)."""
        tables = (
            (self._stage.table(name, ["shingles"]), within) for name, mine, within in self.parts(rows) if len(mine)
        )
        return Sets.concat([Sets.of(*packed(table.take(within), "shingles")) for table, within in tables])

    def questions(self, *rows: Positions) -> dict[int, str]:
        """The questions of some rows, by their numbers."""
        wanted = np.zeros(len(self), bool)
        for some in rows:
            wanted[some] = True
        numbers = np.flatnonzero(wanted)
        if not len(numbers):
            return {}
        return dict(zip(numbers.tolist(), values(self.take(numbers, ["question"]), "question"), strict=True))


def vectors_of(table: pa.Table) -> Vectors:
    """The column ``vector`` as shape (rows, dimensions); no dimensions where nothing was embedded."""
    return halves_of(table).astype(np.float32)


def halves_of(table: pa.Table) -> NDArray[np.float16]:
    """``vectors_of`` as they are stored."""
    halves = packed(table, "vector")[0].view(np.float16)
    return halves.reshape(table.num_rows, -1) if table.num_rows else np.empty((0, 0), np.float16)
