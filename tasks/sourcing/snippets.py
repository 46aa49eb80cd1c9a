"""Method 3: a question inspired by one code file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tasks.errors import BadInput
from tasks.models import Provenance, Seed, Subset
from tasks.settings import SeedOptions
from tasks.sourcing.packages import UNKNOWN_LICENCE, SourceFile, read_text, source_files, wanted

MIN_CHARACTERS = 200
MAX_CHARACTERS = 12_000


def _folder(path: str, licence: str) -> Iterator[SourceFile]:
    root = Path(path)
    if not root.is_dir():
        raise BadInput(f"seeds path {path!r} is not a folder. A snippet source reads a folder of .py files")
    for file in sorted(root.rglob("*.py")):
        text = read_text(file)
        if file.name != "__init__.py" and text is not None:
            yield SourceFile(file.relative_to(root).as_posix(), text, root.name, "", licence or UNKNOWN_LICENCE)


def read_seeds(subset: Subset, options: SeedOptions) -> Iterator[Seed]:
    """One seed per Python file of bounded size.

    Raises:
        BadInput: the folder or package does not exist.
    """
    if options.path:
        files = _folder(options.path, options.licence)
    else:
        files = (file for name in options.packages for file in source_files(name))
    for file in files:
        if MIN_CHARACTERS <= len(file.text) <= MAX_CHARACTERS and wanted(file.path, options.include):
            yield Seed(
                seed_id=f"{file.distribution}:{file.path}",
                subset=subset,
                text=file.text,
                title=file.path,
                libraries=[],
                source=Provenance(origin=file.distribution, version=file.version, path=file.path, licence=file.licence),
            )
