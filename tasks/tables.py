"""Rows of published data sets and of the user's own files, streamed from a path, a URL or the Hugging Face hub."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import IO, Any

import fsspec
import ijson
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.errors import BadInput, KodforgeError
from tasks.files import parquet_rows
from tasks.filesystems import use_options

EMBEDDED = "embedded:"
"""Prefix of a path that stands for a file of seeds written for this project."""
ENDINGS = (".parquet", ".arrow", ".jsonl", ".json", ".csv")
_PACKED = {".zst": "zstd", ".gz": "gzip", ".bz2": "bz2"}
_BATCH = 256
_BATCH_BYTES = 4 << 20
"""Of a batch of Parquet, about: rows with all their solutions may be a megabyte each."""
csv.field_size_limit(min(sys.maxsize, 1 << 30))


class SourceUnavailable(KodforgeError):
    """A remote source does not answer; another try may help."""


@dataclass(frozen=True)
class Row:
    """A row and where it stands.

    Attributes:
        place: its file, where there are several, and its 1-based number in it: an id where the row has none.
        columns: those of its file; ``values`` has the ones that were asked for.
        problem: why it cannot be read.
    """

    file: str
    number: int
    place: str
    values: Mapping[str, Any]
    columns: Sequence[str] = ()
    problem: BadInput | None = None

    def wrong(self, column: str, what: str) -> BadInput:
        """The error that something is the matter with one of its columns."""
        return BadInput(f"{self.file}, row {self.number}: column {column!r} {what}")


@dataclass(frozen=True)
class Table:
    """The files of one source.

    Attributes:
        version: the commit on the hub, empty elsewhere.
        shown: what its file is called in errors; empty: by its path.
    """

    origin: str
    version: str
    files: tuple[str, ...]
    fs: fsspec.AbstractFileSystem
    shown: str = ""

    def rows(self, columns: Collection[str] | None = None) -> Iterator[Row]:
        """All rows, file by file, a small batch in memory at a time.

        Args:
            columns: read no others, where the format allows that; None reads all.

        Raises:
            BadInput: a file is not what its ending says (names file and row).
            SourceUnavailable: a remote source stopped answering.
        """
        for file in self.files:
            shown = self.shown or file
            prefix = f"{PurePosixPath(file).name}:" if len(self.files) > 1 else ""
            number = 0
            try:
                with self.fs.open(file, "rb") as raw:
                    names, rows = _read(file, shown, raw, columns)
                    for number, values in enumerate(rows, 1):
                        yield _row(shown, number, f"{prefix}{number}", names, values)
            except OSError as error:
                if "file" in _protocols(self.fs):
                    raise BadInput(f"{shown} cannot be read after row {number}: {error}. Write it again") from error
                raise SourceUnavailable(f"{shown} cannot be read after row {number}: {error}") from error


def _row(shown: str, number: int, place: str, names: Sequence[str], values: Any) -> Row:
    if isinstance(values, BadInput):
        return Row(shown, number, place, {}, names, values)
    if not isinstance(values, dict):
        problem = BadInput(f"{shown}, row {number}: must be an object, got {type(values).__name__}")
        return Row(shown, number, place, {}, names, problem)
    return Row(shown, number, place, values, names or tuple(values))


def _protocols(fs: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)


def _ending(name: str) -> str:
    """The ending of a file, without that of its compression; empty where it is none that can be read."""
    path = PurePosixPath(name)
    path = path.with_suffix("") if path.suffix in _PACKED else path
    ending = {".ndjson": ".jsonl"}.get(path.suffix.lower(), path.suffix.lower())
    return ending if ending in ENDINGS else ""


def open_table(path: str) -> Table:
    """The files that a path, a folder, an fsspec URL or ``hf://datasets/OWNER/NAME`` stands for.

    Of a folder those with a known ending are taken, in order of their names, and where some have ``train`` in theirs
    only these.

    Raises:
        BadInput: nothing is there, or nothing that can be read.
        SourceUnavailable: a remote source does not answer.
    """
    if path.startswith(EMBEDDED):
        file = Path(str(resources.files("tasks.sourcing") / "seeds" / f"{path.removeprefix(EMBEDDED)}.jsonl"))
        if not file.is_file():
            raise BadInput(f"there are no embedded seeds {file.stem!r}. Give a file of yours")
        return Table("kodforge", "", (str(file),), fsspec.filesystem("file"), shown=path)
    known = f"{', '.join(ENDINGS)}, each also with {', '.join(_PACKED)}"
    use_options("")
    try:
        fs, root = fsspec.core.url_to_fs(path)
        origin, version = _on_hub(fs, root) or (PurePosixPath(root).name, "")
        if fs.isfile(root):
            files = [root]
            if not _ending(root):
                raise BadInput(f"path {path!r} ends in {PurePosixPath(root).suffix!r}. Give one of {known}")
        elif fs.isdir(root):
            files = sorted(file for file in fs.find(root) if _ending(file))
            files = [file for file in files if "train" in file.removeprefix(root)] or files
        else:
            raise BadInput(f"path {path!r} does not exist. Give a file ({known}), a folder of them, or a hub id")
    except (ValueError, ImportError) as error:
        raise BadInput(f"path {path!r} cannot be opened: {error}. Use a path or an fsspec URL") from error
    except BadInput:
        raise
    except FileNotFoundError as error:  # the hub's: no such repository, branch or file, or a private one
        raise BadInput(f"path {path!r} does not exist: {error}. Check its spelling, or give a token") from error
    except Exception as error:  # each file system has its own for a host that does not answer or a key that is refused
        raise SourceUnavailable(
            f"path {path!r} cannot be reached: {error}. Check the network, HF_ENDPOINT and HF_TOKEN, or give a "
            f"local path"
        ) from error
    if not files:
        raise BadInput(f"folder {path!r} holds no file that can be read ({known})")
    folders = sorted({str(PurePosixPath(file).parent) for file in files})
    if len(folders) > 1:
        raise BadInput(
            f"{path!r} holds several sets of rows: {', '.join(folders[:10])}. Name the folder of one, or a file"
        )
    return Table(origin, version, tuple(files), fs)


def open_split(path: str, split: str) -> Table:
    """As ``open_table``; of a folder those files that have ``split`` in their names.

    Raises:
        BadInput: nothing is there, or nothing that can be read.
        SourceUnavailable: a remote source does not answer.
    """
    table = open_table(path)
    root = fsspec.core.url_to_fs(path)[1]
    if not table.fs.isdir(root):
        return table
    files = sorted(file for file in table.fs.find(root) if _ending(file))
    chosen = [file for file in files if split in PurePosixPath(file).name]
    if not chosen:
        shown = ", ".join(PurePosixPath(file).name for file in files[:10])
        raise BadInput(f"no file of {path} has {split!r} in its name, only {shown}. Give another `split`")
    return replace(table, files=tuple(chosen))


def _on_hub(fs: fsspec.AbstractFileSystem, root: str) -> tuple[str, str] | None:
    """(repository, commit) of a path on the hub; None elsewhere."""
    if "hf" not in _protocols(fs):
        return None
    from huggingface_hub import HfApi  # noqa: PLC0415 - takes half a second to import

    found = fs.resolve_path(root)
    info = HfApi().repo_info(found.repo_id, repo_type=found.repo_type, revision=found.revision)
    return str(found.repo_id), str(info.sha)


_Read = tuple[Sequence[str], Iterator[Any]]
"""The columns of a file where it names them all, and its rows, a ``BadInput`` in place of one that cannot be read."""


def _read(name: str, shown: str, raw: IO[bytes], columns: Collection[str] | None) -> _Read:
    ending = _ending(name)
    packed = _PACKED.get(PurePosixPath(name).suffix)
    if packed and ending in (".parquet", ".arrow"):
        raise BadInput(f"{shown} is compressed as a whole. A Parquet or Arrow file compresses within: unpack it")
    stream: Any = io.BufferedReader(_unpacked(raw, packed)) if packed else raw
    try:
        match ending:
            case ".parquet":
                told = pq.read_metadata(stream)
                names = told.schema.to_arrow_schema().names
                wanted = names if columns is None else [one for one in names if one in columns]
                return names, _told(shown, ending, parquet_rows(stream, _at_once(told, wanted), wanted))
            case ".arrow":
                return _arrow(shown, stream, columns)
            case ".jsonl":
                return (), _jsonl(shown, stream)
            case ".json":
                return (), _told(shown, ending, _json(shown, stream))
            case _:
                return (), _told(shown, ending, _csv(shown, stream))
    except pa.ArrowInvalid as error:
        raise BadInput(f"{shown} is no valid {ending} file: {error}. Write it again") from error


def _at_once(told: pq.FileMetaData, columns: Collection[str]) -> int:
    """How many rows of a Parquet file make a small batch."""
    groups = (told.row_group(number) for number in range(told.num_row_groups))
    parts = (group.column(number) for group in groups for number in range(group.num_columns))
    size = sum(part.total_uncompressed_size for part in parts if part.path_in_schema.partition(".")[0] in columns)
    return max(1, min(_BATCH, _BATCH_BYTES * told.num_rows // max(1, size)))


def _told(shown: str, ending: str, rows: Iterator[Any]) -> Iterator[Any]:
    """The rows, with what is wrong in the file said in our words."""
    try:
        yield from rows
    except (pa.ArrowInvalid, ijson.JSONError, csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{shown} is no valid {ending} file: {error}. Write it again") from error


def _unpacked(raw: Any, packed: Any) -> Any:
    return pa.CompressedInputStream(raw, packed)


def _jsonl(shown: str, stream: IO[bytes]) -> Iterator[Any]:
    for number, line in enumerate(stream, 1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                yield BadInput(f"{shown}, line {number}: not valid JSON ({error}). Mend or remove the line")


def _json(shown: str, stream: IO[bytes]) -> Iterator[Any]:
    """The objects of an array, one at a time."""
    peeked = io.BufferedReader(stream)  # type: ignore[type-var]
    head = peeked.peek(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head and not head.startswith(b"["):
        raise BadInput(f"{shown} holds no array of rows at the top. Write it as [{{...}}, ...] or as .jsonl")
    if peeked.peek(3).startswith(b"\xef\xbb\xbf"):
        peeked.read(3)
    yield from ijson.items(peeked, "item", use_float=True)


def _csv(shown: str, stream: IO[bytes]) -> Iterator[Any]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    for row in csv.DictReader(text, strict=True):
        if None in row:
            yield BadInput(f"{shown}: a row has more fields than the header: {str(row)[:200]}. Quote what holds commas")
        else:
            yield row


def _arrow(shown: str, stream: Any, columns: Collection[str] | None) -> _Read:
    """A file of record batches, in Arrow's stream or file format."""
    with pa.ipc.open_file(stream) if _is_arrow_file(stream) else pa.ipc.open_stream(stream) as found:
        names = found.schema.names
    chosen = [number for number, name in enumerate(names) if columns is None or name in columns]

    def rows() -> Iterator[Any]:
        options = pa.ipc.IpcReadOptions(included_fields=chosen)
        stream.seek(0)
        if _is_arrow_file(stream):
            file = pa.ipc.open_file(stream, options=options)
            batches: Iterable[pa.RecordBatch] = (file.get_batch(one) for one in range(file.num_record_batches))
        else:
            batches = pa.ipc.open_stream(stream, options=options)
        for batch in batches:
            for start in range(0, batch.num_rows, _BATCH):
                yield from batch.slice(start, _BATCH).to_pylist()

    stream.seek(0)
    return names, _told(shown, ".arrow", rows())


def _is_arrow_file(stream: IO[bytes]) -> bool:
    stream.seek(0)
    magic = stream.read(6)
    stream.seek(0)
    return magic == b"ARROW1"
