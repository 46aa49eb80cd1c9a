"""How a version of a release is written, so that no reader ever sees a part of it or none.

1. All files are made on local disk first, so that nothing of the release is touched where they cannot be made.
2. The version's folder is claimed: ``unfinished.json`` is created there, which of several writers one can. It holds
   all that the version consists of. A later run that finds the claim of a run that was killed finishes that version
   where it makes the same one, and takes the next number where it does not.
3. The files are written, ``release.json`` last: with it the version is finished, and never changed again.
4. The card and the manifest of the release are replaced by those of the highest finished version, a put each.
5. Versions beyond those to keep are removed.

A kill between any two steps is mended by the next publication.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from semver import Version

from tasks.errors import BadInput
from tasks.publishing.card import below_folder
from tasks.publishing.folder import (
    CARD,
    CLAIM,
    MANIFEST,
    SUMS,
    Claim,
    Manifest,
    checksums,
    read_claim,
    read_manifest,
    versions,
)
from tasks.store import Store

_ABANDONED = timedelta(days=1)
"""After which a version that nobody finished is taken for that of a run that was killed."""
Texts = Callable[[str], tuple[Manifest, dict[str, bytes]]]
"""What a version of that number consists of: its manifest, with the checksums of its Parquet files, and its texts."""


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_version(store: Store, wanted: str, version: str, texts_of: Texts, files: Mapping[str, Path]) -> Manifest:
    """Write a version into a folder of releases, under its number or the next that is free.

    Args:
        store: the folder of the releases.
        wanted: the number that the config asks for; empty where any will do.
        version: the number to begin with.
        texts_of: the texts for a number, which they mention.
        files: the Parquet files on this machine, by their paths below the version's folder.

    Raises:
        BadInput: ``wanted`` is taken.
    """
    while True:
        claim = _claim(*texts_of(version))
        folder = store.below(version)
        found = claim if folder.create(claim.model_dump_json(indent=1).encode(), CLAIM) else read_claim(folder)
        finished = read_manifest(folder)
        if finished is None and found is not None and _is_of(found, claim):
            return _finish(folder, found, files)
        if finished is not None and found is claim:
            folder.remove(CLAIM)  # it was finished before the claim
        if wanted:
            raise BadInput(
                f"release.version is {wanted}, and {folder.url!r} holds something else"
                + (". Where no run is writing it, remove that folder" if finished is None else "")
                + ". Give a higher one, or none (--set release.version=), to have it raised by what changed"
            )
        version = str(Version.parse(version).bump_patch())


def _claim(manifest: Manifest, texts: Mapping[str, bytes]) -> Claim:
    sums = {**manifest.sha256, **{name: hashlib.sha256(data).hexdigest() for name, data in texts.items()}}
    every = {**texts, SUMS: checksums(sums).encode()}
    sums[SUMS] = hashlib.sha256(every[SUMS]).hexdigest()
    done = manifest.model_copy(update={"sha256": dict(sorted(sums.items()))})
    return Claim(manifest=done, texts={name: data.hex() for name, data in every.items()})


def _is_of(found: Claim, mine: Claim) -> bool:
    """Whether a claim can be finished with this run's Parquet files."""
    return found.manifest.same_rows(mine.manifest) and _parquet(found.manifest) == _parquet(mine.manifest)


def _parquet(manifest: Manifest) -> dict[str, str]:
    return {name: manifest.sha256[name] for table in manifest.tables for name in table.files}


def _finish(folder: Store, claim: Claim, files: Mapping[str, Path]) -> Manifest:
    for name, path in files.items():
        folder.place(path, *name.split("/"))
    for name, data in claim.texts.items():
        folder.write(bytes.fromhex(data), *name.split("/"))
    folder.write(claim.manifest.model_dump_json(indent=1).encode(), MANIFEST)
    folder.remove(CLAIM)
    _sweep(folder, claim.manifest.files)
    return claim.manifest


def _sweep(folder: Store, files: Iterable[str]) -> None:
    """Remove what writes that were killed left in the folders of files."""
    for one in (*_folders(files), PurePosixPath()):
        folder.sweep(*one.parts)


def point_at_highest(store: Store) -> Manifest:
    """Make the highest finished version the current one, unless it is; its manifest.

    Of two that do so at once the later one corrects what the earlier saw: each looks again after it wrote.
    """
    while True:
        folder, manifest = versions(store)[-1]
        current = manifest.model_copy(update={"folder": manifest.version})
        wanted = {
            CARD: below_folder(folder.read(CARD).decode(), manifest.version).encode(),
            MANIFEST: current.model_dump_json(indent=1).encode(),
        }
        stale = {name: data for name, data in wanted.items() if store.find(name) != data}
        if not stale:
            break
        for name, data in stale.items():
            store.write(data, name)
    store.sweep()
    return manifest


def remove_old(store: Store, keep: int) -> None:
    """Remove versions beyond so many earlier ones, and such as were abandoned."""
    finished = versions(store)
    for folder, manifest in finished[: max(0, len(finished) - 1 - keep)]:
        remove_version(folder, manifest)
    for name in (name for name in store.names() if Version.is_valid(name)):
        folder = store.below(name)
        files = folder.names()
        if CLAIM in files and MANIFEST in files:
            folder.remove(CLAIM)
        elif CLAIM in files and datetime.now(UTC) - _moment(folder) > _ABANDONED:
            claim = read_claim(folder)
            if claim:
                remove_version(folder, claim.manifest)


def _moment(folder: Store) -> datetime:
    found = folder.modified(CLAIM)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def remove_version(folder: Store, manifest: Manifest) -> None:
    """Remove the files of a version, and the folders that hold nothing else. Its manifest goes last."""
    _sweep(folder, manifest.files)
    for name in (*sorted(manifest.files), CLAIM, MANIFEST):
        folder.remove(*name.split("/"))
    for one in _folders(manifest.files):
        folder.remove_empty(*one.parts)
    folder.remove_empty()


def _folders(files: Iterable[str]) -> list[PurePosixPath]:
    """The folders of files, the innermost first."""
    found = {parent for name in files for parent in PurePosixPath(name).parents if parent.parts}
    return sorted(found, key=lambda one: -len(one.parts))
