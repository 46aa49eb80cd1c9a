"""Parquet shards between tasks: atomic, accounted for, resumable.

A stage is a folder of shards::

    <store>/<run>/<stage>/part-00042-3f2a9c1d0b7e.parquet           the rows that go on
    <store>/<run>/<stage>/rejects/part-00042-3f2a9c1d0b7e.parquet   the rows that do not, each with its reason
    <store>/<run>/<stage>/receipts/part-00042.json     written last: with it the shard counts as done
    <store>/<run>/<stage>/manifest.json                the whole stage, once every shard is done

The names of the files end in the hash of their content, so that no write changes a file that a receipt vouches for:
whoever is killed between its files and its receipt, or works on the same shard as another, leaves one whole shard or
the other. What depends on a shard reads the very rows of the receipt that it was given, so that no row is ever judged
by what another config has put in that place.

A receipt holds the fingerprint of all that the shard depends on (settings, input hashes, schema), so a re-run
skips what is done and recomputes only what changed.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel, Field, ValidationError

from tasks import metrics
from tasks.arrow import arrow_schema
from tasks.errors import BadInput, Gone, RunBusy
from tasks.models import NOT_ASKED, SCHEMA_VERSION, Reject
from tasks.planning import plan_in_the_making
from tasks.settings import fingerprint
from tasks.store import TEMPORARY, Store

R = TypeVar("R", bound=BaseModel)
_LOG = logging.getLogger(__name__)


class Receipt(BaseModel):
    """Proof that one shard is done. ``fan_out`` rows are expected for each row in (attempts per question)."""

    stage: str
    name: str
    fingerprint: str
    content: str
    rows_in: int
    rows_out: int
    rejected: int
    reasons: dict[str, int]
    complete: bool = Field(True, description="No row is missing just because its teacher was not to be had.")

    @property
    def file(self) -> str:
        """What the shard's files are called, its rows and its rejects."""
        return f"{self.name}-{self.content[:12]}.parquet"

    def stands_for(self, key: str) -> bool:
        """Whether the shard need not be done again for inputs of this fingerprint."""
        return self.complete and self.fingerprint == key


@dataclass(frozen=True)
class Commit:
    """A shard that a task run committed, or found committed.

    Attributes:
        rejects: of the rows that it rejected just now.
    """

    receipt: Receipt
    reused: bool
    rejects: Sequence[Reject] = ()


COMMITS: ContextVar[list[Commit] | None] = ContextVar("COMMITS", default=None)
"""Of the task run under way, for whoever tells of it; None where nobody does."""


def _tell(commit: Commit) -> None:
    if (commits := COMMITS.get()) is not None:
        commits.append(commit)


@dataclass
class Outcome:
    """What a shard's work returns: every row that came in is in ``rows`` or in ``rejects``.

    ``rows`` may be a table with the columns of the stage's model, where a model per row would cost too much.
    """

    rows_in: int
    rows: Sequence[BaseModel] | pa.Table
    rejects: Sequence[Reject] = ()

    @classmethod
    def of(cls, results: Sequence[BaseModel]) -> Outcome:
        """The outcome of work that makes exactly one row or one reject of each row in."""
        return cls(
            rows_in=len(results),
            rows=[result for result in results if not isinstance(result, Reject)],
            rejects=[result for result in results if isinstance(result, Reject)],
        )


def to_table(rows: Iterable[BaseModel] | pa.Table, model: type[BaseModel]) -> pa.Table:
    if isinstance(rows, pa.Table):
        return rows.cast(arrow_schema(model))
    return pa.Table.from_pylist([row.model_dump() for row in rows], schema=arrow_schema(model))


def parquet_bytes(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


class Stage:
    """One stage of one run: its shards, rejects, receipts and manifest."""

    def __init__(self, store: Store, run: str, name: str) -> None:
        self.store, self.run, self.name = store, run, name

    def done(self, shard: str) -> Receipt | None:
        """The receipt of a finished shard; None where it is missing, or cannot be read."""
        place = (self.run, self.name, "receipts", f"{shard}.json")
        data = self.store.find(*place)
        try:
            return Receipt.model_validate_json(data) if data is not None else None
        except ValidationError:
            _LOG.warning("%s is no receipt: the shard is done again", self.store.path(*place))
            return None

    def run_shard(
        self,
        shard: str,
        model: type[BaseModel],
        depends_on: Sequence[Any],
        work: Callable[[], Outcome],
    ) -> Receipt:
        """Do a shard's work unless it is done, and commit it.

        Args:
            shard: name such as ``part-00042``.
            model: the rows that go on.
            depends_on: settings and input receipts; any change makes the shard run again.
            work: computes the outcome.

        Raises:
            AssertionError: the outcome loses or invents rows (a defect of the stage, not of the data).
        """
        key = fingerprint(
            SCHEMA_VERSION,
            self.name,
            [part.content if isinstance(part, Receipt) else part_value(part) for part in depends_on],
        )
        before = self.done(shard)
        is_done = before is not None and before.stands_for(key) and self.store.exists(self.run, self.name, before.file)
        if plan := plan_in_the_making():
            if before and is_done:
                plan.keep(self.name)
                return before
            return _receipt_of(self.name, shard, key, plan.redo(self.name, work))
        if before and is_done:
            metrics.SHARDS.add(1, {"stage": self.name, "outcome": "reused"})
            _tell(Commit(before, reused=True))
            return before
        with metrics.UNDER_WAY.shard(self.name):
            receipt = self._do(shard, model, key, work, before)
        metrics.count_rows(self.name, receipt.rows_in, receipt.rows_out, receipt.reasons)
        return receipt

    def _do(
        self, shard: str, model: type[BaseModel], key: str, work: Callable[[], Outcome], before: Receipt | None
    ) -> Receipt:
        """Do a shard's work and commit it.

        Args:
            before: the shard as it was done of other inputs.

        Raises:
            RunBusy: meanwhile somebody has done it of inputs that are not these.
        """
        outcome = work()
        if outcome.rows_in != len(outcome.rows) + len(outcome.rejects):
            raise AssertionError(
                f"{self.name}/{shard}: {outcome.rows_in} rows in, but {len(outcome.rows)} out and "
                f"{len(outcome.rejects)} rejected"
            )
        rows = parquet_bytes(to_table(outcome.rows, model))
        rejects = parquet_bytes(to_table(outcome.rejects, Reject))
        receipt = _receipt_of(self.name, shard, key, outcome, rows + rejects)
        now = self.done(shard)
        if now and now != before and now.fingerprint != key:
            raise self._done_by_another(shard)
        # A run that stops before the stage is finished must leave no manifest of other rows, or of fewer.
        self.store.remove(self.run, self.name, "manifest.json")
        self.store.write(rejects, self.run, self.name, "rejects", receipt.file)
        self.store.write(rows, self.run, self.name, receipt.file)
        self.store.write(receipt.model_dump_json(indent=1).encode(), self.run, self.name, "receipts", f"{shard}.json")
        if before and before.file != receipt.file:
            self.store.remove(self.run, self.name, before.file)
            self.store.remove(self.run, self.name, "rejects", before.file)
        _tell(Commit(receipt, reused=False, rejects=outcome.rejects))
        return receipt

    def table(self, shard: str | Receipt, columns: list[str] | None = None) -> pa.Table:
        """The rows of a finished shard: those that a receipt vouches for, or of a name those that are there now.

        Raises:
            BadInput: there is no such shard.
            RunBusy: another writer has put other rows in the place of the receipt's.
        """
        return _table(self._read(shard), columns)

    def columns(self, shard: str | Receipt) -> list[str]:
        """Names of a shard's columns."""
        with self.store.open(self.run, self.name, self._file(shard)) as file:
            return list(pq.read_schema(file).names)

    def rows(self, shard: str | Receipt, model: type[R]) -> list[R]:
        return [model.model_validate(row) for row in self.table(shard).to_pylist()]

    def rejected(self, shard: str | Receipt, columns: list[str] | None = None) -> pa.Table:
        """The rejects of a finished shard, as a table."""
        return _table(self._read(shard, "rejects"), columns)

    def rejects(self, shard: str | Receipt) -> list[Reject]:
        return [Reject.model_validate(row) for row in self.rejected(shard).to_pylist()]

    def _read(self, shard: str | Receipt, *folder: str) -> bytes:
        try:
            return self.store.read(self.run, self.name, *folder, self._file(shard))
        except Gone as error:
            if isinstance(shard, Receipt) and self.done(shard.name) not in (None, shard):
                raise self._done_by_another(shard.name) from error
            raise

    def _done_by_another(self, shard: str) -> RunBusy:
        return RunBusy(
            f"shard {shard!r} of stage {str(self.name)!r} of run {self.run!r} in {self.store.url!r} was done again "
            f"meanwhile, with another config: two writers are at work on it. Nothing of this one's was put in its "
            f"place. See that one of them has ended, then start the run that is wanted again: it does what is left"
        )

    def _file(self, shard: str | Receipt) -> str:
        receipt = self.done(shard) if isinstance(shard, str) else shard
        if receipt is None:
            raise BadInput(
                f"run {self.run!r} has no finished shard {shard!r} of stage {self.name!r} in {self.store.url!r}. Run "
                f"the stages before it first, or the whole build with `kodforge run`"
            )
        assert receipt.stage == self.name, f"a receipt of {receipt.stage!r} for rows of {self.name!r}"
        return receipt.file

    def shards(self) -> list[str]:
        """Names of the finished shards, in order."""
        return [name.removesuffix(".json") for name in self.store.names(self.run, self.name, "receipts")]

    def finish(self, receipts: Sequence[Receipt], config: str) -> None:
        """Write the stage's manifest; remove shards of an earlier, larger run, and files without a receipt."""
        for stale in set(self.shards()) - {receipt.name for receipt in receipts}:
            self.store.remove(self.run, self.name, "receipts", f"{stale}.json")
        files = {receipt.file for receipt in receipts}
        for folder in ((self.run, self.name), (self.run, self.name, "rejects")):
            for name in self.store.names(*folder):
                if name.endswith((".parquet", TEMPORARY)) and name not in files:
                    self.store.remove(*folder, name)
        reasons: Counter[str] = Counter()
        for receipt in receipts:
            reasons.update(receipt.reasons)
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "stage": self.name,
            "config": config,
            "rows_in": sum(receipt.rows_in for receipt in receipts),
            "rows_out": sum(receipt.rows_out for receipt in receipts),
            "rejected": sum(receipt.rejected for receipt in receipts),
            "reasons": dict(sorted(reasons.items())),
            "shards": [receipt.model_dump() for receipt in receipts],
        }
        self.store.write(json.dumps(manifest, indent=1).encode(), self.run, self.name, "manifest.json")

    def manifest(self) -> dict[str, Any] | None:
        """The stage's manifest; None before the stage has finished, and where it cannot be read."""
        place = (self.run, self.name, "manifest.json")
        data = self.store.find(*place)
        try:
            loaded: dict[str, Any] | None = json.loads(data) if data is not None else None
        except ValueError:
            _LOG.warning("%s is no manifest: the stage counts as unfinished", self.store.path(*place))
            return None
        return loaded


def _table(data: bytes, columns: Sequence[str] | None) -> pa.Table:
    """The table of a Parquet file; of a column ``a.b`` the field is named ``b``.

    It is read in this thread: one of Arrow's own may still hold some of the bytes when the program ends, and abort it.
    """
    wanted = None if columns is None else list(columns)
    table = pq.ParquetFile(pa.BufferReader(data), pre_buffer=False).read(columns=wanted, use_threads=False)
    if wanted is None:
        return table
    names = [path.rpartition(".")[2] for path in wanted]
    return pa.Table.from_arrays([_column(table, path) for path in wanted], names)


def _column(table: pa.Table, path: str) -> pa.ChunkedArray[Any]:
    name, *fields = path.split(".")
    return pc.struct_field(table[name], fields) if fields else table[name]


def _receipt_of(stage: str, shard: str, key: str, outcome: Outcome, content: bytes = b"") -> Receipt:
    return Receipt(
        stage=stage,
        name=shard,
        fingerprint=key,
        content=hashlib.sha256(content).hexdigest(),
        rows_in=outcome.rows_in,
        rows_out=len(outcome.rows),
        rejected=len(outcome.rejects),
        reasons=dict(sorted(Counter(reject.reason.value for reject in outcome.rejects).items())),
        complete=not any(reject.reason in NOT_ASKED for reject in outcome.rejects),
    )


def part_value(part: Any) -> Any:
    """A JSON-like value for the fingerprint."""
    return part.model_dump(mode="json") if isinstance(part, BaseModel) else part


def batches(rows: Iterable[R], size: int) -> Iterator[list[R]]:
    """Cut a stream into lists of at most ``size``."""
    batch: list[R] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
