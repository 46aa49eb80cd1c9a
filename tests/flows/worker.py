"""Deployments on a real server with a real worker, as the UI handles them: start, retry, pause, cancel."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.processes import LEAST_EFFORT, ROOT, PrefectServer, stop

LIGHT = {
    "verification": {"attempts": 2, "rigour": "fast", "effort": LEAST_EFFORT},
    "post_training": {"styles": {"into": []}},
    "report": False,
}
"""As UNCHECKED, for a config that is given as JSON."""
PREFECT = [sys.executable, "-m", "prefect"]
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class PatientClient(httpx.Client):
    """Asks again where the server is busy with its SQLite file, as Prefect's own client does."""

    def request(self, method: str, *args: Any, **kwargs: Any) -> httpx.Response:
        for _ in range(20):
            try:
                response = super().request(method, *args, **kwargs)
                if response.status_code != 503:
                    return response
            except httpx.TransportError:
                if method != "GET":  # it may have been done
                    raise
            time.sleep(1)
        raise AssertionError(f"the server was busy 20 times: {method} {args}")


def prefect(server: PrefectServer, *arguments: str) -> str:
    """What a command of Prefect's prints."""
    done = subprocess.run(
        [*PREFECT, *arguments],
        cwd=ROOT,
        env=server.env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def running_worker(server: PrefectServer, pool: str = "kodforge") -> Iterator[subprocess.Popen[bytes]]:
    """A worker of a pool, until the block ends."""
    worker = subprocess.Popen(
        [*PREFECT, "worker", "start", "--pool", pool],
        cwd=ROOT,
        env={**server.env, "PREFECT_WORKER_QUERY_SECONDS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield worker
    finally:
        stop(worker)


def start(api: httpx.Client, name: str, parameters: dict) -> str:
    """Start a flow run of a deployment at once, as its *Quick run* does; its id."""
    deployment = api.get(f"/deployments/name/{name}").json()
    created = api.post(f"/deployments/{deployment['id']}/create_flow_run", json={"parameters": parameters})
    assert created.status_code == 201, created.text
    return created.json()["id"]


def set_state(api: httpx.Client, run_id: str, state: dict) -> None:
    """Set the state of a flow run as a button of the UI does."""
    done = api.post(f"/flow_runs/{run_id}/set_state", json={"state": state})
    assert done.status_code in (200, 201), done.text
    assert done.json()["status"] == "ACCEPT", done.json()


def retry(api: httpx.Client, run_id: str) -> None:
    """The button *Retry*."""
    now = datetime.now(UTC).isoformat()
    state = {"type": "SCHEDULED", "name": "AwaitingRetry", "message": "Retry from the UI"}
    set_state(api, run_id, {**state, "state_details": {"scheduled_time": now}})


def until(api: httpx.Client, run_id: str, wanted: Callable[[dict], bool], seconds: float = 600) -> dict:
    """Wait until a flow run is as wanted; the run."""
    deadline = time.monotonic() + seconds
    run: dict = {"state": None}
    while time.monotonic() < deadline:
        run = api.get(f"/flow_runs/{run_id}").json()
        if wanted(run):
            return run
        time.sleep(0.5)
    raise AssertionError(f"flow run is not as wanted after {seconds} s: {run['state']}")


def ended(api: httpx.Client, run_id: str, seconds: float = 600) -> dict:
    """Wait until a flow run has ended; the run."""
    return until(api, run_id, lambda run: run["state"]["type"] in FINAL, seconds)


@contextmanager
def cloned(api: httpx.Client, name: str, flow: str = "build-dataset/demo", **changes: object) -> Iterator[str]:
    """For a while, a deployment like another one but for some of its fields; its name with that of its flow."""
    found = api.get(f"/deployments/name/{flow}").json()
    kept = ("flow_id", "entrypoint", "path", "pull_steps", "work_pool_name", "parameter_openapi_schema")
    made = api.post("/deployments/", json={**{key: found[key] for key in kept}, "name": name, **changes})
    assert made.status_code in (200, 201), made.text
    try:
        yield f"{flow.partition('/')[0]}/{name}"
    finally:
        api.delete(f"/deployments/{made.json()['id']}").raise_for_status()


def writer_of(run: Path) -> int:
    """The process that writes a run's folder; 0 where none does."""
    try:
        return int(json.loads((run / "writer.json").read_bytes())["pid"])
    except (FileNotFoundError, json.JSONDecodeError):
        return 0
