"""The promise: kill the flow at any moment, run again, same release, and no answered request is asked again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.processes import ROOT, UNCHECKED, running_teacher, sets
from tests.small_disk import mounted_disk

IN_FLIGHT = 4
SMALL = {
    "run": "small",
    "shard_size": 5,
    "only": "[Prefill,Leetcode]",
    "subsets__Prefill__count": 9,
    "subsets__Leetcode__count": 8,
    "verification__attempts": 2,
    "teachers__author__kind": "openai",
    "teachers__author__max_in_flight": IN_FLIGHT,
    "report": "false",
}
QUICK = {**SMALL, **UNCHECKED}


def release_files(store: Path) -> dict[str, bytes]:
    release = store / "small/release"
    return {str(path.relative_to(release)): path.read_bytes() for path in release.rglob("*") if path.is_file()}


def answered(store: Path) -> int:
    path = store / "answers.sqlite"
    if not path.exists():
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as answers:
        try:
            return int(answers.execute("select count(*) from answers").fetchone()[0])
        except (TypeError, sqlite3.OperationalError):
            return 0


@pytest.fixture(scope="module")
def calm(kodforge, tmp_path_factory):
    """The release of an undisturbed run, and how many requests it made; with all checks or without."""

    @cache
    def run(checked: bool) -> tuple[dict[str, bytes], int]:
        folder = tmp_path_factory.mktemp("calm")
        with running_teacher(folder) as teacher:
            options = sets(**SMALL if checked else QUICK, teachers__author__base_url=teacher.url)
            done = kodforge("run", *options, *sets(store=folder / "store"))
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
            return release_files(folder / "store"), len(teacher.requests())

    return run


@pytest.mark.parametrize(
    ("kill_at", "checked"),
    [pytest.param(3, False, marks=pytest.mark.slow), (15, False), pytest.param(40, True, marks=pytest.mark.slow)],
)
def test_kill_9_in_mid_run(kodforge, prefect_server, teacher, calm, tmp_path, kill_at, checked):
    release, undisturbed = calm(checked)
    stormy = tmp_path / "stormy"
    options = sets(**SMALL if checked else QUICK, teachers__author__base_url=teacher.url)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", *options, *sets(store=stormy)],
        cwd=ROOT,
        env=prefect_server.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while answered(stormy) < kill_at and time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    on_disk = answered(stormy)
    assert kill_at <= on_disk
    assert not (stormy / "small/release/release.json").exists()

    done = kodforge("run", *options, *sets(store=stormy))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert release_files(stormy) == release

    asked = Counter(str(request["key"]) for request in teacher.requests() if request["answered"])
    # Only what was in flight at the kill, answered by the server but not yet on our disk, may be asked twice.
    assert sum(count - 1 for count in asked.values()) <= IN_FLIGHT
    assert max(asked.values()) <= 2
    assert len(asked) <= undisturbed


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 MB."""
    with mounted_disk(tmp_path / "disk", 64) as folder:
        yield folder


@pytest.mark.parametrize("full_at", [pytest.param(4, marks=pytest.mark.slow), 30])
def test_disk_that_fills_up_in_mid_run(kodforge, prefect_server, teacher, calm, small_disk, full_at):
    """It is told, and once there is room the run goes on to the same release."""
    release, undisturbed = calm(False)
    options = sets(**QUICK, teachers__author__base_url=teacher.url, store=small_disk)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", *options],
        cwd=ROOT,
        env=prefect_server.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while answered(small_disk) < full_at:
        assert process.poll() is None, "the run ended before the disk was full"
        time.sleep(0.005)
    ballast = small_disk / "ballast"
    with ballast.open("wb") as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(b"x" * 65536)
            file.flush()
    _, told = process.communicate(timeout=300)
    assert process.returncode == 1
    assert f"the disk mounted at {small_disk} (0 bytes free) is full" in told
    assert "Make space" in told
    assert not (small_disk / "small/release/release.json").exists()

    ballast.unlink()
    done = kodforge("run", *options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert release_files(small_disk) == release
    asked = Counter(str(request["key"]) for request in teacher.requests() if request["answered"])
    # Answers in flight have no place on a full disk.
    assert sum(count - 1 for count in asked.values()) <= IN_FLIGHT
    assert len(asked) <= undisturbed
