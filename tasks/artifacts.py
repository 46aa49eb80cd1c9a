"""Parquet shards between tasks: atomic, accounted for, resumable.

A stage is a folder of shards::

    <store>/<run>/<stage>/part-00042.parquet           the rows that go on
    <store>/<run>/<stage>/rejects/part-00042.parquet   the rows that do not, each with its reason
    <store>/<run>/<stage>/receipts/part-00042.json     written last: with it the shard counts as done
    <store>/<run>/<stage>/manifest.json                the whole stage, once every shard is done

A receipt holds the fingerprint of all that the shard depends on (settings, input hashes, schema), so a re-run
skips what is done and recomputes only what changed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, Field

from tasks.arrow import arrow_schema
from tasks.errors import BadInput
from tasks.models import NOT_ASKED, SCHEMA_VERSION, Reject
from tasks.settings import fingerprint

R = TypeVar("R", bound=BaseModel)


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


class Store:
    """A folder on any fsspec filesystem.

    Args:
        url: a local path or an fsspec URL such as ``s3://bucket/prefix``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            self.fs, self.root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise BadInput(f"store {url!r} cannot be opened: {error}. Use a folder or an fsspec URL") from error
        self.is_local = "file" in (self.fs.protocol if isinstance(self.fs.protocol, tuple) else (self.fs.protocol,))

    def path(self, *parts: str) -> str:
        return "/".join([self.root.rstrip("/"), *parts])

    def exists(self, *parts: str) -> bool:
        return bool(self.fs.exists(self.path(*parts)))

    def read(self, *parts: str) -> bytes:
        return bytes(self.fs.cat_file(self.path(*parts)))

    def write(self, data: bytes, *parts: str) -> None:
        """Write a whole file, so that a reader sees all of it or nothing."""
        target = self.path(*parts)
        if not self.is_local:  # one put of an object store is atomic
            self.fs.pipe_file(target, data)
            return
        os.makedirs(os.path.dirname(target), exist_ok=True)
        temporary = f"{target}.{uuid.uuid4().hex}.tmp"
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            if os.path.exists(temporary):
                os.unlink(temporary)

    def names(self, *parts: str) -> list[str]:
        """File names in a folder, sorted; empty where there is none."""
        folder = self.path(*parts)
        self.fs.invalidate_cache(folder)
        if not self.fs.isdir(folder):
            return []
        return sorted(os.path.basename(entry["name"]) for entry in self.fs.ls(folder, detail=True))

    def remove(self, *parts: str) -> None:
        if self.exists(*parts):
            self.fs.rm(self.path(*parts), recursive=True)

    def check_writable(self) -> None:
        """Raises:
        BadInput: nothing can be written here.
        """
        probe = f".probe-{uuid.uuid4().hex}"
        try:
            self.write(b"", probe)
            self.remove(probe)
        except Exception as error:
            raise BadInput(
                f"store {self.url!r} is not writable: {error}. Give another with --set store=… or mend its permissions"
            ) from error


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

    def done(self, shard: str, key: str | None = None) -> Receipt | None:
        """The receipt of a finished shard; None where it is missing.

        Args:
            key: None too where it was made from other inputs, or where a teacher may now answer what it did not.
        """
        if not self.store.exists(self.run, self.name, "receipts", f"{shard}.json"):
            return None
        receipt = Receipt.model_validate_json(self.store.read(self.run, self.name, "receipts", f"{shard}.json"))
        return receipt if key is None or (key == receipt.fingerprint and receipt.complete) else None

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
        if receipt := self.done(shard, key):
            return receipt
        outcome = work()
        if outcome.rows_in != len(outcome.rows) + len(outcome.rejects):
            raise AssertionError(
                f"{self.name}/{shard}: {outcome.rows_in} rows in, but {len(outcome.rows)} out and "
                f"{len(outcome.rejects)} rejected"
            )
        rows = parquet_bytes(to_table(outcome.rows, model))
        rejects = parquet_bytes(to_table(outcome.rejects, Reject))
        self.store.write(rejects, self.run, self.name, "rejects", f"{shard}.parquet")
        self.store.write(rows, self.run, self.name, f"{shard}.parquet")
        receipt = Receipt(
            stage=self.name,
            name=shard,
            fingerprint=key,
            content=hashlib.sha256(rows + rejects).hexdigest(),
            rows_in=outcome.rows_in,
            rows_out=len(outcome.rows),
            rejected=len(outcome.rejects),
            reasons=dict(sorted(Counter(reject.reason.value for reject in outcome.rejects).items())),
            complete=not any(reject.reason in NOT_ASKED for reject in outcome.rejects),
        )
        self.store.write(receipt.model_dump_json(indent=1).encode(), self.run, self.name, "receipts", f"{shard}.json")
        return receipt

    def table(self, shard: str, columns: list[str] | None = None) -> pa.Table:
        with self.store.fs.open(self.store.path(self.run, self.name, f"{shard}.parquet"), "rb") as file:
            return pq.read_table(file, columns=columns)

    def columns(self, shard: str) -> list[str]:
        """Names of a shard's columns."""
        with self.store.fs.open(self.store.path(self.run, self.name, f"{shard}.parquet"), "rb") as file:
            return list(pq.read_schema(file).names)

    def rows(self, shard: str, model: type[R]) -> list[R]:
        return [model.model_validate(row) for row in self.table(shard).to_pylist()]

    def rejects(self, shard: str) -> list[Reject]:
        data = self.store.read(self.run, self.name, "rejects", f"{shard}.parquet")
        return [Reject.model_validate(row) for row in pq.read_table(io.BytesIO(data)).to_pylist()]

    def shards(self) -> list[str]:
        """Names of the finished shards, in order."""
        return [name.removesuffix(".json") for name in self.store.names(self.run, self.name, "receipts")]

    def finish(self, receipts: Sequence[Receipt], config: str) -> None:
        """Remove shards of an earlier, larger run and write the stage's manifest."""
        current = {receipt.name for receipt in receipts}
        for stale in set(self.shards()) - current:
            self.store.remove(self.run, self.name, "receipts", f"{stale}.json")
            self.store.remove(self.run, self.name, f"{stale}.parquet")
            self.store.remove(self.run, self.name, "rejects", f"{stale}.parquet")
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
        """The stage's manifest; None before the stage has finished."""
        if not self.store.exists(self.run, self.name, "manifest.json"):
            return None
        loaded: dict[str, Any] = json.loads(self.store.read(self.run, self.name, "manifest.json"))
        return loaded


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
