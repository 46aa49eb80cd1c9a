"""What goes between host and box. Nothing is ever unpickled.

To the box: a header, then each child's half of the case as JSON. The first process of the box passes the halves on
without reading them. From the box: frames of a byte of kind, four bytes of length (big-endian), and content.
"""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.errors import SandboxUnavailable

T = TypeVar("T", bound=BaseModel)

HEADER = struct.Struct(">cIdIII")
FRAME = struct.Struct(">cI")
READY, SAID, OUTPUT, ERRORS, DONE = b"R", b"S", b"O", b"E", b"D"
MAX_HALF = 64 << 20
MAX_SAID = 4 << 20
_MAX_JSON = 1 << 16


class Kind(StrEnum):
    """How a case runs; the first byte of its header."""

    APART = "A"
    """Tests and solution in two processes."""
    TOGETHER = "T"
    """Tests and solution in one process."""
    PROGRAM = "P"
    """A program that reads standard input."""


@dataclass(frozen=True)
class Limits:
    wall_s: float
    memory_mb: int
    output_kb: int
    processes: int
    disk_mb: int


@dataclass(frozen=True)
class Conditions:
    """What a run can depend on beside its sources. As they are here, a case runs as it is written, and now.

    Attributes:
        hash_seed: of the box it runs in.
        random_seed: what the random generators start from.
        order: of the tests: 0 is as written, each other number an order of its own.
        clock_s: how far the clock is put forward, in seconds.
        zone_h: hours that the time zone is ahead of UTC.
    """

    hash_seed: int = 0
    random_seed: int = 0
    order: int = 0
    clock_s: float = 0.0
    zone_h: int = 0


@dataclass(frozen=True)
class Case:
    """One thing to run.

    Attributes:
        files: names and texts beside the tests, the solution among them.
        test: the tests; empty for a program.
        plain: whether the tests may be tried without pytest; `expected` then names them.
        star: what a star import gives to tests that are apart from the solution.
        token: goes with every fact that the recorder in the box sends.
        first_failure: whether to stop at the first test that fails.
    """

    files: dict[str, str]
    limits: Limits
    test: str = ""
    plain: bool = False
    expected: list[str] = field(default_factory=list)
    star: list[str] = field(default_factory=list)
    stdin: str = ""
    token: str = ""
    coverage: bool = False
    first_failure: bool = False
    conditions: Conditions = Conditions()

    def halves(self, kind: Kind) -> list[bytes]:
        """What each child is given: the solution's process nothing of the tests, the tests' nothing of the solution."""
        conditions, limits = asdict(self.conditions), asdict(self.limits)
        common = {"limits": limits, "conditions": conditions, "coverage": self.coverage}
        files = {"files": self.files}
        tests = {
            **{"test": self.test, "token": self.token, "plain": self.plain, "expected": self.expected},
            **{"star": self.star, "first_failure": self.first_failure},
        }
        given: list[dict[str, Any]]
        match kind:
            case Kind.APART:
                given = [files, tests]
            case Kind.TOGETHER:
                given = [files | tests]
            case Kind.PROGRAM:
                given = [files | {"stdin": self.stdin, "token": self.token}]
        return [json.dumps(common | half).encode() for half in given]

    def fits(self) -> bool:
        """Whether the box takes so much."""
        return len(self.halves(Kind.TOGETHER)[0]) + len(self.stdin) <= MAX_HALF


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Ready(_Frame):
    """The box's first frame."""

    python: str = Field(max_length=100)


class End(_Frame):
    exit_code: int | None
    signal: int | None


class Evidence(_Frame):
    """What the supervisor saw of one case, and, unread, what the children said of it (``said``)."""

    number: int
    exit_code: int | None
    signal: int | None
    solution_end: End | None = Field(description="How the solution's own process ended, where it has one.")
    timed_out: bool
    output_exceeded: bool
    leftover_processes: int
    clean: bool = Field(description="Nothing of the case stayed in the box.")
    wall_s: float
    cpu_s: float
    peak_mb: float
    said: str = Field(description="The facts of the process with the tests, a JSON object per line.")
    output: str
    errors: str = Field(description="Standard error of a program.")


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


def send_case(transport: Transport, kind: Kind, number: int, case: Case, deadline: float) -> None:
    """Raises:
    SandboxUnavailable: the box does not take it.
    """
    halves = case.halves(kind)
    sizes = [*map(len, halves), 0][:2]
    header = HEADER.pack(kind.encode(), number, case.limits.wall_s, case.limits.output_kb << 10, *sizes)
    transport.send(header + b"".join(halves), deadline)


def receive_ready(transport: Transport, deadline: float) -> Ready:
    """The box's greeting.

    Raises:
        SandboxUnavailable: it does not come before the deadline, or is none.
    """
    _, content = _frame(transport, {READY: _MAX_JSON}, deadline)
    return _valid(Ready, _json(content))


def receive_evidence(transport: Transport, limits: Limits, deadline: float) -> Evidence:
    """The evidence of one case.

    Raises:
        SandboxUnavailable: it is too much, malformed, or does not come before the deadline.
    """
    allowed = {SAID: MAX_SAID, OUTPUT: limits.output_kb << 10, ERRORS: limits.output_kb << 10, DONE: _MAX_JSON}
    found: dict[bytes, bytearray] = defaultdict(bytearray)
    while DONE not in found:
        kind, content = _frame(transport, allowed, deadline)
        allowed[kind] -= len(content)
        found[kind] += content
    texts = {name: found[kind].decode("utf-8", "replace") for name, kind in _TEXTS.items()}
    return _valid(Evidence, {**_json(found[DONE]), **texts})


_TEXTS = {"said": SAID, "output": OUTPUT, "errors": ERRORS}


def _frame(transport: Transport, allowed: dict[bytes, int], deadline: float) -> tuple[bytes, bytes]:
    kind, size = FRAME.unpack(transport.receive(FRAME.size, deadline))
    if size > allowed.get(kind, -1):
        raise SandboxUnavailable(f"the box announced a frame {kind!r} of {size} bytes, which it must not send")
    return kind, transport.receive(size, deadline)


def _json(content: bytes | bytearray) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise SandboxUnavailable(f"the box sent a frame that is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise SandboxUnavailable("the box sent a frame that is no JSON object")
    return found


def _valid(kind: type[T], found: dict[str, Any]) -> T:
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        raise SandboxUnavailable(f"the box sent a malformed frame: {error.errors(include_url=False)[:1]}") from error
