"""Frames between host and box: a 4-byte big-endian length, then JSON. Nothing is ever unpickled.

To the box, a byte of kind goes before the length, so that its first process can pass a case on without reading it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import SandboxUnavailable

T = TypeVar("T", bound=BaseModel)

MAX_TO_BOX = 64 << 20
MAX_FROM_BOX = 128 << 20


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Limits(_Frame):
    wall_s: float
    memory_mb: int
    output_kb: int
    processes: int
    disk_mb: int


class Kind(StrEnum):
    """How a case runs; the byte that goes before its frame."""

    APART = "A"
    """Tests and solution in two processes."""
    TOGETHER = "T"
    """Tests and solution in one process."""
    PROGRAM = "P"
    """A program that reads standard input."""


class Case(_Frame):
    """One thing to run.

    Attributes:
        files: names and texts beside the tests, the solution among them.
        test: the tests; empty for a program.
        plain: whether the tests may be tried without pytest; `expected` then names them.
        token: goes with every fact that the recorder in the box sends.
        seed: of the test order and the random generators in a run that looks for flakiness; None runs as written.
    """

    id: str
    files: dict[str, str]
    test: str = ""
    plain: bool = False
    expected: list[str] = []
    stdin: str = ""
    token: str = ""
    coverage: bool
    seed: int | None = None
    limits: Limits


class Ready(_Frame):
    """The box's first frame."""

    type: Literal["ready"]
    python: str = Field(max_length=100)


class End(_Frame):
    exit_code: int | None
    signal: int | None


class Evidence(_Frame):
    """What the supervisor saw of one case, and, unread, what the children said of it (``said``)."""

    type: Literal["evidence"]
    id: str
    exit_code: int | None
    signal: int | None
    solution_end: End | None = Field(description="How the solution's own process ended, where it has one.")
    timed_out: bool
    output_exceeded: bool
    leftover_processes: int
    clean: bool = Field(description="Nothing of the case stayed in the box.")
    said: str = Field(description="The facts of the process with the tests, a JSON object per line.")
    output: str
    errors: str = Field(description="Standard error of a program.")
    wall_s: float
    cpu_s: float
    peak_mb: float


class Transport(Protocol):
    """The byte stream to one live box."""

    def send(self, data: bytes, deadline: float) -> None:
        """Raises:
        SandboxUnavailable: the box is gone, or does not take it before the deadline (monotonic seconds).
        """

    def receive(self, size: int, deadline: float) -> bytes:
        """Exactly ``size`` bytes.

        Raises:
            SandboxUnavailable: the box is gone, or silent until the deadline (monotonic seconds).
        """

    def close(self) -> None:
        """End the box and all that runs in it."""


def _framed(kind: str, content: bytes) -> bytes:
    return struct.pack(">cI", kind.encode(), len(content)) + content


def send_case(transport: Transport, kind: Kind, case: Case, deadline: float) -> None:
    """Raises:
    SandboxUnavailable: the box does not take it.
    """
    transport.send(_framed(kind, case.model_dump_json().encode()), deadline)


def send_preload(transport: Transport, modules: Sequence[str], deadline: float) -> None:
    """Have the box import libraries before it forks.

    Raises:
        SandboxUnavailable: the box does not take it.
    """
    transport.send(_framed("L", json.dumps(list(modules)).encode()), deadline)


def fits(case: Case) -> bool:
    """Whether the case is small enough for one frame."""
    return len(case.model_dump_json().encode()) <= MAX_TO_BOX


def receive(transport: Transport, kind: type[T], deadline: float) -> T:
    """The box's next frame, bounded and validated.

    Raises:
        SandboxUnavailable: it is too large, not of this kind, or does not come before the deadline.
    """
    (size,) = struct.unpack(">I", transport.receive(4, deadline))
    if size > MAX_FROM_BOX:
        raise SandboxUnavailable(f"the box announced a frame of {size} bytes, allowed are {MAX_FROM_BOX}")
    try:
        return kind.model_validate_json(transport.receive(size, deadline))
    except ValidationError as error:
        raise SandboxUnavailable(f"the box sent a malformed frame: {error.errors(include_url=False)[:1]}") from error
