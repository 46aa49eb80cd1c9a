"""What judges pairs in the speed benchmark: kodforge's backends, and the ways that others use.

Each is a context manager that gives a function from a pair to whether the pair passed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
from llm_sandbox import SandboxSession
from uv import find_uv_bin

from tasks.execution.environment import REQUIREMENTS, cache_folder
from tasks.execution.pool import Look, SandboxPool
from tasks.models import Pair, Verdict
from tasks.settings import Backend, Sandbox, TierChoice

Judge = Callable[[Pair], bool]
IMAGE = "kodforge-sandbox"
WALL_S, MEMORY_MB, PROCESSES = 30, 1024, 64


def kodforge_pool(backend: Backend, slots: int, tier: TierChoice = TierChoice.AUTO) -> SandboxPool:
    """This project's sandbox, under the limits that the others get."""
    return SandboxPool(
        Sandbox(
            backend=backend,
            slots=slots,
            tier=tier,
            wall_s=WALL_S,
            memory_mb=MEMORY_MB,
            processes=PROCESSES,
            image=IMAGE,
        )
    )


@contextlib.contextmanager
def kodforge(backend: Backend, coverage: bool, slots: int, tier: TierChoice = TierChoice.AUTO) -> Iterator[Judge]:
    """This project's sandbox as one of the contenders."""
    with kodforge_pool(backend, slots, tier) as pool:
        yield lambda pair: pool.run(pair, Look(coverage=coverage)).verdict is Verdict.PASSED


def _write(pair: Pair, folder: Path) -> None:
    for name, text in {"solution.py": pair.solution, "test_solution.py": pair.test}.items():
        (folder / name).write_text(text, "utf-8")
    for file in pair.files:
        (folder / file.name).write_text(file.content, "utf-8")


def _clean_environment() -> Path:
    """The Python of an environment with the sandbox's libraries, pytest-cov, and no other plugin of pytest."""
    folder = cache_folder() / f"benchmark-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not python.exists():
        uv = find_uv_bin()
        install = [uv, "pip", "install", "--quiet", "--python", str(python), "--compile-bytecode"]
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([*install, "-r", str(REQUIREMENTS)], check=True)
        subprocess.run([*install, "pytest-cov"], check=True)
    return python


@contextlib.contextmanager
def pytest_process(coverage: bool) -> Iterator[Judge]:
    """A pytest process per pair on the host, as KodCode runs them: no isolation at all. The exit code is believed."""
    options = ["--cov=solution", "--cov-branch"] if coverage else ["-p", "no:cov"]
    python = str(_clean_environment())

    def judge(pair: Pair) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            _write(pair, Path(folder))
            done = subprocess.run(
                [python, "-m", "pytest", "-q", *options, "test_solution.py"],
                cwd=folder,
                capture_output=True,
                timeout=WALL_S,
                check=False,
            )
            return done.returncode == 0

    yield judge


@contextlib.contextmanager
def docker_run() -> Iterator[Judge]:
    """``docker run --rm`` per pair, under the limits that kodforge sets."""
    confined = [
        *("--network=none", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--user=64000"),
        *(f"--memory={MEMORY_MB}m", f"--memory-swap={MEMORY_MB}m", f"--pids-limit={PROCESSES}", "--cpus=1"),
        *("--tmpfs=/tmp", "--log-driver=none", "--workdir=/pair", "--entrypoint=python3"),
    ]

    def judge(pair: Pair) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            _write(pair, Path(folder))
            tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_solution.py"]
            command = ["docker", "run", "--rm", *confined, "--volume", f"{folder}:/pair:ro", IMAGE, *tests]
            return subprocess.run(command, capture_output=True, timeout=WALL_S, check=False).returncode == 0

    yield judge


_PAIR_PROGRAM = """
import pathlib, sys, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
for name, text in {files!r}.items():
    (folder / name).write_text(text)
import os; os.chdir(folder)
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "test_solution.py"]))
"""


@contextlib.contextmanager
def llm_sandbox(workers: int) -> Iterator[Judge]:
    """The ``llm-sandbox`` package at its fastest: a container kept open for each worker, and a program per pair."""
    client = docker.from_env()
    tag = "kodforge-benchmark-llm-sandbox"
    with tempfile.TemporaryDirectory() as folder:
        # It calls `python`, which Debian has not, and wants a shell for an entry point.
        Path(folder, "Dockerfile").write_text(
            f"FROM {IMAGE}\nRUN command -v python || ln -s $(command -v python3) /usr/bin/python\nENTRYPOINT []\n"
        )
        client.images.build(path=folder, tag=tag, rm=True, network_mode="none")
    with contextlib.ExitStack() as sessions:
        free = [
            sessions.enter_context(
                SandboxSession(
                    lang="python",
                    image=tag,
                    client=client,
                    skip_environment_setup=True,
                    runtime_configs={"mem_limit": f"{MEMORY_MB}m", "network_mode": "none", "command": "sleep 86400"},
                )
            )
            for _ in range(workers)
        ]
        lock = threading.Lock()

        def judge(pair: Pair) -> bool:
            files = {"solution.py": pair.solution, "test_solution.py": pair.test}
            with lock:
                session = free.pop()
            try:
                return bool(session.run(_PAIR_PROGRAM.format(files=files), timeout=WALL_S).exit_code == 0)
            finally:
                with lock:
                    free.append(session)

        yield judge


def docker_answers() -> bool:
    """Whether the Docker contenders can run here."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, check=False).returncode == 0


def cores() -> int:
    """Cores of this process."""
    return len(os.sched_getaffinity(0))
