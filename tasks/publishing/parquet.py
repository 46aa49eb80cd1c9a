"""The Parquet files of a release: sorted by what readers filter by, in row groups that a filter can skip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.scratch import scratch_folder

SORT_KEY = ("subset", "style", "gpt_difficulty", "question_id")
_MOST_PILES = 256
"""Files that are open at once while rows are sorted."""
_LEAST_PILE = 1000
_RANK = "__rank__"


class ParquetFiles:
    """Rows that come table by table, written into files of a bounded size; a row group of them is in memory.

    zstd, with statistics and a page index, and with pages cut by their content, so that storage which keeps equal
    chunks once (the hub's Xet) stores of a later version what changed.

    Args:
        folder: where they go; it may be one that others write into.
        name: what the files' names begin with.
        sorted_by: columns that the rows are sorted by; told in the files.
        ids: column that gets a Bloom filter; a row is found by its id without reading the row groups that lack it.

    Attributes:
        paths: of the files, in order.
        rows, bytes: that were added; the bytes are those in memory.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        rows_per_file: int,
        rows_per_group: int,
        sorted_by: Sequence[str] = (),
        ids: str = "",
    ) -> None:
        self._folder, self._name = folder, name
        self._file, self._group = rows_per_file, rows_per_group
        self._sorted_by, self._ids = sorted_by, ids
        self._writer: pq.ParquetWriter | None = None
        self._left = 0
        self._held: list[pa.Table] = []
        self._held_rows = 0
        self.paths: list[Path] = []
        self.rows = self.bytes = 0

    @property
    def schema(self) -> pa.Schema:
        """Of the rows; at least one was added."""
        return pq.read_schema(self.paths[0]) if self.paths else self._held[0].schema

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        self.bytes += table.nbytes
        self._held.append(table)
        self._held_rows += table.num_rows
        while self._held_rows >= (size := min(self._group, self._left or self._file)):
            self._write(size)

    def close(self) -> None:
        """Write what is held, and finish the last file."""
        if self._held_rows:
            self._write(self._held_rows)
        self._end()

    def _write(self, rows: int) -> None:
        whole = pa.concat_tables(self._held)
        self._held, self._held_rows = [whole.slice(rows)], whole.num_rows - rows
        if self._writer is None:
            self._begin(whole.schema)
        assert self._writer is not None
        self._writer.write_table(whole.slice(0, rows).combine_chunks(), row_group_size=rows)
        self._left -= rows
        if not self._left:
            self._end()

    def _begin(self, schema: pa.Schema) -> None:
        order: list[tuple[str, Literal["ascending", "descending"]]] = [(one, "ascending") for one in self._sorted_by]
        self.paths.append(self._folder / f"{self._name}-{len(self.paths)}.parquet")
        self._left = self._file
        self._writer = pq.ParquetWriter(
            self.paths[-1],
            schema,
            compression="zstd",
            write_statistics=True,
            write_page_index=True,
            use_content_defined_chunking=True,
            sorting_columns=pq.SortingColumn.from_ordering(schema, order) if order else None,
            bloom_filter_options={self._ids: {"ndv": self._group, "fpp": 0.01}} if self._ids else None,
        )

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer, self._left = None, 0


class Order:
    """The sorted order of rows that come in many tables.

    Args:
        keys: the columns ``split``, ``subset``, ``style``, ``gpt_difficulty`` and ``question_id`` of all rows. What is
            in memory is one such table over all rows, about 80 bytes a row.
        splits: the splits in their order.
    """

    def __init__(self, keys: pa.Table, splits: Sequence[str]) -> None:
        place = pa.array([splits.index(one) for one in keys["split"].unique().to_pylist()], pa.int64())
        numbers = pc.take(place, pc.index_in(keys["split"], value_set=keys["split"].unique()))
        sortable = keys.drop_columns(["split"]).append_column("split", numbers)
        order = pc.sort_indices(sortable, sort_keys=[(name, "ascending") for name in ("split", *SORT_KEY)])
        self._ranks = np.empty(keys.num_rows, np.int64)
        self._ranks[order.to_numpy()] = np.arange(keys.num_rows)
        counts = np.bincount(numbers.to_numpy(), minlength=len(splits)) if keys.num_rows else np.zeros(len(splits))
        self.counts = {split: int(count) for split, count in zip(splits, counts, strict=True)}

    def split_tables(
        self, tables: Callable[[], Iterable[pa.Table]], columns: Sequence[str]
    ) -> Iterator[tuple[str, Iterator[pa.Table]]]:
        """The rows of each split, sorted, in tables of about a thousand.

        They wait on local disk in piles, of which one at a time is read back.

        Args:
            tables: the same rows in the same order as ``keys``, with all columns.
        """
        with scratch_folder() as folder:
            piles = self._spread(tables(), columns, folder)
            for split in self.counts:
                if self.counts[split]:
                    yield split, (_read_pile(path) for path in piles[split])

    def _spread(self, tables: Iterable[pa.Table], columns: Sequence[str], folder: Path) -> dict[str, list[Path]]:
        size = max(_LEAST_PILE, -(-len(self._ranks) // _MOST_PILES))
        starts = np.cumsum([0, *self.counts.values()])
        piles = np.array([0, *(-(-count // size) for count in self.counts.values())]).cumsum()
        with ExitStack() as stack:
            writers: dict[int, pa.ipc.RecordBatchStreamWriter] = {}
            done = 0
            for table in tables:
                ranks = self._ranks[done : done + table.num_rows]
                done += table.num_rows
                split = np.searchsorted(starts, ranks, side="right") - 1
                pile_of = piles[split] + (ranks - starts[split]) // size
                rows = table.select(list(columns)).append_column(_RANK, pa.array(ranks))
                for pile in np.unique(pile_of):
                    if pile not in writers:
                        options = pa.ipc.IpcWriteOptions(compression="zstd")
                        path = str(folder / f"{pile:06d}")
                        writers[pile] = stack.enter_context(pa.ipc.new_stream(path, rows.schema, options=options))
                    writers[pile].write_table(rows.take(np.flatnonzero(pile_of == pile)))
        if done != len(self._ranks):
            raise AssertionError(f"{len(self._ranks)} rows were ordered, and {done} came to be written")
        return {
            split: [folder / f"{pile:06d}" for pile in range(piles[number], piles[number + 1])]
            for number, split in enumerate(self.counts)
        }


def _read_pile(path: Path) -> pa.Table:
    with pa.OSFile(str(path), "rb") as file, pa.ipc.open_stream(file) as reader:
        table = reader.read_all()
    path.unlink()
    return table.take(pc.sort_indices(table[_RANK])).drop_columns([_RANK])


def features(schema: pa.Schema) -> list[dict[str, object]]:
    """The features of a data set as the YAML of its card has them: a mapping per column, with its name."""
    return [{"name": field.name, **_feature(field.type)} for field in schema]


def _feature(kind: pa.DataType) -> dict[str, object]:
    if pa.types.is_struct(kind):
        return {"struct": features(pa.schema(list(kind)))}
    if pa.types.is_list(kind):
        inner = _feature(kind.value_type)
        return {"list": inner.get("struct") or inner.get("dtype") or inner}
    return {"dtype": _DTYPES[kind]}


_DTYPES = {
    pa.string(): "string",
    pa.int64(): "int64",
    pa.int32(): "int32",
    pa.float64(): "float64",
    pa.float32(): "float32",
    pa.bool_(): "bool",
    pa.binary(): "binary",
}
