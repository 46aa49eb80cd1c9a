"""Processes that are killed and started again, as a supervisor such as systemd would start them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

FLOW_RUN = "PREFECT__FLOW_RUN_ID"
"""What a worker puts into the environment of a flow's process, which all that it starts inherits."""


@dataclass
class Supervised:
    """One long-lived process with a log.

    Attributes:
        ready: whether it does its work; asked until it does.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    ready: Callable[[], bool]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, wait: bool = True) -> None:
        """Start it, and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.cwd, env=dict(self.env), stdout=log, stderr=log, start_new_session=True
            )
        if wait:
            self.wait()

    def wait(self, seconds: float = 600) -> None:
        """Wait until it is ready."""
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while not self.ready():
            assert self.process.poll() is None, f"{self.name} ended: {tail(self.log)}"
            assert time.monotonic() < deadline, f"{self.name} is not ready: {tail(self.log)}"
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL to the process, and to no other of its group."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it at the end of everything."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()


def tail(log: Path, characters: int = 3000) -> str:
    """The end of a log."""
    return log.read_bytes()[-characters:].decode(errors="replace") if log.exists() else ""


def python(*arguments: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *arguments]


def processes() -> Iterator[int]:
    """Ids of all processes."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:  # it has ended
        return b""


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    state = _read(pid, "stat").rpartition(b")")[2].split()[:1]
    return bool(state) and state[0] not in (b"Z", b"X")


def of_flow_run(run_id: str) -> list[int]:
    """The processes of a flow run: all that have its id in their environment."""
    mark = f"{FLOW_RUN}={run_id}\0".encode()
    return sorted(pid for pid in processes() if mark in _read(pid, "environ") and is_alive(pid))


def is_flow(pid: int) -> bool:
    """Whether a process is a flow's own; others of its run resolve its code, or call its hooks."""
    return b"prefect.engine" in _read(pid, "cmdline")


def children(pid: int) -> list[int]:
    """The processes that one started, and that these started, and so on."""
    parents: dict[int, list[int]] = {}
    for one in processes():
        stat = _read(one, "stat").rpartition(b")")[2].split()
        if len(stat) > 1:
            parents.setdefault(int(stat[1]), []).append(one)
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def boxes(pids: Sequence[int]) -> list[int]:
    """The bubblewrap processes among these and what they started."""
    all_of_them = {*pids, *(one for pid in pids for one in children(pid))}
    return sorted(pid for pid in all_of_them if _read(pid, "cmdline").split(b"\0")[0].endswith(b"bwrap"))


def kill(*pids: int) -> int:
    """SIGKILL; how many were there to be killed."""
    killed = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed
