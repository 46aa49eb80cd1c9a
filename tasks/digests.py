"""Hashes of the code and data that decide, for fingerprints: work done by other rules is done again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import cache
from importlib import resources
from importlib.metadata import version


@cache
def digest_of(package: str, suffixes: tuple[str, ...], libraries: tuple[str, ...] = ()) -> str:
    """A short stable hash of a package's own files, and of the versions of libraries.

    Args:
        suffixes: which files, by how their names end; subpackages are not read.
        libraries: distributions, by the names that they are installed by.
    """
    files = sorted(
        (file for file in resources.files(package).iterdir() if file.is_file() and file.name.endswith(suffixes)),
        key=lambda file: file.name,
    )
    return _hash(
        [
            *(part for file in files for part in (file.name.encode(), b"\n".join(file.read_bytes().splitlines()))),
            *(f"{library} {version(library)}".encode() for library in libraries),
        ]
    )


def _hash(parts: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:16]
