"""The Docker backend: one warm container per slot, attached over its standard streams."""

from __future__ import annotations

import os
import select
import socket
import struct
from functools import cache
from pathlib import Path
from typing import Any

from docker.errors import DockerException, NotFound

from tasks.errors import SandboxUnavailable
from tasks.execution.box import Box, Flavour, awaited, next_user
from tasks.execution.image import docker_client, image_id
from tasks.settings import Sandbox

OWNER = "kodforge.owner"
_CAPABILITIES = ["SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "FOWNER"]


def _process_start(pid: int) -> str:
    """Start time of a process in clock ticks since boot; empty if there is none. Tells a reused pid apart."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _place() -> str:
    """Where process ids mean the same: a host, and within it a container, which may have the host's name."""
    return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').stat().st_ino}"


def _owner() -> str:
    return f"{_place()}:{os.getpid()}:{_process_start(os.getpid())}"


def _is_alive(owner: str) -> bool:
    place, pid, started = owner.rsplit(":", 2)
    return place != _place() or (pid.isdigit() and _process_start(int(pid)) == started)


def remove_orphans(client: Any) -> int:
    """Remove containers, started or only created, whose owner in this place is gone; return how many."""
    removed = 0
    for container in client.containers.list(all=True, filters={"label": OWNER}, ignore_removed=True):
        if not _is_alive(container.labels[OWNER]):
            try:
                container.remove(force=True)
                removed += 1
            except (NotFound, DockerException):  # another process was faster
                continue
    return removed


class _SocketTransport:
    """A container's attached streams. Its output comes in chunks, each with a header of stream id and length."""

    def __init__(self, container: Any, attached: Any) -> None:
        self._container, self._attached = container, attached
        self._socket: socket.socket = getattr(attached, "_sock", attached)
        self._socket.setblocking(False)
        self._buffer = bytearray()
        self.errors = bytearray()

    def send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            ready = awaited(self._socket.fileno(), select.POLLOUT, deadline)
            try:
                sent = self._socket.send(view[:65_536]) if ready else 0
            except BlockingIOError:
                continue
            except OSError as error:
                raise SandboxUnavailable(f"the Docker box ended while it was sent a case: {error}") from error
            if not sent:
                raise SandboxUnavailable("the Docker box ended or fell silent while it was sent a case")
            view = view[sent:]

    def _raw(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            ready = awaited(self._socket.fileno(), select.POLLIN, deadline)
            try:
                chunk = self._socket.recv(min(65_536, size - len(data))) if ready else b""
            except BlockingIOError:
                continue
            except OSError as error:
                raise SandboxUnavailable(f"the Docker box ended while its answer was awaited: {error}") from error
            if not chunk:
                said = self.errors[-500:].decode(errors="replace")
                raise SandboxUnavailable(f"the Docker box ended or fell silent while its answer was awaited. {said}")
            data += chunk
        return bytes(data)

    def receive(self, size: int, deadline: float) -> bytes:
        while len(self._buffer) < size:
            stream, length = struct.unpack(">BxxxI", self._raw(8, deadline))
            chunk = self._raw(length, deadline)
            if stream == 1:
                self._buffer += chunk
            else:
                self.errors = (self.errors + chunk)[-4096:]
        data, self._buffer = bytes(self._buffer[:size]), self._buffer[size:]
        return data

    def close(self) -> None:
        try:
            self._container.remove(force=True)
        except DockerException:
            pass  # gone already; if not, it carries our label and goes at the next start
        finally:
            self._attached.close()


@cache
def _client() -> Any:
    """This process's client; leftovers of dead owners are removed when it is made."""
    client = docker_client()
    try:
        remove_orphans(client)
    except DockerException as error:
        raise SandboxUnavailable(f"Docker fails: {error}") from error
    return client


def start_box(settings: Sandbox, flavour: Flavour) -> Box:
    """Start a box.

    Raises:
        SandboxUnavailable: no daemon, no image, or the container does not come up.
    """
    image_id(settings.image, settings.layers)
    client = _client()
    tmpfs = f"size={settings.disk_mb}m,exec"
    # The supervisor and what it preloads come on top of the case's own memory.
    memory = f"{settings.memory_mb + 512}m"
    try:
        container = client.containers.create(
            settings.image,
            [str(next_user(40_000, 60_000)), *flavour.preload],  # a remapped daemon has ids up to 65,535
            stdin_open=True,  # closed as its owner ends in any way, upon which the box ends and is removed
            auto_remove=True,
            network_mode="none",
            read_only=True,
            tmpfs={"/work": f"{tmpfs},mode=755", "/tmp": f"{tmpfs},mode=1777"},  # noqa: S108 - inside the box
            shm_size=f"{settings.disk_mb}m",
            cap_drop=["ALL"],
            cap_add=_CAPABILITIES,
            security_opt=["no-new-privileges"],
            pids_limit=settings.processes + 16,
            mem_limit=memory,
            memswap_limit=memory,
            log_config={"Type": "none"},
            labels={OWNER: _owner()},
            environment={"PYTHONHASHSEED": str(flavour.hash_seed)},
            runtime=settings.runtime,
        )
    except DockerException as error:
        raise SandboxUnavailable(f"Docker cannot make a container: {error}") from error
    try:
        attached = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        container.start()
    except DockerException as error:
        container.remove(force=True)
        raise SandboxUnavailable(f"Docker cannot start a container: {error}") from error
    return Box(_SocketTransport(container, attached))
