"""Source files of installed distributions, with version and licence. Nothing is imported or executed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path
from typing import cast

from tasks.errors import BadInput

UNKNOWN_LICENCE = "LicenseRef-unknown"
_CLASSIFIERS = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: ISC License (ISCL)": "ISC",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_EXPRESSIONS = frozenset({"MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD"})
_NOT_SEEDS = frozenset({"tests", "test", "testing", "_testing", "conftest.py", "__init__.py", "setup.py"})


@dataclass(frozen=True)
class SourceFile:
    """A Python file of a distribution; ``path`` is relative to site-packages, with forward slashes."""

    path: str
    text: str
    distribution: str
    version: str
    licence: str


def licence_of(distribution: metadata.Distribution) -> str:
    """SPDX expression of a distribution, ``LicenseRef-unknown`` where its metadata does not settle it."""
    fields = cast(Message, distribution.metadata)
    if expression := fields.get("License-Expression"):
        return str(expression)
    if (name := fields.get("License")) in _EXPRESSIONS:
        return str(name)
    known = {_CLASSIFIERS[entry] for entry in fields.get_all("Classifier") or [] if entry in _CLASSIFIERS}
    return known.pop() if len(known) == 1 else UNKNOWN_LICENCE


def wanted(name: str, include: Sequence[str]) -> bool:
    """Whether a path or qualified name matches one of the globs; an empty list takes all."""
    return not include or any(fnmatchcase(name, pattern) for pattern in include)


def source_files(name: str) -> Iterator[SourceFile]:
    """The Python files of an installed distribution, in path order, tests and `__init__` left out.

    Raises:
        BadInput: no such distribution is installed.
    """
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise BadInput(f"package {name!r} is not installed. Install it, or name another one") from error
    licence = licence_of(distribution)
    for file in sorted(distribution.files or [], key=str):
        if file.suffix != ".py" or file.parts[0] == ".." or _NOT_SEEDS.intersection(file.parts):
            continue
        text = read_text(Path(str(file.locate())))
        if text is not None:
            yield SourceFile(file.as_posix(), text, name, distribution.version, licence)


def read_text(path: Path) -> str | None:
    """The text of a file, None where it is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, FileNotFoundError):
        return None
