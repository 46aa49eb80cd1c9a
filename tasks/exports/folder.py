"""The folder of an export: which of its files are the export's own, and how they get there.

``export.json`` is written first and last: a folder in which it says ``"complete": false`` is incomplete. Exporting to
the same folder again replaces the files that it lists and leaves all others alone.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasks.errors import BadInput

MANIFEST = "export.json"


class ExportedPart(BaseModel):
    """One split of one configuration: its files by their paths below the export."""

    config: str
    split: str
    kind: str
    files: list[str]
    rows: int


class Exported(BaseModel):
    """What ``export.json`` holds.

    ``release`` is what the release says of itself; ``left_out`` counts the rows of ``rejects.jsonl``.
    """

    model_config = ConfigDict(extra="forbid")

    complete: bool
    format: str
    kodforge: str
    release: dict[str, Any]
    parts: list[ExportedPart]
    left_out: int
    sha256: dict[str, str]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


def own_files(out: Path) -> set[str]:
    """The files of a folder that an earlier export wrote: paths below it.

    Raises:
        BadInput: it is no folder, or holds files and is no export.
    """
    if out.exists() and not out.is_dir():
        raise BadInput(f"{str(out)!r} is a file. Give a folder for the export")
    if not out.exists() or not any(out.iterdir()):
        return set()
    try:
        told = Exported.model_validate_json((out / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"folder {str(out)!r} holds files and is no export of kodforge. Give an empty one, or one that is not there"
        ) from error
    names = [PurePosixPath(name) for name in told.sha256]
    return {str(name) for name in names if not name.is_absolute() and ".." not in name.parts}


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder, by its path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def install(staged: Path, out: Path, told: Exported) -> None:
    """Put an export's files where they belong.

    Whenever this is killed, ``export.json`` names all files that are the export's own.
    """
    own, made = own_files(out), told.sha256
    out.mkdir(exist_ok=True)
    claimed = dict.fromkeys(own, "") | made
    _write(out, told.model_copy(update={"complete": False, "sha256": claimed}))
    stale = own - made.keys()
    for name in stale:
        (out / name).unlink(missing_ok=True)
    for name in made:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / name, out / name)
    for name in stale:
        _remove_empty((out / name).parent, out)
    _write(out, told)


def _remove_empty(folder: Path, above: Path) -> None:
    while folder != above and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _write(out: Path, told: Exported) -> None:
    temporary = out / f".{MANIFEST}.tmp"
    temporary.write_text(told.model_dump_json(indent=1) + "\n", encoding="utf-8")
    os.replace(temporary, out / MANIFEST)
