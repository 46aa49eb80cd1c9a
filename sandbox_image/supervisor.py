"""PID 1 of the box: forks the children of each case, watches them, and reports raw evidence. It judges nothing.

It imports what a solution may need, then forks the tests' zygote, which imports pytest; from then on both only fork.
What a case holds, and what its children say, goes from pipe to pipe (``splice``) and never into the memory of either,
so that no child can find in its own memory what belonged to another case.

To the box: a header (``HEADER``), then for each child its half of the case as JSON. From the box: frames of one byte
of kind, four bytes of length (big-endian), content. Standard library, pytest and coverage only: nothing else of the
project is in the box.

Usage:
    python3 -m sandbox_image.supervisor UID [MODULE ...]

    UID is the user of the solution; tests apart from it run as the next one. Each box has its own, so that limits on
    processes do not add up over boxes. The modules are imported before anything is forked.
"""

from __future__ import annotations

import _sitebuiltins
import builtins
import errno
import fcntl
import importlib
import json
import os
import select
import shutil
import struct
import sys
import termios
import time
import traceback
from functools import partial
from itertools import chain
from typing import Any

from sandbox_image.children import (
    EVIDENCE_FD,
    FROM_OTHER_FD,
    SOLUTION,
    TESTS,
    TO_OTHER_FD,
    WORK,
    Body,
    Zygote,
    streams,
    write_all,
)
from sandbox_image.confinement import forbid_inspection, this_cpu
from sandbox_image.processes import Child, OwnChild, TestsChild, kill_all, others, reap
from sandbox_image.solution_runner import run_program, serve_solution
from sandbox_image.tests_zygote import APART, TOGETHER, TestsZygote

SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - the box's own, on tmpfs
HEADER = struct.Struct(">cIdIII")
"""Kind and number of the case, wall time in seconds, most bytes of output, sizes of its one or two halves in bytes."""
FRAME = struct.Struct(">cI")
PROGRAM = b"P"
READY, SAID, OUTPUT, ERRORS, DONE = b"R", b"S", b"O", b"E", b"D"
MAX_HALF = 64 << 20
MAX_EVIDENCE = 4 << 20
POLL_S, SHORTEST_POLL_S = 0.01, 0.0005
_MUCH = 16 << 10
"""So much is passed on at once; less waits for the end of the case in its pipe, which holds 64 KiB."""

from_host, to_host = 0, 1


def read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        chunk = os.read(from_host, size - len(data))
        if not chunk:
            os._exit(0)  # the host is gone; the box goes with it
        data += chunk
    return data


def write_frame(kind: bytes, frame: dict[str, Any]) -> None:
    data = json.dumps(frame).encode()
    write_all(to_host, FRAME.pack(kind, len(data)) + data)


def pass_on(size: int, source: int, sink: int) -> None:
    """Move bytes from pipe to pipe; where nobody reads them, to nowhere."""
    while size:
        try:
            moved = os.splice(source, sink, size)
        except BrokenPipeError:
            sink = os.open("/dev/null", os.O_WRONLY)
            pass_on(size, source, sink)
            os.close(sink)
            return
        if not moved:
            os._exit(0)  # the host is gone
        size -= moved


class Stream:
    """The reading end of a pipe from a child; what comes goes to the host up to a cap.

    Args:
        kind: of the frames to the host.
        cap: in bytes.
    """

    def __init__(self, kind: bytes, cap: int) -> None:
        self.source, self.sink = os.pipe()
        self._kind, self._left = kind, cap
        self.exceeded = False

    def pass_on(self, least: int = 1) -> None:
        """Pass on what has come, if it is so much at least."""
        (size,) = struct.unpack("i", fcntl.ioctl(self.source, termios.FIONREAD, bytes(4)))
        if size < least:
            return
        self.exceeded |= size > self._left
        if size := min(size, self._left):
            write_all(to_host, FRAME.pack(self._kind, size))
            pass_on(size, self.source, to_host)
            self._left -= size

    def close(self) -> None:
        os.close(self.source)


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


def watch(child: Child, own: list[OwnChild], streams: list[Stream], wall_s: float) -> bool:
    """Wait for a child; kill it at the deadline or when too much is said.

    Args:
        own: children that must not be taken for orphans.

    Returns:
        Whether it ran out of time.
    """
    deadline = time.monotonic() + wall_s
    ended = [] if child.ending is None else [child.ending]
    timed_out = False
    while not child.wait():
        if timed_out or any(stream.exceeded for stream in streams):
            child.kill()
            break
        left = max(0.0, deadline - time.monotonic())
        if not select.select(ended, [], [], min(POLL_S if ended else SHORTEST_POLL_S, left))[0]:
            reap(own)
            for stream in streams:
                stream.pass_on(_MUCH)
            timed_out = time.monotonic() >= deadline
    return timed_out


def own_folder(folder: str, user: int) -> str:
    """Make a folder for the child of a user."""
    os.mkdir(folder, 0o700)
    if os.getuid() == 0:
        os.chown(folder, user, user)
    return folder


class Supervisor:
    """Runs cases one after another.

    Args:
        uid: the user of the solution.
    """

    def __init__(self, uid: int) -> None:
        self._uid = uid
        self._tests = TestsZygote(uid)
        self._zygote = Zygote()

    def _fork(self, body: Body, content: int, places: dict[int, int], cpu: int | None = None) -> OwnChild:
        pid = self._zygote.fork(body, own_folder(SOLUTION, self._uid), self._uid, {0: content, **places}, cpu)
        return OwnChild(pid)

    def _ask(self, kind: bytes, user: int, descriptors: list[int], cpu: int | None = None) -> TestsChild:
        own_folder(TESTS, user)
        return TestsChild(self._tests, self._tests.fork(kind, descriptors, cpu))

    def _children(
        self, kind: bytes, contents: list[int], said: int, output: int, errors: int
    ) -> tuple[list[OwnChild], Child]:
        """Fork what a kind of case needs: the children of this process, and the one whose end is the case's end."""
        if kind == PROGRAM:
            run = partial(run_program, self._zygote)
            program = self._fork(run, contents[0], {1: output, 2: errors, EVIDENCE_FD: said})
            return [program], program
        if kind == TOGETHER:
            return [], self._ask(kind, self._uid, [contents[0], output, output, said])
        cpu = this_cpu()  # for both: a message between them costs a third of what it costs from CPU to CPU
        (calls_from, calls_to), (answers_from, answers_to) = channel = os.pipe(), os.pipe()
        serve = partial(serve_solution, self._zygote)
        places = {1: output, 2: output, FROM_OTHER_FD: calls_from, TO_OTHER_FD: answers_to}
        solution = self._fork(serve, contents[0], places, cpu)
        tests = self._ask(kind, self._uid + 1, [contents[1], output, output, said, answers_from, calls_to], cpu)
        for descriptor in chain.from_iterable(channel):
            os.close(descriptor)
        return [solution], tests

    def run(self, kind: bytes, number: int, wall_s: float, most_output: int, sizes: list[int]) -> None:
        """Run one case, whose halves are to come, and send the evidence."""
        said, output, errors = streams = [
            Stream(SAID, MAX_EVIDENCE), Stream(OUTPUT, most_output), Stream(ERRORS, most_output)
        ]  # fmt: skip
        pipes = [os.pipe() for _ in sizes]
        own, main = self._children(kind, [source for source, _ in pipes], said.sink, output.sink, errors.sink)
        for descriptor in [stream.sink for stream in streams] + [source for source, _ in pipes]:
            os.close(descriptor)
        started = time.monotonic()
        for size, (_, sink) in zip(sizes, pipes, strict=True):
            pass_on(size, from_host, sink)
            os.close(sink)
        timed_out = watch(main, own, streams, wall_s)
        wall = time.monotonic() - started
        reap(own)
        spared = {self._tests.pid}
        leftover = len(others(spared | {child.pid for child in own}))
        solution = own[0] if own and own[0] is not main else None
        if solution:
            settle(solution)
        clean = kill_all(spared, [self._uid, self._uid + 1])
        for stream in streams:
            stream.pass_on()
            stream.close()
        for place in filter(os.path.isdir, (WORK, *SCRATCH)):
            clean &= wipe(place)
        for child in own:
            child.close()
        usages = [child.usage for child in {*own, main} if child.usage]
        write_frame(
            DONE,
            {
                "number": number,
                **main.end(),
                "solution_end": solution.end() if solution else None,
                "timed_out": timed_out,
                "output_exceeded": any(stream.exceeded for stream in streams),
                "leftover_processes": leftover,
                "clean": clean,
                "wall_s": wall,
                "cpu_s": sum(usage.ru_utime + usage.ru_stime for usage in usages),
                "peak_mb": max((usage.ru_maxrss for usage in usages), default=0) / 1024,
            },
        )

    def serve(self) -> None:
        """Run cases until the host is gone."""
        while True:
            kind, number, wall_s, most_output, *sizes = HEADER.unpack(read_exactly(HEADER.size))
            if kind not in (PROGRAM, TOGETHER, APART) or max(sizes) > MAX_HALF:
                os._exit(3)
            self.run(kind, number, wall_s, most_output, sizes[: 2 if kind == APART else 1])


def settle(solution: Child) -> None:
    """Let a solution's process that is about to end do so, and end one that waits for more calls."""
    for _ in range(20):
        if solution.wait():
            return
        time.sleep(0.0005)
    solution.kill()


def main(uid: int, modules: list[str]) -> None:
    """Set up the box and serve; ends the process where the box cannot go on, and the host starts another."""
    global from_host, to_host
    forbid_inspection()
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.umask(0o022)
    from_host, to_host = os.dup(0), os.dup(1)
    silence = os.open("/dev/null", os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)
    streams()
    for name in ("exit", "quit"):  # which `site` makes, and a box starts without it
        setattr(builtins, name, _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)"))
    try:
        for name in modules:
            importlib.import_module(name)
        supervisor = Supervisor(uid)
        write_frame(READY, {"python": sys.version.split()[0]})
        supervisor.serve()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EAGAIN, errno.ENOMEM):
            traceback.print_exc(file=sys.__stderr__)
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(4)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64_000, sys.argv[2:])
