"""Hosts as network namespaces: each has its own network, joined by a bridge; what they share is what they are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from tests.processes import ROOT, stop


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclass
class Host:
    """A network namespace, and the processes in it."""

    name: str
    address: str
    gateway: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def enter(self) -> tuple[str, ...]:
        """What a command is preceded by to run there."""
        return ("ip", "netns", "exec", self.name)

    def start(self, *command: str, env: dict[str, str], log: os.PathLike[str]) -> subprocess.Popen[bytes]:
        """Start a Python program there; its output goes to a file."""
        with open(log, "ab") as out:
            process = subprocess.Popen(
                [*self.enter, sys.executable, *command],
                cwd=ROOT,
                env=env,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def unplug(self) -> None:
        """Take it off the network, as if its cable were pulled: nothing is closed, and nothing comes any more."""
        _ip("netns", "exec", self.name, "ip", "link", "set", "eth0", "down")

    def clear(self) -> None:
        """End all that runs on it, and have it on the network again."""
        while self.processes:
            stop(self.processes.pop())
        _ip("netns", "exec", self.name, "ip", "link", "set", "eth0", "up")
        _ip("netns", "exec", self.name, "ip", "route", "replace", "default", "via", self.gateway)  # lost with the link


@contextmanager
def hosts(*names: str) -> Iterator[dict[str, Host]]:
    """Hosts that reach each other; this process reaches them as well. Skips where there are no namespaces to be had."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    mark = f"{os.getpid() % 0xFFFFF:x}"
    subnet = f"10.{93 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
    bridge = f"kfbr{mark}"
    with ExitStack() as stack:
        try:
            _ip("link", "add", bridge, "type", "bridge")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no bridge can be made here: {error.stderr.decode().strip()}")
        stack.callback(_ip, "link", "del", bridge)
        _ip("addr", "add", f"{subnet}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        if shutil.which("iptables"):  # Docker has the kernel drop what goes over bridges other than its own
            rule = ["FORWARD", "-i", bridge, "-o", bridge, "-j", "ACCEPT"]
            subprocess.run(["iptables", "-I", *rule], check=False, capture_output=True)
            stack.callback(subprocess.run, ["iptables", "-D", *rule], check=False, capture_output=True)
        made = {}
        for number, name in enumerate(names):
            host = Host(f"kf{mark}-{name}", f"{subnet}.{number + 2}", f"{subnet}.1")
            _ip("netns", "add", host.name)
            stack.callback(_ip, "netns", "del", host.name)
            _ip("link", "add", f"kf{mark}v{number}", "type", "veth", "peer", "name", "eth0", "netns", host.name)
            _ip("link", "set", f"kf{mark}v{number}", "master", bridge, "up")
            for command in (
                ("addr", "add", f"{host.address}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("link", "set", "lo", "up"),
                ("route", "add", "default", "via", f"{subnet}.1"),  # Ray finds its address by the route to others
            ):
                _ip("netns", "exec", host.name, "ip", *command)
            made[name] = host
        try:
            yield made
        finally:
            for host in made.values():
                host.clear()
