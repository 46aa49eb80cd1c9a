"""The processes that tests start: a Prefect server, a demo teacher, and the console command as a user calls it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx

from tasks.settings import EFFORTS, Rigour
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_TO_API_ENABLED": "true",
    # Task runs are written in groups, as the operations guide has it.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
}


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"server for {url} ended with status {process.returncode}"
        try:
            if httpx.get(url, timeout=2).status_code < 500:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{url} did not answer within {seconds} s")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and all it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass
class PrefectServer:
    url: str
    env: dict[str, str]

    def api(self) -> httpx.Client:
        """A client of its HTTP API, to be closed."""
        return httpx.Client(base_url=self.url, timeout=60, transport=_AsksAgain())


class _AsksAgain(httpx.HTTPTransport):
    """Asks again for half a minute while the server's SQLite file is busy, as Prefect's own client does."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        for _ in range(60):
            response = super().handle_request(request)
            if response.status_code != 503:
                break
            response.close()
            time.sleep(0.5)
        return response


_EMPTY_DATABASE = ROOT / ".pytest_cache" / f"prefect-{version('prefect')}.db"
"""As the first server leaves it once it has begun. To make one takes longer than the rest of a server's start."""


def _keep(database: Path, at: Path) -> None:
    at.parent.mkdir(exist_ok=True)
    made = at.with_suffix(f".{os.getpid()}")
    with closing(sqlite3.connect(database)) as live, closing(sqlite3.connect(made)) as copy:
        live.backup(copy)
    made.replace(at)


@contextmanager
def running_server(home: Path, **settings: str) -> Iterator[PrefectServer]:
    """`prefect server start` on a fresh database: in SQLite, unless the settings name another.

    Args:
        settings: of Prefect, as in the environment.
    """
    kept = _EMPTY_DATABASE if "PREFECT_API_DATABASE_CONNECTION_URL" not in settings else None
    if kept and kept.exists():
        shutil.copyfile(kept, home / "prefect.db")
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    env = {
        **os.environ,
        **QUIET,
        "PREFECT_HOME": str(home),
        "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
        "PREFECT_UI_API_URL": url,  # else the UI looks for it at the usual port
        **settings,
    }
    env.pop("PREFECT_API_URL", None)
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(f"{url}/health", process)
        if kept and not kept.exists():
            _keep(home / "prefect.db", kept)
        yield PrefectServer(url, {**env, "PREFECT_API_URL": url})
    finally:
        stop(process)


@dataclass
class Teacher:
    """A demo teacher in a process of its own, which outlives the runs that ask it."""

    url: str
    log: Path
    pid: int = 0

    def requests(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@contextmanager
def running_teacher(folder: Path, *options: str) -> Iterator[Teacher]:
    port, log = free_port(), folder / "requests.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "demo-teacher", "--port", str(port), "--log", str(log), *options],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", process)
        log.unlink(missing_ok=True)
        yield Teacher(f"http://127.0.0.1:{port}/v1", log, process.pid)
    finally:
        stop(process)


Kodforge = Callable[..., "subprocess.CompletedProcess[str]"]


def console(server: PrefectServer) -> Kodforge:
    """Run the console command on a server and return what it printed and its exit status."""

    def call(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=ROOT,
            env={**server.env, "COLUMNS": "200", **(env or {})},
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )

    return call


LEAST_EFFORT = EFFORTS[Rigour.FAST].model_dump(mode="json")
UNCHECKED = {
    "verification__rigour": Rigour.FAST,
    "verification__effort": LEAST_EFFORT,
    "post_training__styles__into": "[]",
    "report": "false",
}
"""For runs that are about something else than what the tests prove, or what is made of the rows."""


def sets(**values: object) -> list[str]:
    """`--set` arguments; double underscores stand for dots."""
    return [part for key, value in values.items() for part in ("--set", f"{key.replace('__', '.')}={value}")]
