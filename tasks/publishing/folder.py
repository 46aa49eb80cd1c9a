"""The folder of a release: its versions, and the two files that point at the current one.

A version is written once, below a folder of its own, and never changed. ``release.json`` in it is written last; a
version without it is not finished, and ``unfinished.json`` says whose it is and what belongs into it::

    <path>/release.json             the manifest of the current version: where it is, rows, checksums
    <path>/README.md                its card, with the paths of its files, as ``datasets`` reads it
    <path>/1.1.0/release.json       the manifest, as it was written
    <path>/1.1.0/SHA256SUMS         of all files but the manifest, for ``sha256sum -c``
    <path>/1.1.0/data/, …           what is told in the manifest
    <path>/1.0.0/                   the version before, as it was

Each file is written at once or not at all, so that a reader sees the version before or this one, whole, at every
moment. How it is written: ``tasks.publishing.publication``.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from semver import Version

from tasks.errors import BadInput
from tasks.settings import BuildConfig
from tasks.store import TEMPORARY, Store

MANIFEST = "release.json"
CARD = "README.md"
CLAIM = "unfinished.json"
SUMS = "SHA256SUMS"
FIRST = "1.0.0"
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
        folder: where the files are, below the manifest's own folder; empty where they lie beside it.
        previous: version of the release before; empty where this is the first.
        inputs: hashes of all that the release was made of.
        licences: rows by SPDX expression.
        licensing: the policy that they were judged by, and passed.
        sha256: of every file, by its path below ``folder``.
    """

    run: str
    version: str = "0.0.0"
    folder: str = ""
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

    def same_rows(self, other: Manifest) -> bool:
        """Whether both were made of the same."""
        names = ("run", "schema_version", "config", "inputs", "rows")
        return all(getattr(self, name) == getattr(other, name) for name in names)


Release = tuple[Store, Manifest]
"""The folder of one version, and its manifest."""


def release_store(config: BuildConfig) -> Store:
    """Where the releases of a run go."""
    return Store.of(config, (config.release.path or f"{config.store.rstrip('/')}/{config.run}/release").rstrip("/"))


def read_manifest(store: Store) -> Manifest | None:
    """The manifest in a folder; None where it has none.

    Raises:
        BadInput: there is one that cannot be read.
    """
    data = store.find(MANIFEST)
    if data is None:
        return None
    try:
        found = Manifest.model_validate_json(data)
        found.semantic  # noqa: B018 - raises where it is none
        if found.folder and not Version.is_valid(found.folder):
            raise ValueError(f"{found.folder!r} is no folder of a version")
    except (ValidationError, ValueError) as error:
        raise BadInput(f"{store.path(MANIFEST)} is not a release manifest ({error}). Choose another folder") from error
    return found


def opened(path: str) -> Release:
    """The current version of a release, or the one whose folder is given.

    Args:
        path: a folder, or an fsspec URL such as ``hf://datasets/org/name@v1.0.0``.

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
            + (", but one is being written there. Wait for it, or run its flow again" * _is_unfinished(store))
            + ". Give the folder of a release, as in kodforge-store/demo/release, or of one version of it"
        )
    return (store.below(found.folder) if found.folder else store), found.model_copy(update={"folder": ""})


def _is_unfinished(store: Store) -> bool:
    return store.exists(CLAIM) or any(store.exists(name, CLAIM) for name in store.names() if Version.is_valid(name))


def versions(store: Store) -> list[Release]:
    """The finished versions in a folder, the oldest first; those of other runs too."""
    found = []
    for name in store.names():
        if Version.is_valid(name):
            one = store.below(name)
            manifest = read_manifest(one)
            if manifest and manifest.version == name:
                found.append((one, manifest))
    return sorted(found, key=lambda release: release[1].semantic)


def is_whole(release: Release) -> bool:
    """Whether every file of a version is there; their content is not looked at."""
    store, manifest = release
    folders = {str(PurePosixPath(name).parent) for name in manifest.files}
    there = {
        str(PurePosixPath(folder, name))
        for folder in folders
        for name in store.names(*(() if folder == "." else folder.split("/")))
    }
    return manifest.files <= there


class Claim(BaseModel):
    """``unfinished.json``: a version that is being written.

    Attributes:
        texts: all its files but the Parquet ones, as hexadecimal bytes. Whoever finishes the version writes these, so
            that its files are those of one writer even where the date has changed in between.
    """

    manifest: Manifest
    texts: dict[str, str]


def read_claim(store: Store) -> Claim | None:
    """The claim in the folder of a version; None where there is none.

    Raises:
        BadInput: there is one that cannot be read.
    """
    data = store.find(CLAIM)
    try:
        return Claim.model_validate_json(data) if data is not None else None
    except ValidationError as error:
        raise BadInput(f"{store.path(CLAIM)} is not of a release ({error}). Choose another folder") from error


def check_release_free(config: BuildConfig) -> None:
    """Make sure that publishing overwrites nothing but an earlier release of the same run.

    Raises:
        BadInput: the folder holds another run's release, or files that are no release; or ``release.version`` is lower
            than what was released before.
    """
    store = release_store(config)
    names = store.names()
    current = read_manifest(store) if MANIFEST in names else None
    runs = [current.run] if current else []
    for name in (name for name in names if Version.is_valid(name)):
        one = store.below(name)
        found = read_manifest(one) or getattr(read_claim(one), "manifest", None)
        if found is None and (files := one.names()) and not all(file.endswith(TEMPORARY) for file in files):
            raise _strangers(one, files[0])
        runs += [found.run] if found else []
    strangers = [name for name in names if not (name.endswith(TEMPORARY) and name.startswith((MANIFEST, CARD)))]
    if strangers and not runs and not all(Version.is_valid(name) for name in strangers):
        raise _strangers(store, next(name for name in strangers if not Version.is_valid(name)))
    for run in runs:
        if run != config.run:
            raise BadInput(
                f"release folder {store.url!r} already holds the release of run {run!r}, this run is {config.run!r}. "
                f"Choose another folder (--set release.path=…), or delete the old release first"
            )
    if current and not current.folder:
        raise BadInput(
            f"release folder {store.url!r} is one version of a release. Give the folder that its versions are in, or "
            f"an empty one: --set release.path=…"
        )
    wanted = config.release.version
    if wanted and current and Version.parse(wanted) < current.semantic:
        raise BadInput(
            f"release.version is {wanted}, and {store.url!r} holds {current.version}. Give a higher one, or none, to "
            f"have it raised by what changed"
        )


def _strangers(store: Store, name: str) -> BadInput:
    return BadInput(
        f"release folder {store.url!r} holds files that are no release of kodforge ({name}, …). Choose an empty "
        f"folder: --set release.path=…"
    )


def checksums(sha256: dict[str, str]) -> str:
    """Lines as ``sha256sum`` writes and checks them: a name with a backslash or a line break is escaped."""
    lines = []
    for name, digest in sorted(sha256.items()):
        told = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        lines.append(f"{chr(92) * (told != name)}{digest}  {told}\n")
    return "".join(lines)


def check_sums(store: Store, manifest: Manifest) -> None:
    """Read every file of a version and compare it with its checksum.

    Raises:
        BadInput: a file is missing or is not what was released; names it.
    """
    for name, told in sorted(manifest.sha256.items()):
        digest = hashlib.sha256()
        try:
            if name not in manifest.files:
                raise FileNotFoundError(name)
            with store.open(*name.split("/")) as file:
                while block := file.read(_CHUNK):
                    digest.update(block)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise BadInput(f"{store.url!r} lacks {name!r}, which its {MANIFEST} names. Publish it again") from error
        if digest.hexdigest() != told:
            raise BadInput(
                f"{store.path(name)} was changed after it was released: its SHA-256 is {digest.hexdigest()}, "
                f"{MANIFEST} says {told}. Publish it again, under another version if the change is wanted"
            )
