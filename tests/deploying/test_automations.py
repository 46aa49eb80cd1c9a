"""The automations that ``kodforge deploy`` makes, on a real server and worker, with a webhook that hears of trouble."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engines.database import PASSWORD, running_postgres
from tests.flows.test_resume import answered
from tests.flows.worker import LIGHT
from tests.ports import free_port
from tests.processes import ROOT, PrefectServer, console, running_server, running_teacher, sets, stop

POOL = "watched"
ZOMBIE_AFTER_S, STUCK_AFTER_S = 60, 12
"""Short: a run is heard every 30 s, later on a busy machine, and Prefect asks for 10 s at least."""


@dataclass
class Webhook:
    """Takes in notifications, as a chat's server would."""

    url: str
    told: queue.Queue[str] = field(default_factory=queue.Queue)
    seen: list[str] = field(default_factory=list)

    def hears(self, *parts: str, seconds: float = 240) -> str:
        """Wait for a notification with all of these parts."""
        deadline = time.monotonic() + seconds
        while True:
            for text in self.seen:
                if all(part in text for part in parts):
                    self.seen.remove(text)
                    return text
            try:
                self.seen.append(self.told.get(timeout=max(0, deadline - time.monotonic())))
            except queue.Empty:
                raise AssertionError(f"nothing was told of {parts} within {seconds} s, but {self.seen}") from None


@pytest.fixture(scope="module")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """On PostgreSQL, as a server that watches over runs should be (docs/operations.md)."""
    with running_postgres() as postgres:
        postgres.create("prefect")
        url = f"postgresql+asyncpg://kod:{PASSWORD}@127.0.0.1:{postgres.port}/prefect"
        folder = tmp_path_factory.mktemp("prefect")
        with running_server(folder, PREFECT_API_DATABASE_CONNECTION_URL=url) as server:
            yield server


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.told.put(self.rfile.read(int(self.headers["content-length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Webhook(f"http://127.0.0.1:{server.server_port}/token-of-nobody")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()


@pytest.fixture(scope="module")
def api(prefect_server: PrefectServer, webhook, tmp_path_factory) -> Iterator[httpx.Client]:
    done = console(prefect_server)(
        *("deploy", "--pool", POOL, "--only", "demo", "--notify", "webhook=KODFORGE_TEST_HOOK"),
        *("--zombie-after", str(ZOMBIE_AFTER_S), "--stuck-after", str(STUCK_AFTER_S / 60), "--restarts", "1"),
        *("--directory", str(tmp_path_factory.mktemp("work"))),
        env={"KODFORGE_TEST_HOOK": webhook.url},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with prefect_server.api() as client:
        yield client


@contextmanager
def worker(server: PrefectServer) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL],
        cwd=ROOT,
        env=server.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        for child in flows_of(process):
            os.kill(child, signal.SIGKILL)
        stop(process)


def flows_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes that a worker runs flows in."""
    children = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if parent == process.pid and "prefect" in command:
            children.append(int(folder.name))
    return children


def start(api: httpx.Client, store: Path, run: str, author: dict[str, Any], **config: Any) -> str:
    deployment = api.get("/deployments/name/build-dataset/demo").json()
    values = {
        "profile": "demo",
        "run": run,
        "store": str(store),
        "only": ["Prefill"],
        "subsets": {"Prefill": {"count": 9}},
        "shard_size": 5,
        **LIGHT,
        "teachers": {"author": author, "reasoners": {}},
        **config,
    }
    body = {"parameters": {"config": values}}
    created = api.post(f"/deployments/{deployment['id']}/create_flow_run", json=body)
    assert created.status_code == 201, created.text
    return str(created.json()["id"])


def until(api: httpx.Client, run: str, *states: str, seconds: float = 300) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found: dict[str, Any] = api.get(f"/flow_runs/{run}").json()
        if found["state"]["type"] in states:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no state of {states} within {seconds} s: {found['state']}")


@pytest.mark.slow
def test_a_lost_host_and_a_stuck_shard(api, prefect_server, webhook, tmp_path):
    """A teacher hangs, which is told; then worker and flow are killed, as where a host is lost.

    The run is found to be a zombie, told of, started again, and goes on with another worker.
    """
    with running_teacher(tmp_path) as teacher:
        author = {"kind": "openai", "base_url": teacher.url, "max_in_flight": 4}
        with worker(prefect_server) as first:
            run = start(api, tmp_path, "lost", author)
            deadline = time.monotonic() + 240
            while answered(tmp_path) < 3:
                assert time.monotonic() < deadline, f"nothing was asked: {api.get(f'/flow_runs/{run}').json()['state']}"
                time.sleep(0.05)
            os.kill(teacher.pid, signal.SIGSTOP)
            webhook.hears("is stuck", "lost has been at it for more than 0.2 min")
            for process in flows_of(first):
                os.kill(process, signal.SIGKILL)
            os.killpg(first.pid, signal.SIGKILL)
        os.kill(teacher.pid, signal.SIGCONT)
        assert f"Nothing was heard of the run for {ZOMBIE_AFTER_S} s" in webhook.hears("build lost of demo crashed")
        with worker(prefect_server):
            found = until(api, run, "COMPLETED", "FAILED")
    assert (found["state"]["type"], found["run_count"]) == ("COMPLETED", 2)
    assert (tmp_path / "lost/release/release.json").exists()


THEIRS = """
import time
from prefect import flow

@flow(name="theirs", flow_run_name="theirs")
def theirs():
    time.sleep(600)

theirs()
"""


@pytest.mark.slow
def test_runs_of_a_console_and_flows_of_others_are_left_alone(api, prefect_server, tmp_path):
    """Prefect's own default is to be heard every 180 s, which is less often than the automation waits for."""

    def under_way() -> set[str]:
        found = api.post("/flow_runs/filter", json={"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}).json()
        return {run["name"] for run in found} & {"build console", "source console", "theirs"}

    with running_teacher(tmp_path, "--latency", "120") as teacher:
        options = sets(run="console", store=tmp_path, only="[Prefill]", teachers__author__base_url=teacher.url)
        console_run = ["-m", "flows.cli", "run", *options, *sets(teachers__author__kind="openai")]
        started = [
            subprocess.Popen([sys.executable, *command], cwd=ROOT, env=prefect_server.env, start_new_session=True)
            for command in (console_run, ["-c", THEIRS])
        ]
        try:
            deadline = time.monotonic() + 120
            while len(under_way()) < 3:
                assert time.monotonic() < deadline, under_way()
                time.sleep(0.5)
            time.sleep(ZOMBIE_AFTER_S + 30)  # Prefect looks every few seconds whether it has been that long
            assert under_way() == {"build console", "source console", "theirs"}
        finally:
            for process in started:
                stop(process)


@pytest.mark.slow
def test_a_run_that_always_crashes_is_left_alone(api, prefect_server, webhook, tmp_path):
    """``--restarts 1``: killed twice, by whatever it is, it stays crashed."""
    with running_teacher(tmp_path, "--latency", "60") as teacher, worker(prefect_server) as process:
        run = start(api, tmp_path, "doomed", {"kind": "openai", "base_url": teacher.url})
        for count in (1, 2):
            while until(api, run, "RUNNING")["run_count"] < count:
                time.sleep(0.2)
            for child in flows_of(process):
                os.kill(child, signal.SIGKILL)
            webhook.hears("build doomed of demo crashed")
        time.sleep(5)
        assert until(api, run, "CRASHED")["run_count"] == 2


def test_a_failed_run_and_a_spent_budget_are_told(api, prefect_server, webhook, tmp_path):
    with running_teacher(tmp_path) as teacher, worker(prefect_server):
        nowhere = {"kind": "openai", "base_url": f"http://127.0.0.1:{free_port()}/v1", "api_key_env": ""}
        run = start(api, tmp_path, "failing", nowhere)
        assert "cannot be reached" in webhook.hears("build failing of demo failed")
        assert until(api, run, "FAILED")

        author = {"kind": "openai", "base_url": teacher.url, "max_in_flight": 1, "sampling": {"max_tokens": 1000}}
        start(api, tmp_path, "spent", author, budget={"tokens": 6000})
        assert "6,000 tokens used" in webhook.hears("budget of spent is reached")


def test_nothing_of_this_shows_the_webhook(api, webhook):
    """Its URL may hold a token: it is in no automation, and nobody is shown it."""
    automations = api.post("/automations/filter", json={}).text
    slug, name = "custom-webhook", "kodforge-webhook"
    shown = api.get(f"/block_types/slug/{slug}/block_documents/name/{name}").text
    assert "token-of-nobody" not in automations + shown
