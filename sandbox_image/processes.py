"""The processes of a case: two kinds of child, and all that is left when these have ended."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import time
from typing import Any, Protocol

from sandbox_image.tests_zygote import TestsZygote


class Child(Protocol):
    """A child that was forked for the case.

    Attributes:
        pid: its process id.
        usage: what it used, once it has ended.
        ending: a descriptor that becomes readable at its end; None where the system has none.
    """

    pid: int
    usage: resource.struct_rusage | None
    ending: int | None

    def wait(self, block: bool = False) -> bool:
        """Whether it has ended."""

    def kill(self) -> None:
        """End it, if it has not."""

    def end(self) -> dict[str, Any]:
        """How it ended."""


class _Ended:
    status: int | None = None
    usage: resource.struct_rusage | None = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self, block: bool = False) -> bool:
        raise NotImplementedError

    def kill(self) -> None:
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait(block=True)

    def end(self) -> dict[str, Any]:
        status = self.status or 0
        return {
            "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        }


class OwnChild(_Ended):
    """A child of this process."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.ending: int | None = None
        # Without: an old kernel, or a seccomp profile that does not know the call.
        with contextlib.suppress(OSError):
            self.ending = os.pidfd_open(pid)

    def close(self) -> None:
        """Give up what watches it."""
        if self.ending is not None:
            os.close(self.ending)

    def wait(self, block: bool = False) -> bool:
        if self.status is None:
            done, status, usage = os.wait4(self.pid, 0 if block else os.WNOHANG)
            if done:
                self.status, self.usage = status, usage
        return self.status is not None


class TestsChild(_Ended):
    """A child of the tests' zygote, which says when it has ended."""

    def __init__(self, zygote: TestsZygote, pid: int) -> None:
        super().__init__(pid)
        self._zygote = zygote
        self.ending: int | None = zygote.end.fileno()

    def wait(self, block: bool = False) -> bool:
        if self.status is None and (block or select.select([self._zygote.end], [], [], 0)[0]):
            self.status, self.usage = self._zygote.ended()
        return self.status is not None


def reap(own: list[OwnChild]) -> None:
    """Collect all that have ended, orphans too."""
    with contextlib.suppress(ChildProcessError):
        while (found := os.wait4(-1, os.WNOHANG))[0]:
            for child in own:
                if child.pid == found[0]:
                    child.status, child.usage = found[1:]


def others(spared: set[int]) -> list[int]:
    """Processes of the box beside PID 1 and those spared."""
    return [pid for name in os.listdir("/proc") if name.isdigit() and (pid := int(name)) != 1 and pid not in spared]


def kill_all(spared: set[int], users: list[int]) -> bool:
    """End every process but PID 1 and those spared.

    Args:
        users: as whom the code of the case ran.

    Returns:
        Whether none is left.
    """
    for attempt in range(2000):
        if not (pids := others(spared)):
            return True
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if attempt % 20 == 5:  # they fork faster than they are found
            _kill_users(users)
        reap([])
        time.sleep(0.0005)
    return False


def _kill_users(users: list[int]) -> None:
    """End all processes of some users at one stroke. Where the box has one user only, it is lost."""
    for user in users if os.getuid() == 0 else [os.getuid()]:
        pid = os.fork()
        if pid == 0:
            if os.getuid() == 0:
                os.setresuid(user, user, user)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGKILL)
            os._exit(0)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
