"""One live box: started, greeted, given one case at a time, thrown away at the first trouble."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import select
import subprocess
import time
from dataclasses import dataclass

from tasks.errors import SandboxUnavailable
from tasks.execution.protocol import Case, Evidence, Kind, Transport, receive_evidence, receive_ready, send_case

START_S = 60.0
GRACE_S = 15.0
"""How long the supervisor may take beyond a case's wall time to kill, wipe and report."""

_numbers = itertools.count(random.SystemRandom().randrange(1 << 30))
"""From a chance start in each process, so that two processes hardly ever give the same number to boxes that live."""


def next_user(first: int, end: int) -> int:
    """The first of a box's two user ids, from a range. Each box has its own: limits on processes count by user."""
    return first + 2 * (next(_numbers) % ((end - first) // 2))


def awaited(descriptor: int, event: int, deadline: float) -> bool:
    """Whether a descriptor is ready, or its other end gone, before the deadline (monotonic seconds).

    Not ``select``, which knows no descriptor above 1023, as a process with many boxes has.
    """
    waiting = select.poll()
    waiting.register(descriptor, event)
    return bool(waiting.poll(max(0.0, deadline - time.monotonic()) * 1000))


@dataclass(frozen=True)
class Flavour:
    """What a box was started with. Each has a box of its own: a hash seed is for life, and every fork of a process
    that has pandas costs several times what a fork of a plain one does.

    Attributes:
        preload: modules that the box imports before it forks any case.
    """

    preload: tuple[str, ...] = ()
    hash_seed: int = 0


class PipeTransport:
    """A box that is a child process and talks over its standard streams."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process, self._name = process, name
        self._to, self._from = process.stdin.fileno(), process.stdout.fileno()
        os.set_blocking(self._to, False)

    def _gone(self, doing: str) -> SandboxUnavailable:
        return SandboxUnavailable(f"the {self._name} box ended or fell silent while {doing}")

    def send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            if not awaited(self._to, select.POLLOUT, deadline):
                raise self._gone("it was sent a case")
            try:
                view = view[os.write(self._to, view[:65_536]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._gone("it was sent a case") from error

    def receive(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            chunk = os.read(self._from, size - len(data)) if awaited(self._from, select.POLLIN, deadline) else b""
            if not chunk:
                raise self._gone("its answer was awaited")
            data += chunk
        return bytes(data)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


class Box:
    """One live box.

    Raises:
        SandboxUnavailable: it did not greet in time.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.cases = 0
        try:
            self.python = receive_ready(transport, time.monotonic() + START_S).python
        except SandboxUnavailable:
            transport.close()
            raise

    def run(self, kind: Kind, case: Case) -> Evidence:
        """Run one case.

        Raises:
            SandboxUnavailable: the box died, fell silent, or answered nonsense. It must not be used again.
        """
        self.cases += 1
        deadline = time.monotonic() + case.limits.wall_s + GRACE_S
        send_case(self._transport, kind, self.cases, case, deadline)
        evidence = receive_evidence(self._transport, case.limits, deadline)
        if evidence.number != self.cases:
            raise SandboxUnavailable(f"the box answered case {evidence.number}, asked was {self.cases}")
        return evidence

    def close(self) -> None:
        self._transport.close()
