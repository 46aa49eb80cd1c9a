"""Base models: a folder, a GGUF file, a hub id, or the packaged one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import BadInput
from tasks.settings.experiment import PACKAGED_BASE
from tasks.teachers.local import weights

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Base:
    """A base model as transformers takes it.

    Attributes:
        path: a folder or a hub id; of a GGUF file the folder it lies in.
        gguf_file: its name there; empty where it is none.
        identity: what tells it from another model at the same place.
    """

    path: str
    gguf_file: str
    identity: str


def find_base(name: str) -> Base:
    """Raises:
    BadInput: there is nothing of that name, or it is no model.
    """
    if name.startswith("embedded:"):
        if name != PACKAGED_BASE:
            raise BadInput(f"there is no packaged base model {name!r}. There is {PACKAGED_BASE}")
        file = weights()
        return Base(str(file.parent), file.name, _identity([file]))
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix != ".gguf":
            raise BadInput(f"base model {name!r} is a file, but no .gguf. Give the folder that it lies in")
        return Base(str(path.parent), path.name, _identity([path]))
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise BadInput(f"base model {name!r} has no config.json. Give a folder that transformers saved")
        return Base(str(path), "", _identity(sorted(one for one in path.iterdir() if one.is_file())))
    if _HUB_ID.fullmatch(name) and not name.startswith((".", "/")):
        return Base(name, "", name)
    raise BadInput(f"base model {name!r} does not exist. Give a folder, a .gguf file, a hub id (OWNER/NAME), or "
                   f"{PACKAGED_BASE}")  # fmt: skip


def _identity(files: list[Path]) -> str:
    """A hash over names, sizes and heads: weights of gigabytes are not read for it."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}:{file.stat().st_size}:".encode())
        with file.open("rb") as data:
            digest.update(data.read(_HEAD_BYTES))
    return digest.hexdigest()[:16]
