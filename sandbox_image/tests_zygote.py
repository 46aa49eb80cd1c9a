"""The process of the box that has pytest, and forks the children that run tests.

It is apart from PID 1 so that the solution's process is forked from a small one: what a fork copies is most of what a
case costs. It is handed a child's descriptors, never a case.
"""

from __future__ import annotations

import os
import resource
import socket
import struct
from typing import NoReturn

from sandbox_image.children import EVIDENCE_FD, FROM_OTHER_FD, TESTS, TO_OTHER_FD, Zygote

TOGETHER, APART = b"T", b"A"
PLACES = {TOGETHER: (0, 1, 2, EVIDENCE_FD), APART: (0, 1, 2, EVIDENCE_FD, FROM_OTHER_FD, TO_OTHER_FD)}
"""Where the descriptors of a child go: its case, its output twice, the evidence, what the solution says and is told."""
_REQUEST, _BORN, _ENDED = struct.Struct("ci"), struct.Struct("i"), struct.Struct("iddq")


def serve(end: socket.socket, uid: int) -> NoReturn:
    """Fork children as asked, until the asker is gone.

    Args:
        end: of a socket pair of packets.
        uid: of tests that share their process with the solution; those apart from it run as the next.
    """
    from sandbox_image.tests_runner import Prepared, run_apart, run_together  # noqa: PLC0415 - imports pytest

    os.mkdir(TESTS)
    os.chdir(TESTS)
    prepared = Prepared()
    os.chdir("/")
    os.rmdir(TESTS)
    zygote = Zygote()
    bodies = {
        TOGETHER: (uid, lambda case: run_together(zygote, prepared, case)),
        APART: (uid + 1, lambda case: run_apart(zygote, prepared, case)),
    }
    end.send(b"ready")
    while True:
        request, descriptors, _, _ = socket.recv_fds(end, _REQUEST.size, max(map(len, PLACES.values())))
        if not request:
            os._exit(0)
        kind, cpu = _REQUEST.unpack(request)
        user, body = bodies[kind]
        places = dict(zip(PLACES[kind], descriptors, strict=True))
        pid = zygote.fork(body, TESTS, user, places, None if cpu < 0 else cpu)
        for descriptor in descriptors:
            os.close(descriptor)
        end.send(_BORN.pack(pid))
        _, status, usage = os.wait4(pid, 0)
        end.send(_ENDED.pack(status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss))


class TestsZygote:
    """The asker's side."""

    def __init__(self, uid: int) -> None:
        """Fork the zygote, and wait until it has imported pytest.

        Raises:
            ConnectionError: it did not come up; it has said why on standard error.
        """
        self.end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if self.pid == 0:
            self.end.close()
            try:
                serve(theirs, uid)
            finally:
                os._exit(1)
        theirs.close()
        self._receive(16)

    def _receive(self, size: int) -> bytes:
        data = self.end.recv(size)
        if not data:
            raise ConnectionError("the process that forks the tests' children is gone")
        return data

    def fork(self, kind: bytes, descriptors: list[int], cpu: int | None) -> int:
        """Ask for a child; its process id.

        Raises:
            ConnectionError: the zygote is gone.
        """
        socket.send_fds(self.end, [_REQUEST.pack(kind, -1 if cpu is None else cpu)], descriptors)
        (pid,) = _BORN.unpack(self._receive(_BORN.size))
        return int(pid)

    def ended(self) -> tuple[int, resource.struct_rusage]:
        """Wait for the child's end; its status, as of ``waitpid``, and what it used.

        Raises:
            ConnectionError: the zygote is gone.
        """
        status, user_s, system_s, peak_kb = _ENDED.unpack(self._receive(_ENDED.size))
        return status, resource.struct_rusage([user_s, system_s, peak_kb, *[0] * 13])
