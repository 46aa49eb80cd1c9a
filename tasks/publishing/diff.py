"""What differs between two releases: rows, columns, sets, and the make-up of the whole.

Rows are joined by ``question_id`` and compared by the hashes of their columns: about 500 bytes for each row of
each release are in memory, whatever the rows hold.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.curation.diversity.drift import js_distance
from tasks.errors import BadInput
from tasks.publishing.changes import (
    Change,
    ColumnChange,
    Diff,
    Measured,
    Move,
    RowCounts,
    Shift,
    TableChange,
)
from tasks.publishing.folder import Manifest, Release
from tasks.publishing.hashing import Hashes, column_hashes, row_hashes
from tasks.store import Store

DEFAULT = "default"
"""The configuration with the rows themselves; all others are made of them."""
_ID = "question_id"
_AXES = ("split", "subset", "style", "gpt_difficulty", "licence")
_EXAMPLES = 5
_MOVERS = 3
_BATCH = 1000


@dataclass
class _Seen:
    """One release as far as it is compared. ``hashes``: shape (rows, shared columns)."""

    facts: pd.DataFrame
    hashes: Hashes
    measures: Mapping[str, float | None]


@dataclass
class _Sums:
    count: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    total: dict[str, float] = field(default_factory=lambda: defaultdict(float))


def diff(earlier: Release, later: Release) -> Diff:
    """Compare two releases.

    Raises:
        BadInput: a file that a manifest names cannot be read, or an id is in a release twice.
    """
    schemas = [_schemas(*release) for release in (earlier, later)]
    changes = list(_schema_changes(*schemas))
    shared = {
        config: [one.name for one in fields if one.name in others.names and one.type == others.field(one.name).type]
        for config, fields in schemas[0].items()
        if (others := schemas[1].get(config)) is not None
    }
    left, right = (_seen(release, shared.get(DEFAULT, [])) for release in (earlier, later))
    both = left.facts.index.intersection(right.facts.index)
    here, there = left.facts.index.get_indexer(both), right.facts.index.get_indexer(both)
    changed, columns = np.zeros(len(both), np.bool_), {}
    for number, name in enumerate(shared.get(DEFAULT, [])):
        differs = left.hashes[here, number] != right.hashes[there, number]
        changed |= differs
        if count := int(differs.sum()):
            columns[name] = count
    rows = pd.DataFrame(
        {
            "source": left.facts["split"].to_numpy()[here],
            "target": right.facts["split"].to_numpy()[there],
        },
        index=both,
    )
    rows["moved"] = rows["source"] != rows["target"]
    ids = {
        "added": right.facts.index.difference(left.facts.index),
        "removed": left.facts.index.difference(right.facts.index),
        "changed": both[changed],
        "moved": both[rows["moved"].to_numpy(bool)],
    }
    moves = rows[rows["moved"]].groupby(["source", "target"]).size()
    tables = _tables(earlier, later, shared, left.facts, right.facts)
    everything = _counts(left.facts, right.facts, ids)
    return Diff(
        before=earlier[1].version,
        after=later[1].version,
        rows=everything,
        groups=_groups(left.facts, right.facts, ids),
        columns=columns,
        moves=[Move.model_validate(one) for one in moves.reset_index(name="rows").to_dict("records")],
        examples={kind: [str(one) for one in found[:_EXAMPLES]] for kind, found in ids.items() if len(found)},
        schema_changes=changes,
        tables=tables,
        shifts=[_shift(axis, left.facts[axis], right.facts[axis]) for axis in _AXES],
        measures=[
            Measured(name=name, before=value, after=right.measures[name]) for name, value in left.measures.items()
        ],
        licences=_licences(left.facts["licence"], right.facts["licence"]),
        change=_change(everything, changes, tables, earlier[1].sha256 == later[1].sha256),
    )


def _change(rows: RowCounts, columns: Sequence[ColumnChange], tables: Sequence[TableChange], equal: bool) -> Change:
    if rows.removed or rows.changed or rows.moved or any(one.before for one in columns):
        return "major"
    if any(one.removed or (one.before is not None and one.after is None) for one in tables):
        return "major"
    if rows.added or columns or any(one.added or one.before is None for one in tables):
        return "minor"
    return "none" if equal else "patch"


def _read(store: Store, name: str, work: Callable[[pq.ParquetFile], Iterable[pa.Table]]) -> Iterator[pa.Table]:
    try:
        with store.open(*name.split("/")) as file:
            yield from work(pq.ParquetFile(file))
    except (OSError, pa.ArrowException) as error:
        raise BadInput(
            f"{store.path(name)} cannot be read: {error}. `sha256sum -c SHA256SUMS` in the folder of the release shows "
            f"which files are not as they were released"
        ) from error


def _schemas(store: Store, manifest: Manifest) -> dict[str, pa.Schema]:
    found: dict[str, pa.Schema] = {}
    for table in manifest.tables:
        if table.files and table.config not in found:
            (empty,) = _read(store, table.files[0], lambda file: [file.schema_arrow.empty_table()])
            found[table.config] = empty.schema
    return found


def _schema_changes(left: dict[str, pa.Schema], right: dict[str, pa.Schema]) -> Iterator[ColumnChange]:
    for config in left.keys() & right.keys():
        types = [{one.name: str(one.type) for one in schema} for schema in (left[config], right[config])]
        for column in dict.fromkeys([*types[0], *types[1]]):
            before, after = (one.get(column, "") for one in types)
            if before != after:
                yield ColumnChange(config=config, column=column, before=before, after=after)


def _batches(release: Release, config: str, split: str | None = None) -> Iterator[tuple[str, pa.Table]]:
    """The rows of a configuration, a thousand at a time, with the split that they are in."""
    store, manifest = release

    def work(file: pq.ParquetFile) -> Iterator[pa.Table]:
        return (pa.Table.from_batches([batch]) for batch in file.iter_batches(batch_size=_BATCH))

    for table in manifest.tables:
        if table.config == config and split in (None, table.split):
            for name in table.files:
                yield from ((table.split, batch) for batch in _read(store, name, work))


def _seen(release: Release, columns: Sequence[str]) -> _Seen:
    facts = [pa.schema([(name, pa.string()) for name in (_ID, *_AXES)]).empty_table()]
    hashes: list[Hashes] = []
    sums = _Sums()
    for split, table in _batches(release, DEFAULT):
        told: dict[str, Any] = {name: table[name] for name in (_ID, *_AXES) if name in table.column_names}
        told["split"] = [split] * table.num_rows
        plain = {name: told.get(name, [""] * table.num_rows) for name in (_ID, *_AXES)}
        facts.append(pa.table(plain, schema=facts[0].schema))
        hashes.append(column_hashes(table.select(list(columns))))
        _measure(table, sums)
    rows = pa.concat_tables(facts).to_pandas(categories=list(_AXES)).set_index(_ID)
    if not rows.index.is_unique:
        twice = rows.index[rows.index.duplicated()][0]
        raise BadInput(f"{release[0].url!r} has question_id {twice!r} twice: its rows cannot be told apart")
    every = np.concatenate(hashes) if hashes else np.empty((0, len(columns)), np.uint64)
    means = {name: sums.total[name] / sums.count[name] if sums.count[name] else None for name in _MEANS}
    counts = {name: sums.total[name] for name in _LISTS}
    return _Seen(rows, every, {**counts, **means})


_LISTS = {"rows that stand for duplicates": "duplicates", "rows that overlap a benchmark": "benchmark_hits"} | {
    "rows with doubtful content": "content"
}
_MEANS = {
    "mean pass rate of the author": "gpt_pass_percentage",
    "mean branch coverage": "branch_coverage",
    "mean mutation score": "mutation_score",
}


def _measure(table: pa.Table, sums: _Sums) -> None:
    for name, column in _LISTS.items():
        if column in table.column_names:
            filled = pc.greater(pc.list_value_length(table[column]), pa.scalar(0))
            sums.total[name] += pc.sum(filled).as_py() or 0
    for name, column in _MEANS.items():
        if column in table.column_names:
            sums.count[name] += len(table) - table[column].null_count
            sums.total[name] += pc.sum(table[column]).as_py() or 0.0


def _counts(left: pd.DataFrame, right: pd.DataFrame, ids: dict[str, pd.Index]) -> RowCounts:
    return RowCounts(before=len(left), after=len(right), **{kind: len(found) for kind, found in ids.items()})


def _groups(left: pd.DataFrame, right: pd.DataFrame, ids: dict[str, pd.Index]) -> list[RowCounts]:
    """A row moved or changed counts where it is now."""
    by = ["subset", "style"]
    parts = {"before": left, "after": right, "removed": left.loc[ids["removed"]]}
    parts |= {kind: right.loc[ids[kind]] for kind in ("added", "changed", "moved")}
    table = pd.DataFrame({kind: part.groupby(by, observed=True).size() for kind, part in parts.items()})
    counted = table.fillna(0).astype(int).sort_index()
    return [
        RowCounts(subset=str(row["subset"]), style=str(row["style"]), **{kind: int(row[kind]) for kind in parts})
        for row in counted.reset_index().to_dict("records")
    ]


def _tables(
    earlier: Release, later: Release, shared: dict[str, list[str]], left: pd.DataFrame, right: pd.DataFrame
) -> list[TableChange]:
    sizes = [{(one.config, one.split): one.rows for one in release[1].tables} for release in (earlier, later)]
    found = []
    for config, split in dict.fromkeys([*sizes[0], *sizes[1]]):
        before, after = (one.get((config, split)) for one in sizes)
        if before is None or after is None:
            added, removed = after or 0, before or 0
        elif config == DEFAULT:
            ids = [facts.index[facts["split"] == split] for facts in (left, right)]
            added, removed = len(ids[1].difference(ids[0])), len(ids[0].difference(ids[1]))
        else:
            columns = shared.get(config, [])
            bags = [_bag(release, config, split, columns) for release in (earlier, later)]
            added, removed = (bags[1] - bags[0]).total(), (bags[0] - bags[1]).total()
        found.append(TableChange(config=config, split=split, before=before, after=after, added=added, removed=removed))
    return found


def _bag(release: Release, config: str, split: str, columns: Sequence[str]) -> Counter[int]:
    """How often each row is in a table: by its hash."""
    found: Counter[int] = Counter()
    for _, table in _batches(release, config, split):
        found.update(row_hashes(column_hashes(table.select(list(columns)))).tolist())
    return found


def _shift(axis: str, left: pd.Series[str], right: pd.Series[str]) -> Shift:
    counts = pd.DataFrame({"before": left.value_counts(), "after": right.value_counts()}).fillna(0)
    shares = counts / counts.sum().clip(lower=1)
    before, after = shares["before"].to_dict(), shares["after"].to_dict()
    order = sorted(before, key=lambda value: (-abs(after[value] - before[value]), str(value)))
    movers = [
        f"{value!s} {before[value]:.1%} to {after[value]:.1%}"
        for value in order[:_MOVERS]
        if before[value] != after[value]
    ]
    distance = js_distance(counts["before"].to_numpy(np.float64), counts["after"].to_numpy(np.float64))
    return Shift(axis=axis, distance=round(distance, 6), movers=movers)


def _licences(left: pd.Series[str], right: pd.Series[str]) -> dict[str, tuple[int, int]]:
    counts = [Counter(str(one) for one in rows) for rows in (left, right)]
    names = sorted({*counts[0], *counts[1]})
    return {name: (counts[0][name], counts[1][name]) for name in names if counts[0][name] != counts[1][name]}
