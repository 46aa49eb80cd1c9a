"""Files of a project: an installed distribution, a folder, a git checkout or an archive. Nothing is imported, executed
or unpacked to disk."""

from __future__ import annotations

import io
import re
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from importlib import metadata
from pathlib import Path, PurePosixPath

from dulwich.errors import NotGitRepository
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Blob
from dulwich.repo import Repo

from tasks.errors import BadInput
from tasks.licences.expressions import UNKNOWN_LICENCE, canonical
from tasks.models import Reject, RejectReason
from tasks.settings import SeedOptions
from tasks.sourcing.licences import (
    FILES,
    licence_of,
    licence_of_project,
    licence_of_text,
)

ARCHIVES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_FILE = 2 << 20
"""Bytes. A larger file is data or generated, and an archive may claim any size."""
_GLOB = re.compile(r"[*?[]")
_NOT_OURS = frozenset({"node_modules", "__pycache__", "site-packages", "venv", "build", "dist"})


@dataclass(frozen=True)
class SourceFile:
    """A text file of a project; ``path`` has forward slashes. ``problem`` says why it cannot be read, if so."""

    path: str
    text: str
    origin: str
    version: str
    licence: str
    problem: str = ""

    def unusable(self, subset: str, why: str) -> Reject:
        """The reject of a file that gives no seed because of something that is wrong with it."""
        return Reject(
            id=f"{self.origin}:{self.path}",
            subset=subset,
            reason=RejectReason.INVALID_SEED,
            evidence=f"{self.path} {why}",
        )


@dataclass(frozen=True)
class _Member:
    """A file before it is read. ``read`` gives one byte more than ``MAX_FILE`` at most."""

    path: str
    read: Callable[[], bytes]
    version: str = ""


def wanted(options: SeedOptions, *names: str) -> bool:
    """Whether something that goes by these names (a path, a qualified name) passes the globs of the options."""

    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)

    return (not options.include or matches(options.include)) and not matches(options.exclude)


def may_hold(options: SeedOptions, path: str, prefix: str) -> bool:
    """Whether a file can have something in it that is wanted, before it is parsed.

    Args:
        prefix: that the qualified names of all that is in it begin with.
    """
    starts = [_GLOB.split(pattern)[0] for pattern in options.include]
    return wanted(options, path) or any(start.startswith(prefix) or prefix.startswith(start) for start in starts)


def told(options: SeedOptions, file: SourceFile) -> bool:
    """Whether a file that cannot be used is worth a reject: where only some are wanted, others are not missed."""
    return not options.include or wanted(options, file.path)


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
    licence, version = licence_of(distribution), distribution.version  # which is parsed anew each time it is asked for
    for file in sorted(distribution.files or [], key=str):
        path = Path(str(file.locate()))
        if file.name.endswith(suffixes) and file.parts[0] != ".." and path.is_file():
            yield _source(_Member(file.as_posix(), partial(_read_file, path), version), name, licence)


def _of_path(options: SeedOptions, suffixes: tuple[str, ...]) -> Iterator[SourceFile]:
    path = Path(options.path)
    if not path.is_dir() and not (path.is_file() and path.name.endswith(ARCHIVES)):
        raise BadInput(
            f"seeds path {options.path!r} is no folder and no archive ({', '.join(ARCHIVES)}). "
            f"Give the folder, checkout or archive that holds the files"
        )
    given = canonical(options.licence) if options.licence else UNKNOWN_LICENCE
    origin = path.resolve().name
    of_folder: dict[str, str] = {}
    # A folder is walked once; an archive is read twice, since its members are to be had only as they pass.
    listed = list(_members(path)) if path.is_dir() else None
    for member in listed or _members(path):
        name = PurePosixPath(member.path).name
        if FILES.fullmatch(name):
            of_folder[_parent(member.path)] = licence_of_text(_source(member, origin, "").text)
        elif name == "pyproject.toml":
            of_folder.setdefault(_parent(member.path), licence_of_project(_source(member, origin, "").text))
    for member in listed or _members(path):
        if member.path.endswith(suffixes):
            own = _nearest(member.path, of_folder)
            yield _source(member, origin, given if own == UNKNOWN_LICENCE else own)


def _members(path: Path) -> Iterator[_Member]:
    """The files of a folder, a checkout or an archive; hidden ones, environments and build results are left out."""
    found = _archive(path) if path.is_file() else _checkout(path) or _folder(path)
    for member in found:
        if not any(part.startswith(".") or part in _NOT_OURS for part in PurePosixPath(member.path).parts[:-1]):
            yield member


def _parent(name: str) -> str:
    return str(PurePosixPath(name).parent)


def _nearest(name: str, of_folder: dict[str, str]) -> str:
    """The licence that the nearest folder above a file tells, which may be one that nobody knows."""
    folders = (str(folder) for folder in PurePosixPath(name).parents)
    return next((of_folder[folder] for folder in folders if folder in of_folder), UNKNOWN_LICENCE)


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def _folder(root: Path) -> Iterator[_Member]:
    """Files below a folder, without links out of it."""
    base = root.resolve()
    for folder in sorted(_folders(base)):
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith(".") and file.resolve().is_relative_to(base):
                yield _Member(file.relative_to(base).as_posix(), partial(_read_file, file))


def _folders(folder: Path) -> Iterator[Path]:
    yield folder
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink() and not inner.name.startswith(".") and inner.name not in _NOT_OURS:
            yield from _folders(inner)


def _checkout(path: Path) -> list[_Member] | None:
    """The files below a folder that its git repository tracks, each with the commit, which is marked as dirty where the
    file differs from it; None where the folder is in no checkout, or none of its files is tracked."""
    try:
        with Repo.discover(str(path)) as repository:
            root, commit = Path(repository.path).resolve(), repository.head()
            tracked = {
                entry.path.decode("utf-8", "replace"): entry.sha
                for entry in iter_tree_contents(repository.object_store, repository[commit].tree)  # type: ignore[attr-defined]
            }
    except (NotGitRepository, KeyError):
        return None
    found = []
    for member in _folder(path):
        name = (path.resolve() / member.path).relative_to(root).as_posix()
        if name in tracked:
            clean = Blob.from_string(member.read()).id == tracked[name]
            found.append(replace(member, version=commit.decode("ascii") + ("" if clean else "-dirty")))
    return found or None


def _archive(path: Path) -> Iterator[_Member]:
    try:
        if path.name.endswith((".zip", ".whl")):
            with zipfile.ZipFile(path) as archive:
                for member in sorted(archive.infolist(), key=lambda one: one.filename):
                    if not member.is_dir():
                        yield _Member(member.filename, partial(_read_zipped, archive, member))
        else:
            with tarfile.open(path) as tar:
                for entry in tar:  # in the order of the file: a tar has no index
                    if entry.isfile() and (file := tar.extractfile(entry)):
                        yield _Member(entry.name.removeprefix("./"), partial(file.read, MAX_FILE + 1))
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
        raise BadInput(f"archive {str(path)!r} cannot be read: {error}. Fetch or pack it again") from error


def _read_zipped(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        return file.read(MAX_FILE + 1)


_DAMAGED = (OSError, zipfile.BadZipFile, zlib.error, tarfile.TarError, EOFError, RuntimeError, NotImplementedError)
"""What reading a file or a member of an archive raises, an encrypted one or one packed in an unknown way included."""


def _source(member: _Member, origin: str, licence: str) -> SourceFile:
    made = partial(SourceFile, member.path, origin=origin, version=member.version, licence=licence)
    try:
        data = member.read()
        if len(data) > MAX_FILE:
            return made(text="", problem=f"is larger than {MAX_FILE} bytes")
        encoding = (
            tokenize.detect_encoding(io.BytesIO(data).readline)[0] if member.path.endswith(".py") else "utf-8-sig"
        )
        return made(text=data.decode(encoding))
    except (UnicodeDecodeError, SyntaxError, LookupError):
        return made(text="", problem="is not UTF-8, nor in the encoding that it names")
    except _DAMAGED as error:
        return made(text="", problem=f"cannot be read: {error}")
