"""Rows of published data sets and of the user's own files, streamed from a path, a URL or the Hugging Face hub."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

import fsspec
import ijson
import pyarrow as pa

from tasks.errors import BadInput, KodforgeError
from tasks.files import parquet_rows

EMBEDDED = "embedded:"
"""Prefix of a path that stands for a file of seeds written for this project."""
ENDINGS = (".parquet", ".arrow", ".jsonl", ".json", ".csv")
_PACKED = {".zst": "zstd", ".gz": "gzip", ".bz2": "bz2"}
_BATCH = 256
csv.field_size_limit(min(sys.maxsize, 1 << 30))


class SourceUnavailable(KodforgeError):
    """A remote source does not answer; another try may help."""


@dataclass(frozen=True)
class Row:
    """A row and where it stands: file, and 1-based number in it."""

    file: str
    number: int
    values: Mapping[str, Any]

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

    def rows(self) -> Iterator[Row]:
        """All rows, file by file, a small batch in memory at a time.

        Raises:
            BadInput: a file is not what its ending says (names file and row).
            SourceUnavailable: the source stopped answering.
        """
        for file in self.files:
            shown = self.shown or file
            try:
                with self.fs.open(file, "rb") as raw:
                    for number, values in enumerate(_read(file, shown, raw), 1):
                        if not isinstance(values, dict):
                            raise BadInput(f"{shown}, row {number}: must be an object, got {type(values).__name__}")
                        yield Row(shown, number, values)
            except OSError as error:
                raise SourceUnavailable(f"{shown} cannot be read: {error}") from error


def _ending(name: str) -> str:
    """The ending of a file, without that of its compression; empty where it is none that can be read."""
    path = PurePosixPath(name)
    path = path.with_suffix("") if path.suffix in _PACKED else path
    return path.suffix if path.suffix in ENDINGS else ""


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
    try:
        fs, root = fsspec.core.url_to_fs(path)
        origin, version = _on_hub(fs, root) or (PurePosixPath(root).name, "")
        if fs.isfile(root):
            files = [root]
            if not _ending(root):
                raise BadInput(f"seeds path {path!r} ends in {PurePosixPath(root).suffix!r}. Give one of {known}")
        elif fs.isdir(root):
            files = sorted(file for file in fs.find(root) if _ending(file))
            files = [file for file in files if "train" in file.removeprefix(root)] or files
        else:
            raise BadInput(f"seeds path {path!r} does not exist. Give a file ({known}), a folder of them, or a hub id")
    except (ValueError, ImportError) as error:
        raise BadInput(f"seeds path {path!r} cannot be opened: {error}. Use a path or an fsspec URL") from error
    except BadInput:
        raise
    except FileNotFoundError as error:  # the hub's: no such repository, branch or file, or a private one
        raise BadInput(f"seeds path {path!r} does not exist: {error}. Check its spelling, or give a token") from error
    except Exception as error:  # each file system has its own for a host that does not answer or a key that is refused
        raise SourceUnavailable(
            f"seeds path {path!r} cannot be reached: {error}. Check the network, HF_ENDPOINT and HF_TOKEN, or give a "
            f"local path"
        ) from error
    if not files:
        raise BadInput(f"folder {path!r} holds no file that can be read ({known})")
    return Table(origin, version, tuple(files), fs)


def _on_hub(fs: fsspec.AbstractFileSystem, root: str) -> tuple[str, str] | None:
    """(repository, commit) of a path on the hub; None elsewhere."""
    if "hf" not in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,)):
        return None
    from huggingface_hub import HfApi  # noqa: PLC0415 - takes half a second to import

    found = fs.resolve_path(root)
    info = HfApi().repo_info(found.repo_id, repo_type=found.repo_type, revision=found.revision)
    return str(found.repo_id), str(info.sha)


def _read(name: str, shown: str, raw: IO[bytes]) -> Iterator[Any]:
    ending = _ending(name)
    packed = _PACKED.get(PurePosixPath(name).suffix)
    if packed and ending in (".parquet", ".arrow"):
        raise BadInput(f"{shown} is compressed as a whole. A Parquet or Arrow file compresses within: unpack it")
    stream: IO[bytes] = io.BufferedReader(_unpacked(raw, packed)) if packed else raw
    try:
        yield from _FORMATS[ending](shown, stream)
    except (pa.ArrowInvalid, ijson.JSONError, csv.Error, UnicodeDecodeError) as error:
        raise BadInput(f"{shown} is no valid {ending} file: {error}. Write it again") from error


def _unpacked(raw: Any, packed: Any) -> Any:
    return pa.CompressedInputStream(raw, packed)


def _jsonl(shown: str, stream: IO[bytes]) -> Iterator[Any]:
    for number, line in enumerate(stream, 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise BadInput(f"{shown}, line {number}: not valid JSON ({error}). Mend or remove the line") from error


def _json(shown: str, stream: IO[bytes]) -> Iterator[Any]:
    """The objects of an array, one at a time."""
    yield from ijson.items(stream, "item", use_float=True)


def _csv(shown: str, stream: IO[bytes]) -> Iterator[Any]:
    for row in csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")):
        if None in row:
            raise BadInput(f"{shown}: a row has more fields than the header: {str(row)[:200]}. Quote what holds commas")
        yield row


def _parquet(shown: str, stream: IO[bytes]) -> Iterator[Any]:
    yield from parquet_rows(stream, _BATCH)


def _arrow(shown: str, stream: Any) -> Iterator[Any]:
    with pa.ipc.open_stream(stream) as batches:
        for batch in batches:
            for start in range(0, batch.num_rows, _BATCH):
                yield from batch.slice(start, _BATCH).to_pylist()


class _Reader(Protocol):
    def __call__(self, shown: str, stream: IO[bytes], /) -> Iterator[Any]: ...


_FORMATS: dict[str, _Reader] = {
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
}
