"""The user's own files: rows as Parquet or JSONL, told apart by name, streamed both ways."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ValidationError

from tasks.arrow import arrow_schema
from tasks.errors import BadInput


class _WithId(Protocol):
    id: str

    @classmethod
    def model_validate(cls, obj: Any) -> Any: ...


M = TypeVar("M", bound=_WithId)
BATCH = 1000
_READ_BUFFER = 1 << 16


def _jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BadInput(f"{path}, line {number}: not valid JSON ({error}). Mend or remove the line") from error
            if not isinstance(row, dict):
                raise BadInput(f"{path}, line {number}: must be a JSON object, got {type(row).__name__}")
            yield row


def parquet_rows(
    source: Path | IO[bytes], batch: int = BATCH, columns: list[str] | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a Parquet file, with no more of it in memory than a batch and a read buffer per column.

    Raises:
        pyarrow.ArrowInvalid: it is none.
    """
    # With pre-buffering, its default, Arrow keeps every part of the file that it has read.
    with pq.ParquetFile(source, pre_buffer=False, buffer_size=_READ_BUFFER) as file:
        for group in range(file.num_row_groups):
            for part in file.iter_batches(batch_size=batch, row_groups=[group], columns=columns):
                yield from part.to_pylist()


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from parquet_rows(path)
    except pa.ArrowInvalid as error:
        raise BadInput(f"{path} is not a Parquet file: {error}") from error


def check_suffix(path: Path) -> None:
    """Raises:
    BadInput: the name ends in neither ``.parquet`` nor ``.jsonl``.
    """
    if path.suffix not in (".parquet", ".jsonl"):
        raise BadInput(f"file {str(path)!r} ends in {path.suffix!r}. Give a .parquet or .jsonl file")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file, in order, a batch in memory at a time.

    Raises:
        BadInput: no such file, another ending, or broken content (names the line). The file's existence and
            ending are checked at once, its content as it is read.
    """
    check_suffix(path)
    if not path.is_file():
        raise BadInput(f"file {str(path)!r} does not exist. Give a Parquet or JSONL file")
    return _jsonl(path) if path.suffix == ".jsonl" else _parquet(path)


def read_models(
    path: Path, model: type[M], values_of: Callable[[dict[str, Any]], dict[str, Any]], needed: str
) -> Iterator[tuple[M, dict[str, Any]]]:
    """The rows of a file as a model that has an ``id``, each with the row as it is there.

    Args:
        values_of: the model's values in a row.
        needed: what to tell of the columns where one is wrong.

    Raises:
        BadInput: a column is missing or has the wrong type (names row and column), or an id occurs twice.
    """
    seen: set[str] = set()
    for number, row in enumerate(read_rows(path), 1):
        try:
            one = model.model_validate(values_of(row))
        except ValidationError as error:
            found = error.errors(include_url=False)[0]
            column = ".".join(str(part) for part in found["loc"])
            got = "" if found["type"] in ("missing", "value_error") else f", got {str(found['input'])[:100]!r}"
            raise BadInput(f"{path}, row {number}: column {column!r}: {found['msg']}{got}. {needed}") from error
        if one.id in seen:
            raise BadInput(f"{path}, row {number}: id {one.id!r} occurs twice. Ids must be unique")
        seen.add(one.id)
        yield one, row


@contextmanager
def row_writer(path: Path, model: type[BaseModel]) -> Iterator[Callable[[list[BaseModel]], None]]:
    """Write rows batch by batch; the file appears whole when the block ends, and not at all if it raises.

    Raises:
        BadInput: another ending, or the folder cannot be written.
    """
    check_suffix(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise BadInput(f"cannot write {str(path)!r}: {error}. Give a writable place") from error
    try:
        if path.suffix == ".jsonl":
            with temporary.open("w", encoding="utf-8") as lines:
                yield lambda rows: lines.writelines(f"{row.model_dump_json()}\n" for row in rows)
        else:
            schema = arrow_schema(model)
            with pq.ParquetWriter(temporary, schema, compression="zstd") as parquet:
                yield lambda rows: parquet.write_table(
                    pa.Table.from_pylist([row.model_dump() for row in rows], schema=schema)
                )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
