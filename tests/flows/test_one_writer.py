"""Two flow runs that would write the same run at once: one waits, nothing is paid for twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flows.test_resume import answered
from tests.flows.worker import writer_of
from tests.processes import ROOT, UNCHECKED, running_teacher, sets

SMALL = {
    "run": "shared",
    "shard_size": 3,
    "only": "[Prefill]",
    "subsets__Prefill__count": 6,
    "verification__attempts": 2,
    "teachers__author__kind": "openai",
    "teachers__author__max_in_flight": 2,
    **UNCHECKED,
}


@contextmanager
def under_way(server, options: list[str], store: Path):
    """A run that has begun to ask; its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", *options],
        cwd=ROOT,
        env=server.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 600
        while answered(store) < 2 and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_second_run_waits_for_the_first(kodforge, prefect_server, tmp_path, killed):
    with running_teacher(tmp_path, "--latency", "0.4") as teacher:
        options = sets(**SMALL, store=tmp_path, teachers__author__base_url=teacher.url)
        with under_way(prefect_server, options, tmp_path) as first:
            assert writer_of(tmp_path / "shared") == first.pid
            refused = kodforge("run", *options, "--set", "busy_wait_s=0")
            assert refused.returncode == 1
            assert "is being written by flow run 'build shared'" in refused.stderr
            assert f"process {first.pid}" in refused.stderr
            if killed:
                os.killpg(first.pid, signal.SIGKILL)
            second = kodforge("run", *options)
            assert second.returncode == 0, second.stderr
            assert killed or first.wait(60) == 0
        asked = Counter(str(request["key"]) for request in teacher.requests() if request["answered"])
    assert sum(asked.values()) - len(asked) <= (2 if killed else 0)
    assert (tmp_path / "shared/release/release.json").exists()
    assert writer_of(tmp_path / "shared") == 0
