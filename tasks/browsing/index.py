"""The index of a run's rows: a DuckDB database on local disk, made of the run's shards and kept for the next start.

Only what has changed since is read again, by the receipts, a few thousand rows at a time. Nothing but what the run's
Parquet says is in it, so that it can be removed at any time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tasks.artifacts import Receipt
from tasks.browsing import tables, words
from tasks.browsing.database import discard, is_own, opened, remove_left_overs, snapshot, transaction, usable
from tasks.browsing.queries import fetch, first
from tasks.errors import BadInput, Gone
from tasks.lease import writer_of
from tasks.models import SCHEMA_VERSION
from tasks.run import Run, StageName
from tasks.store import Written

FORMAT = 3
"""Of the database; another one is made beside it."""
BATCH_ROWS = 5_000
"""Rows of some shards that are in memory at a time, unless one shard has more."""
_AT_LEAST_S, _PATIENCE = 1.5, 5
"""A run under way is looked at again after that, or after so many times what the last look took."""
_MADE = "rows of"
"""In ``meta``, as long as ``rows`` is what the other tables say: the stage whose rows are released."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Shard:
    """A finished shard as it is now, and what another one in its place would not have."""

    receipt: Receipt
    stamp: str
    at: float


@dataclass(frozen=True)
class _Changes:
    """What has changed in a stage.

    Attributes:
        fresh: shards to read.
        gone: names of shards that there no longer are.
        manifest: the stamp of the one that says so; empty where the stage is under way.
    """

    fresh: list[_Shard]
    gone: list[str]
    manifest: str = ""


class Index:
    """Rows of one run. Any thread may use it: each takes a cursor of its own.

    Args:
        folder: where databases are kept.
        progress: is told what is being read.

    Attributes:
        path: the database.
        version: is raised whenever rows may have changed.

    Raises:
        BadInput: the folder may not be written, or is full.
    """

    def __init__(self, run: Run, folder: Path, progress: Progress = lambda _: None) -> None:
        self.run, self._progress = run, progress
        self.version = 0
        self._lock = Lock()
        self._again = 0.0
        self._manifests: dict[str, str] = {}
        name = hashlib.sha256(f"{run.store.url} {run.config.run}".encode()).hexdigest()[:16]
        with usable(folder, OSError, duckdb.Error):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            remove_left_overs(folder)
            file = folder / f"{run.config.run}-{name}-{SCHEMA_VERSION}-{FORMAT}.duckdb"
            self._connection, self.path = opened(file)
            if first(self._connection, "SELECT 1 FROM duckdb_tables() WHERE table_name = 'rows'") is None:
                with transaction(self._connection):
                    self._connection.execute(tables.SCHEMA)
                    self._put_rows(self._connection)

    def close(self) -> None:
        """Close the database. One that was made because another server has the usual one is removed."""
        self._connection.close()
        if is_own(self.path):
            discard(self.path)

    def cursor(self) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        """A connection of the caller's own, which sees the rows as they were when it began to ask."""
        return snapshot(self._connection)

    def refresh(self) -> bool:
        """Read what has changed in the store.

        Returns:
            Whether anything has; False too where another thread is at it.

        Raises:
            BadInput: the run is of another version of kodforge, or the database's folder is full.
            StoreUnavailable: the store cannot be reached.
        """
        if not self._lock.acquire(blocking=False):
            return False
        cursor = self._connection.cursor()
        try:
            with usable(self.path.parent, duckdb.Error):
                return self._refresh(cursor)
        finally:
            cursor.close()
            self._lock.release()

    def refresh_soon(self) -> bool:
        """As ``refresh``, but not so often that it would do nothing else."""
        began = time.monotonic()
        if began < self._again:
            return False
        changed = self.refresh()
        self._again = time.monotonic() + max(_AT_LEAST_S, _PATIENCE * (time.monotonic() - began))
        return changed

    def _refresh(self, cursor: duckdb.DuckDBPyConnection) -> bool:
        for stage, reading in tables.READINGS.items():
            found = self._changes(cursor, stage)
            if found is None:
                continue
            if found.gone:
                with transaction(cursor):
                    _forget(cursor, stage, reading, found.gone)
            done, is_whole = 0, True
            for batch in _batches(found.fresh):
                done += len(batch)
                self._progress(f"reading {stage.value}: {done} of {len(found.fresh)} shards")
                is_whole = self._read(cursor, stage, reading, batch) and is_whole
            if is_whole and found.manifest:
                self._manifests[stage.value] = found.manifest
        self._read_late_texts(cursor)
        made_of = first(cursor, "SELECT value FROM meta WHERE name = ?", [_MADE])
        if made_of == (self.run.last_stage.value,):
            return False
        words.settle(cursor)
        self._make_rows(cursor)
        with suppress(duckdb.TransactionException):  # somebody reads: the next one will do
            cursor.execute("CHECKPOINT")
        return True

    def _changes(self, cursor: duckdb.DuckDBPyConnection, stage: StageName) -> _Changes | None:
        """What has changed in a stage since it was read; None where nothing can have.

        A finished stage names its shards in its manifest. Of one that is under way each receipt is looked at, and read
        where it was written since.
        """
        store, folder = self.run.store, (self.run.config.run, stage.value)
        manifest = store.written(*folder).get("manifest.json")
        if manifest and self._manifests.get(stage.value) == manifest.stamp:
            return None
        query = "SELECT shard, content, stamp FROM receipts WHERE stage = ?"
        known = {name: (content, stamp) for name, content, stamp in fetch(cursor, query, [stage.value])}
        told = self.run.stage(stage).manifest() if manifest else None
        if manifest and told and told["schema_version"] != SCHEMA_VERSION and writer_of(self.run.store, folder[0]):
            return _Changes([], sorted(known))  # whoever writes the run is about to make it anew
        if manifest and told:
            _check_version(self.run, told)
            receipts = [Receipt.model_validate(one) for one in told["shards"]]
            fresh = [_Shard(one, "", manifest.at) for one in receipts if known.get(one.name, ("",))[0] != one.content]
            return _Changes(fresh, sorted(known.keys() - {one.name for one in receipts}), manifest.stamp)
        self._manifests.pop(stage.value, None)
        return self._receipts(cursor, stage, known, store.written(*folder, "receipts"))

    def _receipts(
        self,
        cursor: duckdb.DuckDBPyConnection,
        stage: StageName,
        known: dict[str, tuple[str, str]],
        listed: dict[str, Written],
    ) -> _Changes:
        """What has changed in a stage that is under way.

        Args:
            known: by shard, the content and the stamp of its receipt when it was read.
            listed: the receipts that there are.
        """
        fresh, there, touched = [], set(), {}
        for file, written in sorted(listed.items()):
            name = file.removesuffix(".json")
            content, stamp = known.get(name, ("", ""))
            if stamp != written.stamp:
                receipt = self.run.stage(stage).done(name) if file.endswith(".json") else None
                if receipt is None:
                    continue
                if receipt.content == content:
                    touched[name] = written.stamp
                else:
                    fresh.append(_Shard(receipt, written.stamp, written.at))
            there.add(name)
        if touched:
            table = pa.table({"shard": list(touched), "stamp": list(touched.values())})
            with _viewed(cursor, table):
                cursor.execute(
                    "UPDATE receipts SET stamp = part.stamp FROM part WHERE stage = ? AND receipts.shard = part.shard",
                    [stage.value],
                )
        return _Changes(fresh, sorted(known.keys() - there))

    def _read(
        self,
        cursor: duckdb.DuckDBPyConnection,
        stage: StageName,
        reading: tables.Reading,
        batch: list[_Shard],
    ) -> bool:
        """Put some shards into the tables, in one transaction. One that was replaced meanwhile is left for later.

        Returns:
            Whether none was.
        """
        rows, rejects, read = [], [], []
        for shard in batch:
            receipt = shard.receipt
            try:
                if reading.columns and receipt.rows_out:
                    table = self.run.stage(stage).table(receipt, list(reading.columns))
                    rows.append(_labelled(table, receipt.name))
                if receipt.rejected:
                    table = self.run.stage(stage).rejected(receipt, ["id", "subset", "reason", "evidence"])
                    rejects.append(
                        _labelled(table, receipt.name).append_column("written", _constant(shard.at, table.num_rows))
                    )
            except Gone:  # replaced since it was listed
                continue
            except KeyError:
                if not shard.stamp:
                    raise
                continue  # it lacks a column: it is of an earlier version, and a run under way is about to replace it
            read.append(shard)
        if not read:
            return not batch
        with transaction(cursor):
            _forget(cursor, stage, reading, [shard.receipt.name for shard in read])
            if rows:
                self._fill(cursor, reading, pa.concat_tables(rows))
            if rejects:
                owner = "id" if stage in tables.UNNAMED else "split_part(id, '/', 1)"
                with _viewed(cursor, pa.concat_tables(rejects)):
                    cursor.execute(tables.REJECTS.format(stage=stage.value, owner=owner))
            for shard in read:
                one = shard.receipt
                counts = [one.rows_in, one.rows_out, one.rejected]
                told = [stage.value, one.name, one.content, shard.stamp, *counts]
                cursor.execute("INSERT INTO receipts VALUES (?,?,?,?,?,?,?)", told)
        return len(read) == len(batch)

    def _fill(self, cursor: duckdb.DuckDBPyConnection, reading: tables.Reading, table: pa.Table) -> None:
        cursor.execute("CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM texts WHERE false")
        with _viewed(cursor, table):
            for statement in reading.statements:
                cursor.execute(statement)
        self._keep_texts(cursor)

    def _keep_texts(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Take new texts in, in place of what there was of the same rows."""
        cursor.execute("DELETE FROM texts WHERE stage = 'questions' AND id IN (SELECT id FROM fresh)")
        cursor.execute("INSERT INTO texts SELECT * FROM fresh")
        cursor.execute(words.ADD)
        cursor.execute("DROP TABLE fresh")

    def _read_late_texts(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Read the texts of questions that were not verified, or not yet."""
        query = (
            "SELECT shard, receipts.content FROM (SELECT DISTINCT questions.shard AS shard FROM questions "
            "ANTI JOIN texts USING (id)) JOIN receipts USING (shard) WHERE receipts.stage = 'questions' ORDER BY shard"
        )
        wanted = fetch(cursor, query)
        for done, (name, content) in enumerate(wanted, 1):
            if done % 50 == 1:
                self._progress(f"reading texts: {done} of {len(wanted)} shards")
            receipt = known_receipt(StageName.QUESTIONS, name, content)
            try:
                table = self.run.stage(StageName.QUESTIONS).table(receipt, ["question_id", "question"])
            except Gone:
                continue
            ids = fetch(cursor, "SELECT id FROM questions ANTI JOIN texts USING (id) WHERE shard = ?", [name])
            lacking = table.filter(
                pc.is_in(table["question_id"], value_set=pa.array([one for (one,) in ids], pa.string()))
            )
            if not lacking.num_rows:
                continue
            with transaction(cursor):
                _outdate_rows(cursor)
                cursor.execute("CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM texts WHERE false")
                with _viewed(cursor, _labelled(lacking, name)):
                    cursor.execute(tables.LATE_TEXTS)
                self._keep_texts(cursor)

    def _make_rows(self, cursor: duckdb.DuckDBPyConnection) -> None:
        with transaction(cursor):
            self._put_rows(cursor)
            _outdate_rows(cursor)
            cursor.execute("INSERT INTO meta VALUES (?, ?)", [_MADE, self.run.last_stage.value])
        self.version += 1

    def _put_rows(self, cursor: duckdb.DuckDBPyConnection) -> None:
        values = {"settling": [stage.value for stage in tables.SETTLING], "beginning": tables.BEGINNING}
        cursor.execute(tables.ROWS, {**values, "last": self.run.last_stage.value})


def known_receipt(stage: StageName, shard: str, content: str) -> Receipt:
    """A receipt as far as the index knows it, which is enough to read its shard."""
    counts = {"rows_in": 0, "rows_out": 0, "rejected": 0, "reasons": {}}
    return Receipt.model_validate(
        {"stage": stage.value, "name": shard, "fingerprint": "", "content": content, **counts}
    )


def _outdate_rows(cursor: duckdb.DuckDBPyConnection) -> None:
    """Have ``rows`` made anew, by whichever start comes to it."""
    cursor.execute("DELETE FROM meta WHERE name = ?", [_MADE])


def _check_version(run: Run, manifest: dict[str, Any]) -> None:
    if manifest["schema_version"] != SCHEMA_VERSION:
        raise BadInput(
            f"run {run.config.run!r} has rows of the version {manifest['schema_version']!r}, and this is kodforge with "
            f"{SCHEMA_VERSION!r}. Run it again with the same config: shards are made anew, no teacher is asked twice"
        )


def _batches(shards: Iterable[_Shard]) -> Iterator[list[_Shard]]:
    batch: list[_Shard] = []
    held = 0
    for shard in shards:
        batch.append(shard)
        held += shard.receipt.rows_in
        if held >= BATCH_ROWS:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _forget(cursor: duckdb.DuckDBPyConnection, stage: StageName, reading: tables.Reading, names: list[str]) -> None:
    """Take shards out of the tables."""
    _outdate_rows(cursor)
    for table in ("receipts", "rejects", *reading.tables):
        of_stage = "stage = ? AND " if table in ("receipts", "rejects", *tables.BY_STAGE) else ""
        values: list[object] = [stage.value] if of_stage else []
        query = f"DELETE FROM {table} WHERE {of_stage} list_contains(?, shard)"
        if fetch(cursor, query, [*values, names]) != [(0,)] and table == "texts":
            words.unsettle(cursor)


def _labelled(table: pa.Table, shard: str) -> pa.Table:
    return table.append_column("shard", _constant(shard, table.num_rows))


def _constant(value: str | float, rows: int) -> pa.Array[Any]:
    return pa.array([value] * rows, pa.string() if isinstance(value, str) else pa.float64())


@contextmanager
def _viewed(cursor: duckdb.DuckDBPyConnection, table: pa.Table) -> Iterator[None]:
    cursor.register("part", table)
    try:
        yield
    finally:
        cursor.unregister("part")
