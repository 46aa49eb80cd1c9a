"""What the children that run a solution without its tests do: serve it to tests elsewhere, or run it as a program."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import types
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
    write_files(case["files"])
    sys.path.insert(0, SOLUTION)
    sys.argv = ["solution.py"]
    main = types.ModuleType("__main__")
    main.__file__ = "solution.py"
    sys.modules["__main__"] = main
    status, path = 0, f"{SOLUTION}/solution.py"
    measure = start_measure(case, SOLUTION)
    try:
        with open(path, "rb") as source:
            exec(compile(source.read(), path, "exec", dont_inherit=True), main.__dict__)
    except SystemExit as leave:
        if isinstance(leave.code, str):
            print(leave.code, file=sys.stderr)
        status = leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    covered = measure.stop() if measure else None
    ended = {"ended": True, "exitstatus": status, "coverage": covered, "imported": zygote.imported()}
    write_all(EVIDENCE_FD, json.dumps({"token": case["token"], **ended}).encode("ascii") + b"\n")
    os._exit(status & 0xFF)
