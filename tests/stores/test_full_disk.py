"""A disk that is full, read-only or gone: a real one of a few megabytes."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from tasks.artifacts import Stage
from tasks.errors import BadInput, StoreFull, StoreUnavailable, retryable
from tasks.filesystems import local_space
from tasks.models import Seed
from tasks.store import Store
from tasks.teachers.cache import open_cache
from tasks.teachers.requests import Answer, Choice
from tests.small_disk import mount, mounted_disk
from tests.stores.test_shards import outcome


def answer(key: str, text: str = "yes") -> Answer:
    return Answer(response_id=key, choices=(Choice(text=text),), prompt_tokens=1, completion_tokens=1)


@pytest.fixture
def disk(tmp_path):
    """A file system of 2 MB."""
    with mounted_disk(tmp_path / "disk", 2) as folder:
        yield folder


def fill(disk: Path, left: int = 0) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        free = os.statvfs(disk)
        file.write(b"x" * max(0, free.f_bavail * free.f_frsize - left))
    return ballast


def test_what_does_not_fit_leaves_what_was_there_and_the_disk_is_named(disk):
    store = Store(str(disk / "store"))
    store.write(b"before", "run", "a")
    ballast = fill(disk, 4096)
    with pytest.raises(StoreFull) as caught:
        store.write(b"x" * 1_000_000, "run", "a")
    assert f"the disk mounted at {disk} (" in str(caught.value) and "1,000,000 bytes more are needed" in str(
        caught.value
    )
    assert not retryable(caught.value)
    assert store.read("run", "a") == b"before"
    assert store.names("run") == ["a"]
    with pytest.raises(StoreFull):
        store.create(b"x" * 1_000_000, "run", "b")
    ballast.unlink()
    store.write(b"x" * 1_000_000, "run", "a")
    assert len(store.read("run", "a")) == 1_000_000


@pytest.mark.parametrize("left", [0, 4096, 8192])
def test_a_shard_that_does_not_fit_is_not_done(disk, left):
    stage = Stage(Store(str(disk / "store")), "run", "questions")
    stage.run_shard("part-00000", Seed, [0], lambda: outcome(0))
    ballast = fill(disk, left)
    with pytest.raises(StoreFull):
        for number in range(1, 9):
            stage.run_shard("part-00000", Seed, [number], lambda number=number: outcome(number))
    ballast.unlink()
    receipt = stage.done("part-00000")
    assert len(stage.rows(receipt, Seed)) == 1 and len(stage.rejects(receipt)) == receipt.rejected
    stage.run_shard("part-00000", Seed, [9], lambda: outcome(9))
    assert len(stage.rejects("part-00000")) == 9


def test_answers_that_were_said_to_be_kept_are_kept(disk):
    cache = open_cache(str(disk / "answers.sqlite"))
    ballast, kept = fill(disk, 300_000), []
    with pytest.raises(StoreFull, match=rf"the disk mounted at {disk} .* is full"):
        for number in range(500):
            cache.put(answer(str(number), os.urandom(4000).hex()))
            kept.append(str(number))
    assert kept
    ballast.unlink()
    assert cache.get_many(kept).keys() == set(kept)
    cache.put(answer("more"))
    assert open_cache(str(disk / "answers.sqlite")).get_many([*kept, "more"]).keys() == {*kept, "more"}


def test_temporary_files_without_space_name_their_disk(disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    fill(disk)
    with pytest.raises(StoreFull, match=rf"the disk mounted at {disk} .* TMPDIR"), local_space():
        (disk / "spool").write_bytes(b"x" * 100_000)


def test_a_store_that_is_read_only_is_told(disk):
    store = Store(str(disk / "store"))
    store.write(b"1", "a")
    mount(disk, "-o", "remount,ro")
    with pytest.raises(BadInput, match=r"is not writable: .*Read-only"):
        store.write(b"2", "a")
    with pytest.raises(BadInput, match="Read-only"):
        store.check_writable()
    assert store.read("a") == b"1"


def test_a_store_that_goes_in_mid_run_is_told(disk):
    stage = Stage(Store(str(disk / "store")), "run", "questions")
    receipt = stage.run_shard("part-00000", Seed, [0], lambda: outcome(0))
    subprocess.run(["umount", "-l", str(disk)], check=True)
    try:
        with pytest.raises(StoreUnavailable, match=r"is gone, although it was written. Was the store moved"):
            stage.rows(receipt, Seed)
    finally:
        mount(disk, "-t", "tmpfs", "-o", "size=2m", "tmpfs")
