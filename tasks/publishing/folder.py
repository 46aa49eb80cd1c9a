"""The folder of a release: whose it is, what may be replaced in it, and the earlier versions beside it.

``release.json`` is written last; a folder without it is incomplete. While a release is written, ``unfinished.json``
says whose the folder is and which files in it may be replaced or removed; no other file is touched.

::

    <path>/release.json             the manifest: version, rows, checksums
    <path>/SHA256SUMS               of all files but the manifest, for ``sha256sum -c``
    <path>/data/, <config>/, …      what is told in the manifest
    <path>-1.0.0/                   the release before, as it was
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from semver import Version

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.settings import BuildConfig

MANIFEST = "release.json"
UNFINISHED = "unfinished.json"
SUMS = "SHA256SUMS"
FIRST = "1.0.0"
_LEFT_OVER = re.compile(r"(?P<name>.+)\.[0-9a-f]{32}\.tmp")
"""What a write that was killed leaves behind."""
_CHUNK = 1 << 20


class Table(BaseModel):
    """One split of one configuration of a data set.

    Attributes:
        bytes: of the rows in memory, as ``datasets`` counts them.
    """

    model_config = ConfigDict(frozen=True)

    config: str
    split: str
    rows: int
    bytes: int
    files: list[str]


class Manifest(BaseModel):
    """``release.json``.

    Attributes:
        previous: version of the release before; empty where this is the first.
        inputs: hashes of all that the release was made of.
        licences: rows by SPDX expression.
        licensing: the policy that they were judged by, and passed.
        sha256: of every file, by its path below the folder.
    """

    run: str
    version: str = "0.0.0"
    previous: str = ""
    date: str = ""
    schema_version: str = ""
    config: str = ""
    inputs: list[str] = []
    rows: dict[str, int] = {}
    tables: list[Table] = []
    licences: dict[str, int] = {}
    licensing: dict[str, object] = {}
    sha256: dict[str, str] = Field({})

    @property
    def semantic(self) -> Version:
        return Version.parse(self.version)

    @property
    def files(self) -> set[str]:
        """Paths of the release's files that lie below its folder."""
        paths = [PurePosixPath(name) for name in self.sha256]
        return {str(path) for path in paths if not path.is_absolute() and ".." not in path.parts}


class _Claim(BaseModel):
    run: str
    files: list[str] = []


def release_store(config: BuildConfig) -> Store:
    """Where the release goes."""
    return Store((config.release.path or f"{config.store.rstrip('/')}/{config.run}/release").rstrip("/"))


def read_manifest(store: Store) -> Manifest | None:
    """The manifest of a release; None where the folder has none.

    Raises:
        BadInput: there is one that cannot be read.
    """
    if not store.exists(MANIFEST):
        return None
    try:
        found = Manifest.model_validate_json(store.read(MANIFEST))
        found.semantic  # noqa: B018 - raises where it is none
    except (ValidationError, ValueError) as error:
        raise BadInput(f"{store.path(MANIFEST)} is not a release manifest ({error}). Choose another folder") from error
    return found


def opened(path: str) -> tuple[Store, Manifest]:
    """A finished release: a folder, or an fsspec URL such as ``hf://datasets/org/name@v1.0.0``.

    Raises:
        BadInput: there is none, or it is unfinished.
    """
    store = Store(path.rstrip("/"))
    try:
        found = read_manifest(store)
    except OSError as error:
        raise BadInput(f"{path!r} cannot be read: {error}") from error
    if found is None:
        raise BadInput(
            f"{path!r} holds no release: there is no {MANIFEST} in it"
            + (", but one is being written there. Wait for it, or run its flow again" * store.exists(UNFINISHED))
            + ". Give the folder of a release, as in kodforge-store/demo/release"
        )
    return store, found


def check_release_free(config: BuildConfig) -> None:
    """Make sure that publishing overwrites nothing but an earlier release of the same run.

    Raises:
        BadInput: the folder holds another run's release, or files that are no release; or ``release.version`` is lower
            than what was released before.
    """
    store = release_store(config)
    own_files(store, config.run)
    before = read_manifest(store)
    if before is None:
        return
    own_files(beside(store, before.version), config.run)
    if config.release.version and Version.parse(config.release.version) < before.semantic:
        raise BadInput(
            f"release.version is {config.release.version}, and {store.url!r} holds {before.version}. Give a higher "
            f"one, or none, to have it raised by what changed"
        )


def own_files(store: Store, run: str) -> set[str]:
    """The files of a release folder that are the run's to replace: paths below it.

    Raises:
        BadInput: the folder is another's.
    """
    manifest = read_manifest(store)
    claims = [_Claim(run=manifest.run, files=sorted(manifest.files))] if manifest else []
    if store.exists(UNFINISHED):
        try:
            claims.append(_Claim.model_validate_json(store.read(UNFINISHED)))
        except ValidationError as error:
            raise BadInput(f"{store.path(UNFINISHED)} is not of a release ({error}). Choose another folder") from error
    strangers = [name for name in store.names() if not _is_left_over(name, {MANIFEST, UNFINISHED})]
    if strangers and not claims:
        raise BadInput(
            f"release folder {store.url!r} holds files that are no release of kodforge ({strangers[0]}, …). "
            f"Choose an empty folder: --set release.path=…"
        )
    files: set[str] = set()
    for claim in claims:
        if claim.run != run:
            raise BadInput(
                f"release folder {store.url!r} already holds the release of run {claim.run!r}, this run is {run!r}. "
                f"Choose another folder (--set release.path=…), or delete the old release first"
            )
        paths = [PurePosixPath(name) for name in claim.files]
        files |= {str(path) for path in paths if not path.is_absolute() and ".." not in path.parts}
    return files


def _is_left_over(name: str, of: set[str]) -> bool:
    found = _LEFT_OVER.fullmatch(name)
    return found is not None and found["name"] in of


def beside(store: Store, version: str) -> Store:
    """The folder that an earlier version of a release is kept in."""
    return Store(f"{store.url}-{version}")


def is_whole(store: Store, manifest: Manifest) -> bool:
    """Whether every file of a release is there; their content is not looked at."""
    return all(store.exists(*name.split("/")) for name in manifest.files)


def set_aside(store: Store, run: str) -> None:
    """Move the release that a folder holds beside it, under its version. What was interrupted goes on here.

    Raises:
        BadInput: the folder beside it is another's.
    """
    manifest = read_manifest(store)
    if manifest is None:
        return
    target = beside(store, manifest.version)
    own = own_files(target, run) | manifest.files
    _claim(store, run, own_files(store, run))
    _claim(target, run, own)
    for name in sorted(manifest.files):
        if store.fs.isfile(store.path(name)):
            _move(store, target, name)
    _move(store, target, MANIFEST)
    target.remove(UNFINISHED)


def _claim(store: Store, run: str, files: set[str]) -> None:
    store.write(_Claim(run=run, files=sorted(files)).model_dump_json(indent=1).encode(), UNFINISHED)


def _move(source: Store, target: Store, name: str) -> None:
    if target.is_local:
        os.makedirs(os.path.dirname(target.path(name)), exist_ok=True)
        os.replace(source.path(name), target.path(name))
    else:
        source.fs.mv(source.path(name), target.path(name))


def earlier_releases(store: Store, run: str) -> list[tuple[Store, Manifest]]:
    """The whole releases of a run that are kept beside a folder, the oldest first."""
    parent, _, name = store.root.rstrip("/").rpartition("/")
    store.fs.invalidate_cache(parent)
    found = []
    for entry in store.fs.ls(parent, detail=False) if store.fs.isdir(parent) else ():
        version = str(entry).rstrip("/").rpartition("/")[2].removeprefix(f"{name}-")
        if Version.is_valid(version):
            one = beside(store, version)
            manifest = read_manifest(one)
            if manifest and manifest.run == run and manifest.version == version and not one.exists(UNFINISHED):
                found.append((one, manifest))
    return sorted(found, key=lambda release: release[1].semantic)


def remove_release(store: Store, run: str) -> None:
    """Remove the files of a run's release, and the folders that hold nothing else."""
    own = own_files(store, run)
    for name in sorted(own):
        if store.fs.isfile(store.path(name)):
            store.remove(name)
    store.remove(MANIFEST)
    for folder in _folders(own):
        _remove_empty(store, *folder.parts)
    _remove_empty(store)


def _folders(files: Iterable[str]) -> list[PurePosixPath]:
    """The folders of files, the innermost first."""
    found = {parent for name in files for parent in PurePosixPath(name).parents if parent.parts}
    return sorted(found, key=lambda one: -len(one.parts))


def _remove_empty(store: Store, *folder: str) -> None:
    if not store.names(*folder):
        store.remove(*folder)


class Folder:
    """A release folder that is being written. ``sha256``: of the files written, by their paths below it."""

    def __init__(self, store: Store, run: str) -> None:
        self.store, self._run = store, run
        self._own = own_files(store, run)
        self.sha256: dict[str, str] = {}
        self._take(self._own)
        store.remove(MANIFEST)

    def _take(self, files: set[str]) -> None:
        """Own files before they are written: whenever the run is killed, all that it wrote is known to be its own."""
        self._own |= files
        _claim(self.store, self._run, self._own)

    def write(self, data: bytes, name: str) -> None:
        if name not in self._own:
            self._take({name})
        self.store.write(data, *name.split("/"))
        self.sha256[name] = hashlib.sha256(data).hexdigest()

    def place(self, files: dict[str, Path]) -> None:
        """Copy files of this machine into the folder: by their paths below it."""
        if files.keys() - self._own:
            self._take(set(files))
        for name, path in files.items():
            self.sha256[name] = sha256_of(path)
            target = self.store.path(name)
            if not self.store.is_local:
                self.store.fs.put_file(str(path), target)
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            temporary = f"{target}.{uuid.uuid4().hex}.tmp"
            try:
                with path.open("rb") as source, open(temporary, "wb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, target)
            finally:
                if os.path.exists(temporary):
                    os.unlink(temporary)

    def finish(self, manifest: Manifest) -> Manifest:
        """Remove what earlier releases had and this one has not, and vouch for the rest."""
        self.write(checksums(self.sha256).encode(), SUMS)
        for stale in self._own - self.sha256.keys():
            if self.store.fs.isfile(self.store.path(stale)):
                self.store.remove(stale)
        for folder in [*_folders(self._own), PurePosixPath()]:
            own = {PurePosixPath(name).name for name in self._own if PurePosixPath(name).parent == folder}
            for name in self.store.names(*folder.parts):
                if _is_left_over(name, own | {MANIFEST, UNFINISHED}):
                    self.store.remove(*folder.parts, name)
            if folder.parts:
                _remove_empty(self.store, *folder.parts)
        done = manifest.model_copy(update={"sha256": dict(sorted(self.sha256.items()))})
        self.store.write(json.dumps(done.model_dump(mode="json"), indent=1).encode(), MANIFEST)
        self.store.remove(UNFINISHED)
        return done


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(sha256: dict[str, str]) -> str:
    """Lines as ``sha256sum`` writes and checks them: a name with a backslash or a line break is escaped."""
    lines = []
    for name, digest in sorted(sha256.items()):
        told = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        lines.append(f"{chr(92) * (told != name)}{digest}  {told}\n")
    return "".join(lines)


def check_sums(store: Store, manifest: Manifest) -> None:
    """Read every file of a release and compare it with its checksum.

    Raises:
        BadInput: a file is missing or is not what was released; names it.
    """
    for name, told in sorted(manifest.sha256.items()):
        if name not in manifest.files or not store.fs.isfile(store.path(name)):
            raise BadInput(f"{store.url!r} lacks {name!r}, which its {MANIFEST} names. Publish it again")
        digest = hashlib.sha256()
        with store.fs.open(store.path(name), "rb") as file:
            while block := file.read(_CHUNK):
                digest.update(block)
        if digest.hexdigest() != told:
            raise BadInput(
                f"{store.path(name)} was changed after it was released: its SHA-256 is {digest.hexdigest()}, "
                f"{MANIFEST} says {told}. Publish it again, under another version if the change is wanted"
            )
