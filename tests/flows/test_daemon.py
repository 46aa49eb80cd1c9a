"""A Docker daemon of our own that is killed, restarted and reached by other ways: no case is lost or judged twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest

from tests.docker_daemon import IMAGE, Daemon, running_daemon
from tests.processes import ROOT

PAIRS = 1001  # three parts
FLOW = """
import sys
from pathlib import Path
from flows.verify_pairs import verify_pairs
from tasks.settings import Sandbox
verify_pairs(Path(sys.argv[1]), Path(sys.argv[2]), Sandbox(backend="docker", slots=2))
"""
ONE = """
from tasks.execution.image import docker_client
from tasks.execution.pool import check_sandbox
from tasks.settings import Sandbox
check_sandbox(Sandbox(backend="docker", slots=1))
print(docker_client().info()["ID"])
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with running_daemon(tmp_path_factory.mktemp("daemon")) as made:
        yield made


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.parquet"
    test = "from solution import f\n\ndef test_f():\n    assert f(1) == 2\n"
    rows = [{"id": str(n), "solution": f"def f(x):\n    return x + 1  # {n}\n", "test": test} for n in range(PAIRS)]
    pd.DataFrame(rows).to_parquet(path)
    return path


def verifying(pairs: Path, env: dict[str, str], daemon: Daemon) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", FLOW, str(pairs), str(pairs.with_name("verdicts.parquet"))],
        cwd=ROOT,
        env={**env, "DOCKER_HOST": daemon.host},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def wait_for_part(pairs: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    parts = pairs.with_name("verdicts.parquet.parts")
    deadline = time.monotonic() + 120
    while not list(parts.rglob(f"part-{number:05d}*.parquet")):
        assert process.poll() is None, process.communicate()[0].decode()[-3000:]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def assert_each_judged_once(pairs: Path, process: subprocess.Popen[bytes]) -> None:
    said = process.communicate(timeout=300)[0].decode()
    assert process.returncode == 0, said[-3000:]
    found = pd.read_parquet(pairs.with_name("verdicts.parquet"))
    assert found["id"].tolist() == [str(n) for n in range(PAIRS)]
    assert set(found["verdict"]) == {"passed"}


def test_killed_containers_are_replaced(daemon, prefect_server, pairs):
    process = verifying(pairs, prefect_server.env, daemon)
    wait_for_part(pairs, 0, process)
    for _ in range(3):
        if containers := daemon.docker("ps", "--quiet").stdout.split():
            daemon.docker("kill", *containers, check=False)
        time.sleep(1)
    assert_each_judged_once(pairs, process)


@pytest.mark.slow
def test_killed_daemon_is_waited_for(daemon, prefect_server, pairs):
    """The task fails with SandboxUnavailable, and Prefect runs it again when the daemon is back."""
    process = verifying(pairs, prefect_server.env, daemon)
    wait_for_part(pairs, 0, process)
    daemon.kill(signal.SIGKILL)
    time.sleep(1)
    daemon.start()
    assert_each_judged_once(pairs, process)
    runs = httpx.post(f"{prefect_server.url}/task_runs/filter", json={"sort": "EXPECTED_START_TIME_DESC", "limit": 1})
    (run,) = runs.json()
    assert run["name"] == "judge pairs.parquet"
    assert run["run_count"] >= 2


@pytest.mark.slow
def test_leftovers_of_a_killed_process_go_at_the_next_start(daemon, prefect_server, pairs):
    process = verifying(pairs, prefect_server.env, daemon)
    wait_for_part(pairs, 0, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    left = daemon.containers()
    assert left
    label = daemon.docker("inspect", "--format", '{{index .Config.Labels "kodforge.owner"}}', left[0]).stdout.strip()
    created = daemon.docker("create", "--label", f"kodforge.owner={label}", IMAGE).stdout.strip()
    stranger = daemon.docker("create", IMAGE).stdout.strip()

    assert_each_judged_once(pairs, verifying(pairs, prefect_server.env, daemon))
    after = set(daemon.docker("ps", "--all", "--quiet", "--no-trunc").stdout.split())
    assert created not in after
    assert not [name for name in after if name[:12] in left]
    assert stranger in after
    daemon.docker("rm", stranger)


@pytest.mark.parametrize("way", ["DOCKER_HOST over TCP", "DOCKER_CONTEXT", "the current context"])
def test_other_daemons_are_reached_as_the_docker_command_does(daemon, tmp_path, way):
    env = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    env["DOCKER_CONFIG"] = str(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    if way.startswith("DOCKER_HOST"):
        env["DOCKER_HOST"] = f"tcp://127.0.0.1:{daemon.port}"
    else:
        make = ["docker", "context", "create", "ours", "--docker", f"host={daemon.host}"]
        subprocess.run(make, env=env, check=True, capture_output=True)
        if way == "DOCKER_CONTEXT":
            env["DOCKER_CONTEXT"] = "ours"
        else:
            subprocess.run(["docker", "context", "use", "ours"], env=env, check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-c", ONE], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == daemon.docker("info", "--format", "{{.ID}}").stdout.strip()


def test_unknown_context_is_named(daemon, tmp_path):
    env = {**os.environ, "DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "nowhere"}
    env.pop("DOCKER_HOST", None)
    done = subprocess.run(
        [sys.executable, "-c", ONE], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert "there is no Docker context 'nowhere'" in done.stderr
