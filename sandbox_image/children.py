"""Forked children: what each does before its own work, and the processes that fork them.

A child takes its descriptors, reads its half of the case, becomes another user and gives up what it must not have.
All that can be done before the fork is done in the process that forks.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from sandbox_image.confinement import Confinement, arrange

if TYPE_CHECKING:
    from sandbox_image.measure import Measure

WORK = "/work"
TESTS = f"{WORK}/tests"
SOLUTION = f"{WORK}/solution"
EVIDENCE_FD, FROM_OTHER_FD, TO_OTHER_FD = 100, 101, 102
"""Where a child writes evidence; where the two children of an isolated case hear and tell each other."""
BROKEN = 70
"""Exit code of a child that failed before its work, or came to the end of it without ending."""

Body = Callable[[dict[str, Any]], object]
_write = os.write  # as it is now, whatever a solution makes of it


def write_all(descriptor: int, data: bytes) -> None:
    """Write to the end; blocks."""
    view = memoryview(data)
    while view:
        view = view[_write(descriptor, view) :]


def read_all(descriptor: int) -> bytes:
    """Read to the end; blocks."""
    chunks = []
    while chunk := os.read(descriptor, 1 << 20):
        chunks.append(chunk)
    return b"".join(chunks)


def write_files(files: dict[str, str]) -> None:
    """Files for the working directory."""
    for name, text in files.items():
        with open(name, "wb") as file:
            file.write(text.encode("utf-8", "surrogatepass"))


def streams() -> None:
    """Text streams over descriptors 0 to 2, whatever these are when the streams are used."""
    sys.stdin = open(0, closefd=False, errors="replace")  # noqa: SIM115
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", write_through=True)


def start_measure(case: dict[str, Any], folder: str) -> Measure | None:
    """Begin to measure coverage of the solution in a folder, where the case asks for it."""
    if not case["coverage"]:
        return None
    from sandbox_image.measure import MEASURE  # noqa: PLC0415 - boxes that measure have it imported

    MEASURE.start(f"{folder}/solution.py")
    return MEASURE


def _bring_about(conditions: dict[str, Any]) -> None:
    """Start the random generators from what a case says, which is always the same, so that a verdict comes out again.
    Put the clock forward, in a time zone of its own, where the case asks for that."""
    random.seed(conditions["random_seed"])
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(conditions["random_seed"])
    if conditions["clock_s"]:
        os.environ["TZ"] = f"BOX{-conditions['zone_h']}"  # POSIX counts to the west
        time.tzset()
        _travel(int(conditions["clock_s"] * 1e9))


def _travel(ahead_ns: int) -> None:
    """Put forward all clocks of Python that tell the time of day."""
    traveller = sys.modules["time_machine"].travel(0).start()  # boxes that travel have it imported
    # As it is, its clock starts when it is first read. The two halves of a case must read the same one: so far ahead of
    # the real time, and not of when they began. The version is pinned.
    traveller._destination_timestamp_ns, traveller._real_start_timestamp_ns = ahead_ns, 0
    traveller._requested = True


class Zygote:
    """A process that has imported all that its children need, and only forks from now on."""

    def __init__(self) -> None:
        self._modules = len(sys.modules)
        self._confinement = Confinement()
        # The collector must not touch, and so copy, what the children share.
        gc.collect()
        gc.freeze()

    def fork(self, body: Body, folder: str, user: int, places: dict[int, int], cpu: int | None = None) -> int:
        """Fork a child that reads its case from descriptor 0 and then runs a body; its process id.

        Args:
            folder: its working directory and home.
            user: who it runs as, if this process may choose.
            places: its descriptors, ``{place: descriptor}``.
            cpu: the only one that it may use.
        """
        if pid := os.fork():
            return pid
        try:
            arrange(places)
            os.setsid()
            if cpu is not None:
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(0, {cpu})
            case = json.loads(read_all(0))
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            os.chdir(folder)
            os.environ["HOME"] = folder
            self._confinement.give_up(user, case["limits"])
            _bring_about(case["conditions"])
            body(case)
        except BaseException:
            os.write(2, traceback.format_exc().encode("utf-8", "backslashreplace"))
        finally:
            os._exit(BROKEN)

    def imported(self) -> list[str]:
        """Top-level modules that a child has imported; those that this process had are not looked at, nor copied."""
        found = islice(reversed(sys.modules), max(0, len(sys.modules) - self._modules))
        names = {name.partition(".")[0] for name in found} - {"solution", "test_solution", "encodings"}
        return sorted(name for name in names if name[:1].isalpha())
