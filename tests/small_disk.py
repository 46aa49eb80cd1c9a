"""A real file system with little room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def mount(folder: Path, *options: str) -> None:
    """Mount, or mount again, at a folder."""
    subprocess.run(["mount", *options, str(folder)], check=True, capture_output=True)


@contextmanager
def mounted_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A fresh file system at a folder, which is made; skips the test where none can be mounted."""
    folder.mkdir()
    try:
        mount(folder, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
