"""Prefect server, worker, teacher and Docker daemon of our own, each a process that can be killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.cases import Victim
from tests.chaos.processes import Supervised, python, tail
from tests.docker_daemon import Daemon
from tests.ports import free_port
from tests.processes import QUIET, ROOT

DEPLOYMENT = "build-dataset/demo"
IN_FLIGHT = 4
UNKNOWN = "UNKNOWN"
TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class World:
    """All that a run needs, on free ports of this machine.

    Args:
        folder: for logs and databases.
        daemon: started where cases need one.
    """

    def __init__(self, folder: Path, daemon: Daemon | None) -> None:
        self.folder, self.daemon = folder, daemon
        home, api_port, teacher_port = folder / "prefect", free_port(), free_port()
        home.mkdir(parents=True)
        self.url = f"http://127.0.0.1:{api_port}/api"
        self.teacher_url = f"http://127.0.0.1:{teacher_port}/v1"
        self.requests = folder / "requests.jsonl"
        self._database = home / "prefect.db"
        base = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        base |= {
            **QUIET,
            "PREFECT_HOME": str(home),
            "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
            # A server that keeps its leases in memory never gives back the slots of runs that died with it.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
            "SOURCE_DATE_EPOCH": "1764460800",  # the release of a run over midnight is equal, too
        }
        self.env = {**base, "PREFECT_API_URL": self.url, "PREFECT_WORKER_QUERY_SECONDS": "1", "COLUMNS": "200"}
        if daemon is not None:
            self.env["DOCKER_HOST"] = daemon.host
        self.server = Supervised(
            "server",
            python("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(api_port)),
            base,
            ROOT,
            folder / "server.log",
            lambda: _answers(f"{self.url}/health"),
        )
        self.worker = Supervised(
            "worker",
            python("-m", "prefect", "worker", "start", "--pool", "kodforge"),
            self.env,
            ROOT,
            folder / "worker.log",
            lambda: True,
        )
        asked = ("--latency", "0.1", "--log", str(self.requests))
        self.teacher = Supervised(
            "teacher",
            python(*("-m", "flows.cli", "demo-teacher", "--port", str(teacher_port)), *asked),
            self.env,
            ROOT,
            folder / "teacher.log",
            lambda: _answers(f"{self.teacher_url}/models"),
        )

    def start(self) -> None:
        """Start everything, and make the deployment."""
        self.server.start(wait=False)
        self.teacher.start(wait=False)
        self.server.wait()
        self.deploy()
        self.worker.start()
        self.teacher.wait()

    def end(self) -> None:
        """End everything."""
        for one in (self.worker, self.teacher, self.server):
            one.end()

    def deploy(self) -> None:
        """Make pool and deployment, as on a fresh server."""
        self._prefect("work-pool", "create", "kodforge", "--type", "process", "--overwrite")
        self._prefect("--no-prompt", "deploy", "--prefect-file", "deployments/prefect.yaml", "--name", "demo")

    def _prefect(self, *arguments: str) -> None:
        done = subprocess.run(
            python("-m", "prefect", *arguments),
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def kill(self, victim: Victim) -> None:
        """Kill one of the processes that serve runs."""
        match victim:
            case Victim.SERVER:
                self.server.kill()
            case Victim.DATABASE:
                self.server.kill()
                for path in self._database.parent.glob(f"{self._database.name}*"):
                    path.unlink()
                shutil.rmtree(self._database.parent / "concurrency_leases", ignore_errors=True)
            case Victim.WORKER:
                self.worker.kill()
            case Victim.TEACHER:
                self.teacher.kill()
            case Victim.DAEMON:
                assert self.daemon is not None
                self.daemon.kill(9)

    def revive(self, victims: Sequence[Victim]) -> None:
        """Start again what was killed."""
        everything = Victim.HOST in victims
        fresh = Victim.DATABASE in victims
        if (everything or Victim.DAEMON in victims) and self.daemon is not None:
            self.daemon.start()
        if everything or Victim.TEACHER in victims:
            self.teacher.start(wait=False)
        if everything or fresh or Victim.SERVER in victims:
            self.server.start()
        if fresh:
            self.deploy()
        if everything or Victim.WORKER in victims:
            self.worker.start()
        self.teacher.wait()

    def revive_dead(self) -> None:
        """Start what has ended by itself."""
        for victim, one in ((Victim.SERVER, self.server), (Victim.TEACHER, self.teacher), (Victim.WORKER, self.worker)):
            if one.process is None or one.process.poll() is not None:
                self.revive([victim])

    def asked(self) -> list[dict[str, Any]]:
        """The teacher's request log."""
        lines = self.requests.read_text().splitlines() if self.requests.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def call(self, method: str, path: str, body: object = None, seconds: float = 300) -> Any:
        """A call of the server's API, again while the server is away or busy; what it answered."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = httpx.request(method, f"{self.url}{path}", json=body, timeout=20)
                if answer.status_code < 500:
                    assert answer.status_code < 400, f"{method} {path}: {answer.text}"
                    return answer.json()
                told = answer.text
            except httpx.TransportError as error:
                told = str(error)
            assert time.monotonic() < deadline, f"{method} {path}: {told}"
            time.sleep(0.5)

    def run_deployment(self, config: dict[str, Any]) -> str:
        """An ad-hoc run of the deployment, as its form starts one; its id."""
        deployment = self.call("GET", f"/deployments/name/{DEPLOYMENT}")
        body = {"parameters": {"config": config}, "state": {"type": "SCHEDULED"}}
        return str(self.call("POST", f"/deployments/{deployment['id']}/create_flow_run", body)["id"])

    def set_state(self, run_id: str, state: dict[str, Any]) -> str:
        """Set a flow run's state as the UI does; what the server made of it."""
        body = {"state": {**state, "message": "by hand"}, "force": True}
        return str(self.call("POST", f"/flow_runs/{run_id}/set_state", body)["status"])

    def state(self, run_id: str) -> dict[str, Any] | None:
        """A flow run's state, of type ``UNKNOWN`` where the server knows no such run; None where the server is away."""
        try:
            answer = httpx.get(f"{self.url}/flow_runs/{run_id}", timeout=20)
        except httpx.TransportError:
            return None
        if answer.status_code == 404:
            return {"type": UNKNOWN}
        found: dict[str, Any] | None = answer.json().get("state") if answer.status_code == 200 else None
        return found

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(f"--- {path.name}\n{tail(path)}" for path in sorted(self.folder.glob("*.log")))


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False
