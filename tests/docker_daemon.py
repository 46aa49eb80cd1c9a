"""A Docker daemon of our own, which can be killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.settings import Backend
from tests.conftest import sandbox_settings
from tests.ports import free_port

IMAGE = "kodforge-sandbox"


@dataclass
class Daemon:
    """A dockerd with folders, socket and port of its own; it changes no network."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/socket"

    def start(self) -> None:
        # containerd dies with a dockerd that is killed; where nobody reaps it, its number still looks alive.
        for name in ("pid", "exec/containerd/containerd.pid"):
            (self.folder / name).unlink(missing_ok=True)
        command = ["dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec"]
        command += ["--pidfile", f"{self.folder}/pid", "-H", self.host, "-H", f"tcp://127.0.0.1:{self.port}"]
        command += ["--tls=false", "--bridge=none", "--iptables=false", "--ip6tables=false"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while self.docker("info", check=False).returncode:
            assert time.monotonic() < deadline, (self.folder / "log").read_text()[-2000:]
            time.sleep(0.2)

    def kill(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)

    def docker(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["docker", "-H", self.host, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=check, timeout=120)

    def containers(self) -> list[str]:
        return self.docker("ps", "--all", "--quiet").stdout.split()


@contextmanager
def running_daemon(folder: Path) -> Iterator[Daemon]:
    """A daemon with the sandbox's image; skips, or fails where Docker is required, without one to take it from."""
    sandbox_settings(Backend.DOCKER)
    if os.geteuid() != 0:
        pytest.skip("only root starts a Docker daemon")
    folder.mkdir(parents=True, exist_ok=True)
    made = Daemon(folder, free_port())
    made.start()
    try:
        save = subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE)
        subprocess.run(["docker", "-H", made.host, "load"], stdin=save.stdout, check=True, capture_output=True)
        assert save.wait() == 0
        yield made
    finally:
        if containers := made.containers():
            made.docker("rm", "--force", *containers)
        made.kill(signal.SIGTERM)
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in reversed([mount for mount in mounts if mount.startswith(f"{made.folder}/")]):
            subprocess.run(["umount", "--lazy", place], check=False)  # what the killed daemon could not take back
        shutil.rmtree(made.folder, ignore_errors=True)
