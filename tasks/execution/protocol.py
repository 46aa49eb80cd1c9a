"""Frames between host and box: a 4-byte big-endian length, then JSON. Nothing is ever unpickled."""

from __future__ import annotations

import struct
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import SandboxUnavailable

T = TypeVar("T", bound=BaseModel)

MAX_TO_BOX = 64 << 20
MAX_FROM_BOX = 16 << 20


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Limits(_Frame):
    wall_s: float
    memory_mb: int
    output_kb: int
    processes: int
    disk_mb: int


class Case(_Frame):
    """One pair to run: file names and their text."""

    type: Literal["case"] = "case"
    id: str
    files: dict[str, str]
    coverage: bool
    preload: list[str]
    limits: Limits


class Ready(_Frame):
    """The box's first frame."""

    type: Literal["ready"]
    python: str = Field(max_length=100)


class Report(_Frame):
    """One phase of one test, as pytest reported it inside the box."""

    test_id: str
    when: Literal["setup", "call", "teardown"]
    outcome: Literal["passed", "failed", "skipped"]
    duration_s: float
    message: str
    exception: str
    wasxfail: bool


class Counts(_Frame):
    statements: int = Field(ge=0)
    statements_hit: int = Field(ge=0)
    branches: int = Field(ge=0)
    branches_hit: int = Field(ge=0)


class Evidence(_Frame):
    """What the supervisor saw of one case. Reports, collection and coverage come from inside the tested process."""

    type: Literal["evidence"]
    id: str
    ended: bool
    exit_code: int | None
    signal: int | None
    timed_out: bool
    output_exceeded: bool
    leftover_processes: int
    clean: bool = Field(description="Nothing of the case stayed in the box's writable folders.")
    exitstatus: int | None
    collected: list[str] | None
    collect_error: str
    reports: list[Report]
    coverage: Counts | None
    malformed_evidence: bool
    output: str
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


def send_case(transport: Transport, case: Case, deadline: float) -> None:
    """Raises:
    SandboxUnavailable: the box does not take it.
    """
    data = case.model_dump_json().encode()
    transport.send(struct.pack(">I", len(data)) + data, deadline)


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
