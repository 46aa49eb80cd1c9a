"""The trusted processes inside the box, which fork children per case, watch them, and report raw evidence.

They judge nothing; the host does. PID 1 of the box imports everything once and then only forks: for each case a
*monitor*, which forks the case's children first and reads the case afterwards. So no child's memory ever held the
tests or solution of another, and what the monitor learned dies with it.

Frames on stdin and stdout: one byte of kind, four bytes of length (big-endian), JSON. Standard library, pytest and
coverage only: nothing else of the project is in the box.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import struct
import sys
import time
import traceback
from typing import Any, NoReturn

from sandbox_image import runner
from sandbox_image.channel import Channel
from sandbox_image.confinement import arrange, forbid_inspection, give_up, stay_on_this_cpu

SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - the box's own, on tmpfs
MAX_FRAME = 64 << 20
MAX_EVIDENCE = 4 << 20
SHORTEST_POLL_S, LONGEST_POLL_S = 0.0005, 0.02
EVIDENCE_FD, CHANNEL_FD = 100, 101
PRELOAD, TOGETHER, APART, PROGRAM = b"L", b"T", b"A", b"P"

uid = int(sys.argv[1]) if len(sys.argv) > 1 else 64_000
"""User of the solution; the tests of an isolated case run as the next one. Each box has its own, so that limits on
processes do not add up over boxes."""
from_host, to_host = 0, 1


def read_exactly(size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = os.read(from_host, min(size - len(data), 1 << 20))
        if not chunk:
            os._exit(0)  # the host is gone; the box goes with it
        data += chunk
    return bytes(data)


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_frame(frame: dict[str, Any]) -> None:
    data = json.dumps(frame).encode("utf-8", "backslashreplace")
    write_all(to_host, struct.pack(">I", len(data)) + data)


class Stream:
    """The reading end of a pipe from a child, with all it said up to a cap."""

    def __init__(self) -> None:
        self.source, self.sink = os.pipe()
        self.cap, self.data, self.open = 0, bytearray(), True

    @property
    def exceeded(self) -> bool:
        return len(self.data) > self.cap

    def read(self) -> None:
        chunk = os.read(self.source, 65_536)
        self.open = bool(chunk)
        self.data += chunk

    def drain(self) -> None:
        """Take what a child wrote just before it ended, and close."""
        os.set_blocking(self.source, False)
        with contextlib.suppress(BlockingIOError):
            while self.open and not self.exceeded:
                self.read()
        os.close(self.source)

    def text(self) -> str:
        return self.data[: self.cap].decode("utf-8", "replace")


class Child:
    """A forked child that waits for its half of the case on standard input."""

    def __init__(self, body: Any, folder: str, user: int, descriptors: dict[int, int]) -> None:
        os.mkdir(folder, 0o700)
        if os.getuid() == 0:
            os.chown(folder, user, user)
        content, self._content = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self._become(body, folder, user, {0: content, **descriptors})
        os.close(content)
        self.status: int | None = None
        self.usage: resource.struct_rusage | None = None

    def _become(self, body: Any, folder: str, user: int, descriptors: dict[int, int]) -> NoReturn:
        try:
            arrange(descriptors)
            os.setsid()
            runner.streams()
            case = json.loads(sys.stdin.buffer.read())
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.chdir(folder)
            os.environ["HOME"] = folder
            give_up(user, case["limits"])
            runner.reseed(case["seed"])
            body(case)
        except BaseException:
            os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
        finally:
            os._exit(70)

    def give(self, case: dict[str, Any]) -> None:
        """Send the child its half of the case. A child that is gone already is found so by ``wait``."""
        with contextlib.suppress(BrokenPipeError):
            write_all(self._content, json.dumps(case).encode("utf-8", "backslashreplace"))
        os.close(self._content)

    def wait(self, flags: int = 0) -> bool:
        """Whether the child has ended."""
        if self.status is None:
            done, status, usage = os.wait4(self.pid, flags)
            if done:
                self.status, self.usage = status, usage
        return self.status is not None

    def kill(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def end(self) -> dict[str, Any]:
        """How it ended."""
        status = self.status or 0
        return {
            "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
            "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        }


def others() -> list[int]:
    """Processes of the box beside PID 1 and this one."""
    mine = {1, os.getpid()}
    return [pid for name in os.listdir("/proc") if name.isdigit() and (pid := int(name)) not in mine]


def kill_all() -> bool:
    """End every process beside PID 1 and this one; whether none is left."""
    for _ in range(2000):
        if not (pids := others()):
            return True
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.0005)
    return False


def wipe(folder: str) -> bool:
    """Remove all that a case left in a folder; whether nothing stayed."""
    try:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
        return not os.listdir(folder)
    except OSError:
        return False


def watch(child: Child, streams: list[Stream], wall_s: float) -> bool:
    """Wait for a child, reading all that is said; kill it at the deadline or when too much is said.

    Returns:
        Whether it ran out of time.
    """
    deadline = time.monotonic() + wall_s
    try:
        ended = [os.pidfd_open(child.pid)]
        shortest = longest = wall_s
    except OSError:  # an old kernel, or a seccomp profile that does not know the call
        ended, shortest, longest = [], SHORTEST_POLL_S, LONGEST_POLL_S
    poll_s = shortest
    timed_out = False
    while not timed_out and not any(stream.exceeded for stream in streams):
        sources = [stream.source for stream in streams if stream.open] + ended
        left = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select(sources, [], [], min(poll_s, left))
        for stream in streams:
            if stream.source in ready:
                stream.read()
        poll_s = shortest if ready else min(poll_s * 1.5, longest)
        if child.wait(os.WNOHANG):
            break
        timed_out = time.monotonic() >= deadline
    for descriptor in ended:
        os.close(descriptor)
    child.kill()
    return timed_out


def monitor(prepared: runner.Prepared, kind: bytes, size: int) -> None:
    """Run one case to its end and send the evidence."""
    output, evidence, errors = Stream(), Stream(), Stream()
    children: list[Child] = []
    if kind == APART:
        stay_on_this_cpu()
        ours, theirs = socket.socketpair()
        serve = lambda case: runner.serve_solution(prepared, case, channel())  # noqa: E731
        test = lambda case: runner.run_tests(prepared, case, EVIDENCE_FD, channel())  # noqa: E731
        children = [
            Child(serve, runner.SOLUTION, uid, {1: output.sink, 2: output.sink, CHANNEL_FD: theirs.fileno()}),
            Child(
                test,
                runner.TESTS,
                uid + 1,
                {1: output.sink, 2: output.sink, EVIDENCE_FD: evidence.sink, CHANNEL_FD: ours.fileno()},
            ),
        ]
        ours.close()
        theirs.close()
    elif kind == TOGETHER:
        test = lambda case: runner.run_together(prepared, case, EVIDENCE_FD)  # noqa: E731
        children = [Child(test, runner.TESTS, uid, {1: output.sink, 2: output.sink, EVIDENCE_FD: evidence.sink})]
    else:
        children = [Child(program, runner.SOLUTION, uid, {1: output.sink, 2: errors.sink})]
    streams = [output, evidence, errors]
    for stream in streams:
        os.close(stream.sink)
    # Only now is the case read: the children were forked without it.
    case = json.loads(read_exactly(size))
    output.cap = errors.cap = case["limits"]["output_kb"] << 10
    evidence.cap = MAX_EVIDENCE
    started = time.monotonic()
    common = {name: case[name] for name in ("limits", "seed", "coverage")}
    tests = {name: case[name] for name in ("test", "token", "plain", "expected")}
    halves = {
        APART: [{"files": case["files"]}, tests],
        TOGETHER: [{"files": case["files"], **tests}],
        PROGRAM: [{"files": case["files"], "stdin": case["stdin"]}],
    }[kind]
    for child, half in zip(children, halves, strict=True):
        child.give({**common, **half})
    *solutions, main = children
    timed_out = watch(main, streams, case["limits"]["wall_s"])
    wall = time.monotonic() - started
    leftover = len([pid for pid in others() if pid not in {child.pid for child in solutions}])
    if solutions:
        settle(solutions[0])
    clean = kill_all()
    for stream in streams:
        stream.drain()
    for place in filter(os.path.isdir, (runner.WORK, *SCRATCH)):
        clean &= wipe(place)
    usages = [child.usage for child in children if child.usage]
    write_frame(
        {
            "type": "evidence",
            "id": case["id"],
            **main.end(),
            "solution_end": solutions[0].end() if solutions else None,
            "timed_out": timed_out,
            "output_exceeded": any(stream.exceeded for stream in streams),
            "leftover_processes": leftover,
            "clean": clean,
            "said": evidence.text(),
            "output": output.text(),
            "errors": errors.text(),
            "wall_s": wall,
            "cpu_s": sum(usage.ru_utime + usage.ru_stime for usage in usages),
            "peak_mb": max((usage.ru_maxrss for usage in usages), default=0) / 1024,
        }
    )


def settle(solution: Child) -> None:
    """Let a solution's process that is about to end do so, and end one that waits for more calls."""
    for _ in range(20):
        if solution.wait(os.WNOHANG):
            return
        time.sleep(0.0005)
    solution.kill()


def channel() -> Channel:
    return Channel(socket.socket(fileno=CHANNEL_FD))


def program(case: dict[str, Any]) -> NoReturn:
    """A program's own standard input takes the place of the stream that brought the case."""
    with open("/tmp/.stdin", "w+b", buffering=0) as file:  # noqa: S108 - in the box, and gone at once
        os.unlink("/tmp/.stdin")  # noqa: S108
        write_all(file.fileno(), case["stdin"].encode("utf-8", "surrogatepass"))
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        os.dup2(file.fileno(), 0)
    runner.streams()
    runner.run_program(case)


def fork_monitor(prepared: runner.Prepared, kind: bytes, size: int) -> None:
    """Fork the monitor of one case, wait for it, and reap whatever the case orphaned."""
    pid = os.fork()
    if pid == 0:
        status = 4
        try:
            monitor(prepared, kind, size)
            status = 0
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EAGAIN, errno.ENOMEM):
                traceback.print_exc(file=sys.__stderr__)
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    while True:
        done, status = os.wait()
        if done == pid:
            break
    if status != 0:
        os._exit(4)  # the box cannot go on; the host starts another


def main() -> None:
    global from_host, to_host
    forbid_inspection()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.umask(0o022)
    from_host, to_host = os.dup(0), os.dup(1)
    silence = os.open("/dev/null", os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    runner.streams()
    os.mkdir(runner.TESTS)
    os.chdir(runner.TESTS)
    prepared = runner.Prepared()
    os.chdir("/")
    os.rmdir(runner.TESTS)
    runner.freeze()
    write_frame({"type": "ready", "python": sys.version.split()[0]})
    while True:
        kind, size = struct.unpack(">cI", read_exactly(5))
        if size > MAX_FRAME:
            os._exit(3)
        if kind == PRELOAD:
            for name in json.loads(read_exactly(size)):
                importlib.import_module(name)
            prepared.modules = frozenset(sys.modules)
            runner.freeze()
        else:
            fork_monitor(prepared, kind, size)


if __name__ == "__main__":
    main()
