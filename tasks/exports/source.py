"""What is exported: the configurations of a release, as its card lists them, or one file of rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

import fsspec
import yaml

from tasks.errors import BadInput
from tasks.filesystems import use_options
from tasks.tables import ENDINGS, Row, SourceUnavailable, Table, open_table

CARD = "README.md"
MANIFEST = "release.json"
UNFINISHED = "unfinished.json"
ATTRIBUTION = "ATTRIBUTION.md"
LICENCES = "licences"
"""Folder of the texts that the attribution refers to."""
_NAME = re.compile(r"\w[\w.-]*")
FILE = ""
"""Stands for the one configuration of a source that is a file."""


@dataclass(frozen=True)
class Source:
    """A release or a file that is open for reading.

    Attributes:
        origin: as the user named it.
        configs: the files of each split of each configuration, in order.
        card: the front matter of its card.
        manifest: its ``release.json``; empty where it has none.
    """

    origin: str
    fs: fsspec.AbstractFileSystem
    configs: Mapping[str, Mapping[str, Sequence[str]]]
    root: str = ""
    card: Mapping[str, Any] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, file: str, columns: Sequence[str] | None = None) -> Iterator[Row]:
        """The rows of one of its files, a small batch in memory at a time.

        Raises:
            BadInput: the file is not what its ending says.
            SourceUnavailable: a remote source stopped answering.
        """
        return Table(self.origin, "", (file,), self.fs).rows(columns)

    def columns(self, config: str) -> set[str]:
        """The columns of a configuration, as its first rows have them; empty where it has no row."""
        found: set[str] = set()
        for files in self.configs[config].values():
            for file in files:
                for row in islice(self.rows(file), 20):
                    found.update(row.columns)
                if found:
                    return found
        return found

    def attribution(self) -> Iterator[tuple[str, bytes]]:
        """What has to go with the rows: the attribution and the licences' texts, by their paths in the release.

        Raises:
            BadInput: a path leads out of the release, as keys of an object store may.
        """
        if self.root:
            for name in (ATTRIBUTION, LICENCES):
                for path in sorted(self.fs.find(f"{self.root}/{name}")):
                    below = path.removeprefix(f"{self.root}/")
                    if PurePosixPath(below).is_absolute() or ".." in PurePosixPath(below).parts:
                        raise BadInput(f"release {self.origin!r} has a file with the name {below!r}. Do not trust it")
                    yield below, bytes(self.fs.cat_file(path))

    def text(self, name: str) -> str | None:
        """A text file that lies beside the rows; None where there is none."""
        path = f"{self.root}/{name}"
        if not self.root or not self.fs.isfile(path):
            return None
        return bytes(self.fs.cat_file(path)).decode("utf-8", errors="replace")


def open_source(path: str) -> Source:
    """Open a release folder (its path, an fsspec URL or ``hf://datasets/OWNER/NAME``) or a file of rows.

    Raises:
        BadInput: nothing is there, a folder is no finished release, or its card cannot be read.
        SourceUnavailable: a remote source does not answer.
    """
    use_options("")
    try:
        fs, root = fsspec.core.url_to_fs(path)
        if fs.isfile(root):
            table = open_table(path)
            return Source(path, table.fs, {FILE: {"train": table.files}})
        if not fs.isdir(root):
            raise BadInput(f"release {path!r} does not exist. Give a release folder, or a file ({', '.join(ENDINGS)})")
        source = Source(path, fs, {}, root.rstrip("/"))
        manifest = json.loads(source.text(MANIFEST) or "{}")
        if folder := str(manifest.get("folder", "")):  # the current one of several versions
            if not _NAME.fullmatch(folder):
                raise BadInput(f"{MANIFEST} of {path!r} names the folder {folder!r}. Do not trust it")
            source = replace(source, root=f"{source.root}/{folder}")
        configs, card = _configs(source)
    except (BadInput, SourceUnavailable):
        raise
    except (ValueError, ImportError) as error:
        raise BadInput(f"{path!r} cannot be opened as a release: {error}. Give a release folder or a file") from error
    except Exception as error:  # each file system has its own for a host that does not answer or a key that is refused
        raise SourceUnavailable(
            f"{path!r} cannot be reached: {error}. Check the network, or give a local copy"
        ) from error
    return Source(path, fs, configs, source.root, card, manifest)


def _configs(folder: Source) -> tuple[dict[str, dict[str, Sequence[str]]], dict[str, Any]]:
    text = folder.text(CARD)
    if folder.text(UNFINISHED) is not None and folder.text(MANIFEST) is None:
        raise BadInput(f"release {folder.origin!r} is unfinished. Run the command that writes it again")
    if text is None:
        raise BadInput(
            f"folder {folder.origin!r} is no release: it has no {CARD}. Give the folder that `kodforge run` released "
            f"to, a copy of it, or one file ({', '.join(ENDINGS)})"
        )
    card = _front_matter(text, folder.origin)
    listed = card.get("configs") or []
    if not listed or not all(isinstance(one, dict) and "config_name" in one for one in listed):
        raise BadInput(f"{CARD} of {folder.origin!r} lists no configs. Give a release of kodforge, or one file of it")
    configs = {str(one["config_name"]): _splits(folder, one.get("data_files")) for one in listed}
    for name in [*configs, *(split for splits in configs.values() for split in splits)]:
        if not _NAME.fullmatch(name):  # they become parts of paths, and of commands
            raise BadInput(f"{CARD} of {folder.origin!r} has a configuration or split with the name {name!r}")
    return configs, card


def _front_matter(text: str, origin: str) -> dict[str, Any]:
    parts = text.split("---\n", 2)
    try:
        values = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0].strip() else None
    except yaml.YAMLError as error:
        raise BadInput(f"the front matter of {CARD} of {origin!r} is not valid YAML: {error}") from error
    return values if isinstance(values, dict) else {}


def _splits(folder: Source, listed: object) -> dict[str, Sequence[str]]:
    """The files of each split; ``data_files`` of a card is a pattern, a list of them, or a list by split."""
    entries = listed if isinstance(listed, list) else [] if listed is None else [listed]
    found: dict[str, list[str]] = {}
    for entry in entries:
        split = str(entry.get("split", "train")) if isinstance(entry, dict) else "train"
        patterns = entry.get("path", ()) if isinstance(entry, dict) else entry
        for pattern in patterns if isinstance(patterns, list) else [patterns]:
            found.setdefault(split, []).extend(_files(folder, pattern))
    return {split: files for split, files in found.items() if files}


def _files(folder: Source, pattern: object) -> Iterable[str]:
    place = PurePosixPath(str(pattern))
    if not pattern or place.is_absolute() or ".." in place.parts:
        raise BadInput(f"{CARD} of {folder.origin!r} names files outside the release: {pattern!r}")
    return sorted(str(file) for file in folder.fs.glob(f"{folder.root}/{place}"))
