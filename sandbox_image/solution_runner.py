"""What the children that run a solution without its tests do: serve it to tests elsewhere, or run it as a program."""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import sys
import traceback
import types
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from sandbox_image.channel import Channel, Gone
from sandbox_image.children import (
    EVIDENCE_FD,
    FROM_OTHER_FD,
    SOLUTION,
    TO_OTHER_FD,
    Zygote,
    start_measure,
    streams,
    write_all,
    write_files,
)
from sandbox_image.solution_side import MeasuredServer, Server

NO_MEMORY = 72
_UNWRITTEN = 120
"""Python's exit code where standard output could not be written to its end."""
_STREAMS = ("stdin", "stdout", "stderr")


def serve_solution(zygote: Zygote, case: dict[str, Any]) -> NoReturn:
    """The solution's half of the isolated tier."""
    write_files(case["files"])
    sys.path.insert(0, SOLUTION)
    measure = start_measure(case, SOLUTION)

    def finish() -> dict[str, Any]:
        covered = measure.stop() if measure else None
        return {"coverage": covered, "imported": zygote.imported()}

    channel = Channel(FROM_OTHER_FD, TO_OTHER_FD)
    server = MeasuredServer(channel, finish, measure.pause()) if measure else Server(channel, finish)
    try:
        server.serve()
    except Gone:
        os._exit(0)
    except MemoryError:
        os._exit(NO_MEMORY)
    os._exit(0)


def run_program(zygote: Zygote, case: dict[str, Any]) -> NoReturn:
    """A program that reads standard input and writes standard output; its exit code is what it exits with."""
    with open("/tmp/.stdin", "w+b", buffering=0) as file:  # noqa: S108 - in the box, and gone at once
        os.unlink("/tmp/.stdin")  # noqa: S108
        write_all(file.fileno(), case["stdin"].encode("utf-8", "surrogatepass"))
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        os.dup2(file.fileno(), 0)
    streams()
    for name in _STREAMS:
        setattr(sys, f"__{name}__", getattr(sys, name))
    write_files(case["files"])
    sys.path.insert(0, SOLUTION)
    sys.argv = ["solution.py"]
    measure = start_measure(case, SOLUTION)
    status = _run_lines(f"{SOLUTION}/solution.py")
    if not _end_as_python_does():
        status = _UNWRITTEN
    covered = measure.stop() if measure else None
    ended = {"ended": True, "exitstatus": status, "coverage": covered, "imported": zygote.imported()}
    with contextlib.suppress(OSError):  # a program may close all descriptors
        write_all(EVIDENCE_FD, json.dumps({"token": case["token"], **ended}).encode("ascii") + b"\n")
    os._exit(status)


def _run_lines(path: str) -> int:
    """Run a file as ``__main__`` to the end of its lines; the exit code that these ask for."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__file__ = "solution.py"
    try:
        try:
            with open(path, "rb") as file:
                source = file.read()
            exec(compile(source, path, "exec", dont_inherit=True), main.__dict__)
        except SystemExit:
            raise
        except BaseException:
            sys.excepthook(*sys.exc_info())
            return 1
    except SystemExit as leave:  # out of a hook of its own, too
        if leave.code is None or isinstance(leave.code, int):
            return int(leave.code or 0) & 0xFF
        _attempt(partial(print, leave.code, file=sys.stderr or sys.__stderr__))
        return 1
    except BaseException:
        _attempt(partial(sys.__excepthook__, *sys.exc_info()))
        return 1
    return 0


def _end_as_python_does() -> bool:
    """Wait for threads, call what is registered for the exit, write what is unwritten.

    Programs for online judges leave their output to it. What hangs here hangs until the wall time is over.

    Returns:
        Whether standard output could be written.
    """
    threading: Any = sys.modules.get("threading")
    _attempt(lambda: threading and threading._shutdown())
    _attempt(atexit._run_exitfuncs)
    written = _attempt(lambda: _flush(sys.stdout))
    _attempt(lambda: _flush(sys.stderr))
    # What the program has at its top, text streams of its own among it, dies with its module.
    for name in _STREAMS:
        setattr(sys, name, getattr(sys, f"__{name}__"))
    sys.modules.pop("__main__", None)
    _attempt(gc.collect)
    return written


def _flush(stream: Any) -> None:
    if stream is not None and not getattr(stream, "closed", False):
        stream.flush()


def _attempt(step: Callable[[], object]) -> bool:
    """Whether a step of the end went well; what did not is told on standard error, and keeps none from what follows."""
    try:
        step()
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
        return False
    return True
