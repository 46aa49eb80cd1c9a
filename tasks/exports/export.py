"""Exporting: the rows of a release as a folder that a trainer loads as it is."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import metadata
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from tasks.errors import BadInput
from tasks.execution.judges import why_no_judge
from tasks.exports.examples import COLUMNS, Example, Kind, Problem, Unusable, read_example
from tasks.exports.folder import Exported, ExportedPart, checksums, install
from tasks.exports.format import Part, Place, render, train_parts
from tasks.exports.plan import Plan, plan
from tasks.exports.source import Source
from tasks.settings.exports import ExportFormat
from tasks.star_import import with_star_import
from tasks.tables import Row

REJECTS = "rejects.jsonl"
_BATCH = 64
_GROUP_BYTES = 32 << 20
"""Of a row group, about, and so of what is in memory."""
_KEPT = ("license", "license_name", "license_link", "language", "tags")
"""Of the release's card."""


def export(
    release: str,
    to: ExportFormat,
    out: Path,
    configs: Sequence[str] = (),
    splits: Sequence[str] = ("train",),
    any_tier: bool = False,
    progress: Callable[[int], None] = lambda rows: None,
) -> Exported:
    """Write a release, or one file of rows, as a trainer reads it; no more than a row group is in memory at a time.

    Args:
        release: a release folder, a file of rows, or the fsspec URL of either.
        out: the folder to write; empty, or an earlier export.
        configs: which configurations; none: those of ``plan.SETS`` that the format takes and the release has.
        splits: which of their splits.
        any_tier: of problems, take those too whose tests an answer could forge (docs/security.md).
        progress: called with the number of rows read so far.

    Raises:
        BadInput: the release has nothing that fits, or ``out`` holds other files; nothing is written then.
        SourceUnavailable: a remote release stopped answering.
    """
    chosen = plan(release, to, out, configs, splits)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent) as folder:
            staged = Path(folder)
            parts, left_out = _write_rows(chosen, staged, any_tier, progress)
            told = _write_texts(chosen, parts, left_out, staged)
            install(staged, out, told)
    except PermissionError as error:
        raise BadInput(f"cannot write {str(out)!r}: {error}. Give a writable place") from error
    return told


def _write_rows(chosen: Plan, folder: Path, any_tier: bool, progress: Callable[[int], None]) -> tuple[list[Part], int]:
    """Convert all rows, file by file; the parts that have some, and how many rows were left out.

    Raises:
        BadInput: not one row can be used.
    """
    reasons: Counter[str] = Counter()
    read = 0
    with (folder / REJECTS).open("w", encoding="utf-8", errors="replace") as rejects:
        for part, files in chosen.parts:
            for file, stem in zip(files, _stems(files), strict=True):
                name = chosen.format.path.format(
                    config=part.config, split=part.split, name=stem, package=chosen.package
                )
                with _writer(folder / name, chosen.format.columns[part.kind].schema) as write:
                    examples = _examples(chosen.source, file, part.kind, any_tier)
                    while batch := list(islice(examples, _BATCH)):
                        write([_row(chosen, part, found) for found in batch if not isinstance(found, _Reject)])
                        for reject in batch:
                            if isinstance(reject, _Reject):
                                reasons[reject["reason"]] += 1
                                rejects.write(json.dumps(reject, ensure_ascii=False) + "\n")
                        read += len(batch)
                        progress(read)
                if (folder / name).exists():
                    part.files.append(name)
    if not any(part.rows for part, _ in chosen.parts):
        why = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3)) or "it has none"
        raise BadInput(f"no row of {chosen.source.origin!r} can be exported to {chosen.format.name}: {why}")
    if not reasons:
        (folder / REJECTS).unlink()
    return [part for part, _ in chosen.parts if part.rows], reasons.total()


class _Reject(dict[str, Any]):
    """A row that cannot be used, as ``rejects.jsonl`` has it."""


def _examples(source: Source, file: str, kind: Kind, any_tier: bool) -> Iterator[Example | _Reject]:
    for row in source.rows(file, COLUMNS[kind]):
        try:
            if row.problem:
                raise Unusable(str(row.problem))
            example = read_example(kind, row.values)
            if not _is_text(example):
                raise Unusable("it holds half a surrogate pair, which is no text")
            if isinstance(example, Problem) and (why := _why_no_judge(example, any_tier)):
                raise Unusable(why)
            yield example
        except Unusable as why:
            yield _Reject(file=PurePosixPath(row.file).name, row=row.number, id=_id(row), reason=str(why))


def _why_no_judge(problem: Problem, any_tier: bool) -> str:
    """Why no answer can be judged: one such row would stop the training, as the reward function refuses its batch."""
    return "" if problem.io else why_no_judge(with_star_import(problem.test), tuple(problem.entry_points), any_tier)


def _is_text(example: Example) -> bool:
    """Whether all of an example can be written as UTF-8; what a JSON file escapes need not be."""
    try:
        json.dumps(vars(example), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _id(row: Row) -> str:
    return str(row.values.get("question_id") or row.values.get("id") or "")


def _row(chosen: Plan, part: Part, example: Example) -> dict[str, Any]:
    made = chosen.format.columns[part.kind].row(example, Place(part.config, part.split, part.rows))
    part.rows += 1
    return made


def _stems(files: Sequence[str]) -> list[str]:
    """Names without endings, no two alike: files of two folders may have one name."""
    found: list[str] = []
    for file in files:
        stem = PurePosixPath(file).name.partition(".")[0]
        free = (f"{stem}{suffix}" for suffix in ("", *(f"-{number}" for number in range(1, len(files)))))
        found.append(next(name for name in free if name not in found))
    return found


@contextmanager
def _writer(path: Path, schema: pa.Schema) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    """Write rows as the path's ending says; without a row there is no file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        if path.suffix == ".jsonl":
            yield lambda rows: file.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        else:
            with _parquet_writer(file, schema) as write:
                yield write
    if not path.stat().st_size:
        path.unlink()


@contextmanager
def _parquet_writer(file: IO[bytes], schema: pa.Schema) -> Iterator[Callable[[list[dict[str, Any]]], None]]:
    held: list[pa.Table] = []
    writer: pq.ParquetWriter | None = None

    def flush(least: int) -> None:
        nonlocal writer
        if held and sum(table.nbytes for table in held) >= least:
            writer = writer or pq.ParquetWriter(file, schema, compression="zstd")
            writer.write_table(pa.concat_tables(held))
            held.clear()

    def write(rows: list[dict[str, Any]]) -> None:
        if rows:
            held.append(pa.Table.from_pylist(rows, schema=schema))
        flush(_GROUP_BYTES)

    yield write
    flush(0)
    if writer is not None:
        writer.close()


def _write_texts(chosen: Plan, parts: Sequence[Part], left_out: int, folder: Path) -> Exported:
    """The configs to start from, the card, and what the manifest says of all."""
    source, wanted = chosen.source, chosen.format
    run, version = source.manifest.get("run"), metadata.version("kodforge")
    owed = dict(source.attribution())
    values: Mapping[str, Any] = {
        "format": wanted.name,
        "trainer": wanted.trainer,
        "parts": parts,
        "trained": train_parts(parts, *Kind),
        "environment": chosen.package.replace("_", "-"),
    }
    card = render(
        "README.md.j2",
        front_matter=_front_matter(source, parts),
        title=source.card.get("pretty_name") or PurePosixPath(source.origin.rstrip("/")).name,
        origin=f"the release of run {run!r}" if run else PurePosixPath(source.origin.rstrip("/")).name,
        rows=sum(part.rows for part in parts),
        version=version,
        left_out=left_out,
        licensed=bool(owed),
        start=render(wanted.start, **values),
        **values,
    )
    texts = {**wanted.files(parts, chosen.package), "README.md": card}
    for name, data in {**owed, **{name: text.encode() for name, text in texts.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return Exported(
        complete=True,
        format=wanted.name,
        kodforge=version,
        release={key: source.manifest[key] for key in ("run", "version", "config") if key in source.manifest},
        parts=[
            ExportedPart(config=part.config, split=part.split, kind=part.kind, files=part.files, rows=part.rows)
            for part in parts
        ],
        left_out=left_out,
        sha256=checksums(folder),
    )


def _front_matter(source: Source, parts: Sequence[Part]) -> str:
    """What makes the folder one that ``datasets.load_dataset`` opens, with the release's configurations."""
    configs: dict[str, list[dict[str, str]]] = {}
    for part in parts:
        pattern = str(PurePosixPath(part.files[0]).with_name(f"*{PurePosixPath(part.files[0]).suffix}"))
        configs.setdefault(part.config, []).append({"split": part.split, "path": pattern})
    values = {name: source.card[name] for name in _KEPT if name in source.card}
    values["configs"] = [{"config_name": name, "data_files": files} for name, files in configs.items()]
    return yaml.safe_dump(values, sort_keys=False)
