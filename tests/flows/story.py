"""Runs that a dashboard has something to show of: one that retries mended, one that failed for good."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tasks.settings.build import PROFILES
from tests.flows.moody import OVERLOADED, REFUSED, MoodyTeacher, moody_teacher
from tests.processes import LEAST_EFFORT, ROOT, PrefectServer, sets, stop

_DEMO = yaml.safe_load((PROFILES / "demo.yaml").read_text())
_AUTHOR = {**_DEMO["teachers"]["author"], "kind": "openai", "retries": 0}
TINY: dict[str, Any] = {
    **_DEMO,
    "shard_size": 3,
    "only": ["Prefill"],
    "subsets": {"Prefill": {"count": 6}},
    "verification": {"attempts": 1, "rigour": "fast", "effort": LEAST_EFFORT},
    "teachers": {**_DEMO["teachers"], "author": _AUTHOR},
    "post_training": {"styles": {"into": []}},
    "report": False,
}
MENDED, REFUSED_RUN = "mended", "refused"
"""Names of the runs."""


@dataclass
class Story:
    """What a server has to show.

    Attributes:
        mended: the flow run of the build that ended well.
        retried: a task run of it that was tried again.
        failed: the flow run of the build that failed.
    """

    server: PrefectServer
    store: Path
    api: httpx.Client
    mended: dict[str, Any]
    retried: dict[str, Any]
    failed: dict[str, Any]

    @property
    def ui(self) -> str:
        return f"{self.server.url.removesuffix('/api')}/v2"


def found(api: httpx.Client, what: str, **query: Any) -> list[dict[str, Any]]:
    """Objects of the server: ``found(api, "flow_runs", flow_runs={…})``."""
    response = api.post(f"/{what}/filter", json=query)
    response.raise_for_status()
    listed: list[dict[str, Any]] = response.json()
    return listed


@contextmanager
def run_under_way(
    server: PrefectServer, name: str, store: Path, url: str, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A run that was started on a console, until the block ends."""
    profile = store / "tiny.yaml"
    profile.write_text(yaml.safe_dump(TINY))
    given = ["--profile", str(profile), *sets(run=name, store=store, teachers__author__base_url=url, **options)]
    with (store / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "run", *given],
            cwd=ROOT,
            env=server.env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop(process)


def waiting(api: httpx.Client, process: subprocess.Popen[bytes], tries: int) -> dict[str, Any]:
    """A task run that has failed so many times and is about to be tried again."""
    query = {"task_runs": {"state": {"name": {"any_": ["AwaitingRetry"]}}}}
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before a task was tried again"
        for run in found(api, "task_runs", **query):
            if run["run_count"] >= tries:
                return run
        time.sleep(0.1)
    raise AssertionError("no task waited for a retry")


def mended_run(
    server: PrefectServer, api: httpx.Client, teacher: MoodyTeacher, url: str, store: Path, tries: int
) -> dict[str, Any]:
    """A run whose teacher is out of order until a task has failed so many times; that task run, as it waited."""
    teacher.refuses_with = OVERLOADED
    with run_under_way(server, MENDED, store, url) as process:
        retried = waiting(api, process, tries)
        teacher.refuses_with = 0
        assert process.wait(300) == 0, (store / f"{MENDED}.log").read_text()[-3000:]
    return retried


@contextmanager
def told(server: PrefectServer, folder: Path, tries: int = 1) -> Iterator[Story]:
    """Both runs, one after the other."""
    with moody_teacher() as (teacher, url), server.api() as api:
        retried = mended_run(server, api, teacher, url, folder, tries)
        teacher.refuses_with = REFUSED
        with run_under_way(server, REFUSED_RUN, folder, url, seed=1) as process:  # other questions than were answered
            assert process.wait(300) == 1, (folder / f"{REFUSED_RUN}.log").read_text()[-3000:]
        mended, failed = (
            found(api, "flow_runs", flow_runs={"name": {"any_": [f"build {name}"]}}, sort="START_TIME_DESC")[0]
            for name in (MENDED, REFUSED_RUN)
        )
        yield Story(server, folder, api, mended, retried, failed)
