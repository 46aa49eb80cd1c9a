"""The index of a run's rows: a DuckDB database on local disk, made of the run's shards and kept for the next start.

Only what has changed since is read again, by the receipts, a few thousand rows at a time. Nothing but what the run's
Parquet says is in it, so that it can be removed at any time.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tasks.artifacts import Receipt
from tasks.browsing import tables, words
from tasks.browsing.queries import fetch, first, one
from tasks.errors import BadInput, StoreUnavailable
from tasks.models import SCHEMA_VERSION
from tasks.run import Run, StageName

FORMAT = 1
"""Of the database; another one is made beside it."""
BATCH_ROWS = 5_000
"""Rows of some shards that are in memory at a time, unless one shard has more."""
MEMORY = "1GB"
"""What DuckDB may use before it puts things on disk."""
KEPT_DAYS = 30
"""After so many days without use an index is removed."""
_AT_LEAST_S, _PATIENCE = 1.5, 5
"""A run under way is looked at again after that, or after so many times what the last look took."""
Progress = Callable[[str], None]


@dataclass(frozen=True)
class _Shard:
    """A finished shard as it is now, and as the index has it."""

    receipt: Receipt
    stamp: str
    at: float


class Index:
    """Rows of one run. Any thread may use it: each takes a cursor of its own.

    Args:
        folder: where databases are kept.
        progress: is told what is being read.

    Attributes:
        path: the database.
        version: is raised whenever rows may have changed.
    """

    def __init__(self, run: Run, folder: Path, progress: Progress = lambda _: None) -> None:
        self.run, self._progress = run, progress
        self.version = 0
        self._lock = Lock()
        self._again = 0.0
        self._manifests: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_unused(folder)
        name = hashlib.sha256(f"{run.store.url} {run.config.run}".encode()).hexdigest()[:16]
        self.path = folder / f"{run.config.run}-{name}-{SCHEMA_VERSION}-{FORMAT}.duckdb"
        self._connection = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            connection = _connect(self.path)
        except duckdb.IOException as error:
            if "lock" not in str(error).lower():
                for file in self.path.parent.glob(f"{self.path.name}*"):  # broken, as by a full disk: it is made anew
                    file.unlink()
                connection = _connect(self.path)
            else:  # another server of the same run has it
                self.path = self.path.with_suffix(f".{os.getpid()}.duckdb")
                connection = _connect(self.path)
        os.utime(self.path)
        there = {str(name) for (name,) in fetch(connection, "SELECT table_name FROM duckdb_tables()")}
        if "receipts" not in there:
            connection.execute(tables.SCHEMA)
        if "rows" not in there:
            self._make_rows(connection)
        return connection

    def close(self) -> None:
        """Close the database. One that was made because another server has the usual one is removed."""
        self._connection.close()
        if self.path.name.endswith(f".{os.getpid()}.duckdb"):
            self.path.unlink(missing_ok=True)

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of the caller's own, which sees the rows as they were when it began to ask."""
        cursor = self._connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()

    def refresh(self) -> bool:
        """Read what has changed in the store.

        Returns:
            Whether anything has; False too where another thread is at it.

        Raises:
            BadInput: the run is of another version of kodforge.
            StoreUnavailable: the store cannot be reached.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            with self.cursor() as cursor:
                return self._refresh(cursor)
        finally:
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
        changed = gone = texts = False
        for stage, reading in tables.READINGS.items():
            fresh, stale = self._changes(cursor, stage)
            if not fresh and not stale:
                continue
            changed = True
            texts = texts or reading.has_texts or "texts" in reading.tables
            gone = gone or bool(stale and "texts" in reading.tables)
            for name in stale:
                _forget(cursor, stage, reading, [name])
            done = 0
            for batch in _batches(fresh):
                done += len(batch)
                self._progress(f"reading {stage.value}: {done} of {len(fresh)} shards")
                self._read(cursor, stage, reading, batch)
        if texts or self._wants_texts(cursor):
            self._read_late_texts(cursor)
            words.settle(cursor, gone)
        if changed:
            self._make_rows(cursor)
            with suppress(duckdb.TransactionException):  # somebody reads: the next one will do
                cursor.execute("CHECKPOINT")
        return changed

    def _changes(self, cursor: duckdb.DuckDBPyConnection, stage: StageName) -> tuple[list[_Shard], list[str]]:
        """Shards to read, and the names of those that the index has and that are no longer so."""
        found = self._finished(cursor, stage)
        if found is None:
            return [], []
        known = dict(fetch(cursor, "SELECT shard, content FROM receipts WHERE stage = ?", [stage.value]))
        fresh = [shard for shard in found if known.get(shard.receipt.name) != shard.receipt.content]
        names = {shard.receipt.name for shard in found}
        stale = [name for name in known if name not in names]
        return fresh, stale + [shard.receipt.name for shard in fresh if shard.receipt.name in known]

    def _finished(self, cursor: duckdb.DuckDBPyConnection, stage: StageName) -> list[_Shard] | None:
        """All finished shards of a stage; None where none can have changed since they were last looked at.

        A finished stage names them in its manifest. Of one that is under way each receipt is looked at, and read where
        it was written since.
        """
        store, folder = self.run.store, (self.run.config.run, stage.value)
        manifest = store.written(*folder).get("manifest.json")
        if manifest is not None:
            if self._manifests.get(stage.value) == manifest.stamp:
                return None
            told = self.run.stage(stage).manifest()
            if told is not None:
                _check_version(self.run, told)
                self._manifests[stage.value] = manifest.stamp
                receipts = [Receipt.model_validate(one) for one in told["shards"]]
                return [_Shard(receipt, "", manifest.at) for receipt in receipts]
        self._manifests.pop(stage.value, None)
        query = "SELECT shard, stamp FROM receipts WHERE stage = ?"
        known = dict(fetch(cursor, query, [stage.value]))
        found = []
        for file, written in sorted(store.written(*folder, "receipts").items()):
            name = file.removesuffix(".json")
            if not file.endswith(".json"):
                continue
            if known.get(name) == written.stamp:
                found.append(_Shard(self._known(cursor, stage, name), written.stamp, written.at))
            elif receipt := self.run.stage(stage).done(name):
                found.append(_Shard(receipt, written.stamp, written.at))
        return found

    def _known(self, cursor: duckdb.DuckDBPyConnection, stage: StageName, name: str) -> Receipt:
        query = "SELECT content, rows_in, rows_out, rejected FROM receipts WHERE stage = ? AND shard = ?"
        content, rows_in, rows_out, rejected = one(cursor, query, [stage.value, name])
        told = {"content": content, "rows_in": rows_in, "rows_out": rows_out, "rejected": rejected}
        return Receipt.model_validate({"stage": stage.value, "name": name, "fingerprint": "", "reasons": {}, **told})

    def _read(
        self,
        cursor: duckdb.DuckDBPyConnection,
        stage: StageName,
        reading: tables.Reading,
        batch: list[_Shard],
    ) -> None:
        """Put some shards into the tables, in one transaction. One that was replaced meanwhile is left for later."""
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
            except StoreUnavailable:
                self._manifests.pop(stage.value, None)
                continue
            read.append(shard)
        with _transaction(cursor):
            _forget(cursor, stage, reading, [shard.receipt.name for shard in read])
            if rows:
                self._fill(cursor, reading, pa.concat_tables(rows))
            if rejects:
                owner = "id" if stage in tables.UNNAMED else "split_part(id, '/', 1)"
                with _viewed(cursor, pa.concat_tables(rejects)):
                    cursor.execute(tables.REJECTS.format(stage=stage.value, owner=owner))
            for shard in read:
                one = shard.receipt
                told = [stage.value, one.name, one.content, shard.stamp, shard.at, one.rows_in, one.rows_out]
                cursor.execute("INSERT INTO receipts VALUES (?,?,?,?,?,?,?,?,?)", [*told, one.rejected, one.reasons])

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

    def _wants_texts(self, cursor: duckdb.DuckDBPyConnection) -> bool:
        query = "SELECT 1 FROM questions ANTI JOIN texts USING (id) LIMIT 1"
        return first(cursor, query) is not None

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
            receipt = self._known(cursor, StageName.QUESTIONS, name).model_copy(update={"content": content})
            try:
                table = self.run.stage(StageName.QUESTIONS).table(receipt, ["question_id", "question"])
            except StoreUnavailable:
                continue
            ids = fetch(cursor, "SELECT id FROM questions ANTI JOIN texts USING (id) WHERE shard = ?", [name])
            lacking = table.filter(
                pc.is_in(table["question_id"], value_set=pa.array([one for (one,) in ids], pa.string()))
            )
            with _transaction(cursor):
                cursor.execute("CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM texts WHERE false")
                with _viewed(cursor, _labelled(lacking, name)):
                    cursor.execute(tables.LATE_TEXTS)
                self._keep_texts(cursor)

    def _make_rows(self, connection: duckdb.DuckDBPyConnection) -> None:
        settling = [stage.value for stage in tables.SETTLING]
        last = self.run.last_stage.value
        connection.execute(tables.ROWS, {"settling": settling, "last": last})
        self.version += 1


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    """A database that reads no file but its own, and takes no extension from the network."""
    connection = duckdb.connect(
        str(path),
        config={
            "memory_limit": MEMORY,
            "enable_external_access": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    path.chmod(0o600)
    return connection


def _remove_unused(folder: Path) -> None:
    for file in folder.glob("*.duckdb*"):
        with suppress(OSError):
            if file.stat().st_mtime < time.time() - KEPT_DAYS * 86_400:
                file.unlink()


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
    for table in ("receipts", "rejects", *reading.tables):
        of_stage = "stage = ? AND " if table in ("receipts", "rejects", *tables.BY_STAGE) else ""
        values: list[object] = [stage.value] if of_stage else []
        cursor.execute(f"DELETE FROM {table} WHERE {of_stage} list_contains(?, shard)", [*values, names])


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


@contextmanager
def _transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    cursor.execute("BEGIN")
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):
            cursor.execute("ROLLBACK")
        raise
