"""``kodforge serve-rewards`` as a process: it starts, stops, and is started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from rich.console import Console

from flows.console.serve_rewards import serve
from tasks.rewards import BadInput, RewardClient
from tests.rewards.material import INSTRUCT, RIGHT, until

SLOW = [f"import time\n\n\ndef f(x):\n    time.sleep(0.2)\n    return x + 1  # {n}\n" for n in range(12)]


@contextmanager
def command(*arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "serve-rewards", "--backend", "bubblewrap", "--jobs", "2", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "COLUMNS": "400", **environment},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://[\d.]+:\d+", line)
        assert address, line + process.stdout.read()
        yield process, address.group()
    finally:
        process.kill()
        process.wait()


def test_a_server_that_is_told_to_stop_finishes_what_runs():
    with command("--port", "0") as (process, url), RewardClient(url) as client, ThreadPoolExecutor(1) as threads:
        batch = threads.submit(client.reward, SLOW, [INSTRUCT] * len(SLOW))
        until(url, "kodforge_rewards_waiting", len(SLOW))
        process.send_signal(signal.SIGTERM)
        assert [one.value for one in batch.result(120)] == [1] * len(SLOW)
        assert process.wait(30) == 0


def test_a_client_outlives_a_restart_of_its_server():
    with ThreadPoolExecutor(1) as threads, command("--port", "0") as (first, url), RewardClient(url, batch=4) as client:
        batch = threads.submit(client.reward, SLOW, [INSTRUCT] * len(SLOW))
        until(url, "kodforge_rewards_waiting", len(SLOW))
        first.kill()
        first.wait()
        with command("--port", url.rpartition(":")[2]):
            assert [one.value for one in batch.result(120)] == [1] * len(SLOW)


def test_settings_and_key_reach_the_server():
    sets = ["--set", "mode=share", "--set", "no_code=-0.25", "--set", "serving.max_batch=8"]
    half = "def f(x):\n    return 2\n"
    with command("--port", "0", *sets, KODFORGE_REWARDS_KEY="s3cret") as (_, url):
        with RewardClient(url, key="s3cret", batch=16) as client:
            found = client.reward([RIGHT, half, ""] * 4, [INSTRUCT] * 12)
        assert [one.value for one in found] == [1, 0.5, -0.25] * 4


WRONG_VALUES = {
    "reachable without a key": ({"serving": {"host": "0.0.0.0"}}, "no key"),
    "a value out of bounds": ({"no_code": 1}, "no_code: Input should be less than or equal to 0, got 1"),
    "a setting that there is not": ({"sandbox": {"walls": 1}}, "sandbox.walls"),
    "no such host": ({"serving": {"host": "no.such.host.invalid"}}, "cannot be had"),
}


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_what_cannot_be_served_is_said_before_anything_starts(name):
    values, why = WRONG_VALUES[name]
    with pytest.raises(BadInput, match=why):
        serve(values, "", Console())


def test_a_key_that_no_header_can_have_is_refused(monkeypatch):
    monkeypatch.setenv("REWARDS_KEY", "two\nlines")
    with pytest.raises(BadInput, match="REWARDS_KEY") as error:
        serve({}, "REWARDS_KEY", Console())
    assert "two" not in str(error.value)
