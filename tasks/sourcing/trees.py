"""Files of a project: an installed distribution, a folder, a git checkout or an archive. Nothing is imported, executed
or unpacked to disk."""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path, PurePosixPath

from dulwich.errors import NotGitRepository
from dulwich.repo import Repo

from tasks.errors import BadInput
from tasks.settings import SeedOptions
from tasks.sourcing.licences import (
    FILES,
    UNKNOWN_LICENCE,
    canonical,
    licence_of,
    licence_of_project,
    licence_of_text,
)

ARCHIVES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_FILE = 2 << 20
"""Bytes. A larger file is data or generated, and an archive may claim any size."""
_NOT_OURS = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "build", "dist"})


@dataclass(frozen=True)
class SourceFile:
    """A text file of a project; ``path`` has forward slashes."""

    path: str
    text: str
    origin: str
    version: str
    licence: str


_Read = Callable[[], bytes]


def wanted(options: SeedOptions, *names: str) -> bool:
    """Whether something that goes by these names (a path, a qualified name) passes the globs of the options."""

    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)

    return (not options.include or matches(options.include)) and not matches(options.exclude)


def source_files(options: SeedOptions, suffixes: Sequence[str]) -> Iterator[SourceFile]:
    """The files with these endings of all that the options name, in path order, one text in memory at a time.

    Raises:
        BadInput: a package is not installed, or the path is no folder and no archive.
    """
    if options.path:
        yield from _of_path(options, tuple(suffixes))
    for name in options.packages:
        yield from _of_distribution(name, tuple(suffixes))


def _of_distribution(name: str, suffixes: tuple[str, ...]) -> Iterator[SourceFile]:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise BadInput(f"package {name!r} is not installed. Install it, or name another one") from error
    licence = licence_of(distribution)
    for file in sorted(distribution.files or [], key=str):
        if file.name.endswith(suffixes) and file.parts[0] != "..":
            text = _text(Path(str(file.locate())).read_bytes)
            if text is not None:
                yield SourceFile(file.as_posix(), text, name, distribution.version, licence)


def _of_path(options: SeedOptions, suffixes: tuple[str, ...]) -> Iterator[SourceFile]:
    path = Path(options.path)
    if path.is_dir():
        members, version = _folder(path), _commit(path)
    elif path.is_file() and path.name.endswith(ARCHIVES):
        members, version = _archive(path), ""
    else:
        raise BadInput(
            f"seeds path {options.path!r} is no folder and no archive ({', '.join(ARCHIVES)}). "
            f"Give the folder, checkout or archive that holds the files"
        )
    given = canonical(options.licence) if options.licence else UNKNOWN_LICENCE
    origin = path.resolve().name
    of_folder: dict[str, str] = {}
    for name, read in members:
        if FILES.fullmatch(PurePosixPath(name).name) and (text := _text(read)) is not None:
            of_folder[_parent(name)] = licence_of_text(text)
        elif PurePosixPath(name).name == "pyproject.toml" and (text := _text(read)) is not None:
            of_folder.setdefault(_parent(name), licence_of_project(text))
    members = _folder(path) if path.is_dir() else _archive(path)
    for name, read in members:
        if name.endswith(suffixes) and (text := _text(read)) is not None:
            licence = given if given != UNKNOWN_LICENCE else _nearest(name, of_folder)
            yield SourceFile(name, text, origin, version, licence)


def _parent(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _nearest(name: str, of_folder: dict[str, str]) -> str:
    """The licence that the nearest folder above a file holds."""
    for folder in PurePosixPath(name).parents:
        if (found := of_folder.get(str(folder), UNKNOWN_LICENCE)) != UNKNOWN_LICENCE:
            return found
    return UNKNOWN_LICENCE


def _folder(root: Path) -> Iterator[tuple[str, _Read]]:
    """Files below a folder; hidden ones, links out of it, environments and build results are left out."""
    base = root.resolve()
    for folder in sorted(_folders(base)):
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith(".") and file.resolve().is_relative_to(base):
                yield file.relative_to(base).as_posix(), file.read_bytes


def _folders(folder: Path) -> Iterator[Path]:
    yield folder
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink() and not inner.name.startswith(".") and inner.name not in _NOT_OURS:
            yield from _folders(inner)


def _archive(path: Path) -> Iterator[tuple[str, _Read]]:
    try:
        if path.name.endswith((".zip", ".whl")):
            with zipfile.ZipFile(path) as archive:
                for member in sorted(archive.infolist(), key=lambda one: one.filename):
                    if not member.is_dir() and member.file_size <= MAX_FILE:
                        yield member.filename, lambda member=member: archive.read(member)  # type: ignore[misc]
        else:
            with tarfile.open(path) as tar:
                for entry in tar:  # in the order of the file: a tar has no index
                    if entry.isfile() and entry.size <= MAX_FILE and (file := tar.extractfile(entry)):
                        yield entry.name, file.read
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise BadInput(f"archive {str(path)!r} cannot be read: {error}. Fetch or pack it again") from error


def _text(read: _Read) -> str | None:
    """The text of a file; None where it is not UTF-8, too large, or gone."""
    try:
        data = read()
        return data.decode("utf-8") if len(data) <= MAX_FILE else None
    except (UnicodeDecodeError, OSError):
        return None
    except (zipfile.BadZipFile, zlib.error, tarfile.TarError, EOFError) as error:
        raise BadInput(f"an archive is damaged: {error}. Fetch or pack it again") from error


def _commit(path: Path) -> str:
    """The commit of a git checkout; empty where the folder is none."""
    try:
        with Repo.discover(str(path)) as repository:
            return repository.head().decode("ascii")
    except (NotGitRepository, KeyError):
        return ""
