"""Scratch folders of killed processes go, those of living ones stay."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tasks.scratch import scratch_folder

HOLDER = """
import sys, tempfile
tempfile.tempdir = sys.argv[1]
from tasks.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "rows").write_bytes(b"rows")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_folder_goes_with_its_block(place):
    with pytest.raises(KeyError), scratch_folder() as folder:
        (folder / "rows").write_bytes(b"rows")
        raise KeyError
    assert list(place.iterdir()) == []


def test_killed_process_leaves_nothing_that_the_next_does_not_remove(place):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    folder = Path(holder.stdout.readline().strip())
    with scratch_folder():
        assert (folder / "rows").exists()
    holder.kill()
    holder.communicate()
    assert folder.exists()
    with scratch_folder() as mine:
        assert list(place.iterdir()) == [mine]
