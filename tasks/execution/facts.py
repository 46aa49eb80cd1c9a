"""What the process with the tests, or with a program, said of itself: read on the host, with suspicion.

In the shared tier and from a program these lines come from a process in which the solution ran, so anything may stand
in them.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tasks.models import Coverage

_MOST = 1_000_000


class _Fact(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    token: str


class Collected(_Fact):
    """The ids of the tests, in the order in which they run."""

    collected: list[str]


class CollectError(_Fact):
    collect_error: str


class Report(_Fact):
    """One phase of one test, as pytest reported it."""

    test_id: str
    when: Literal["setup", "call", "teardown"]
    outcome: Literal["passed", "failed", "skipped"]
    duration_s: float
    message: str
    exception: str
    wasxfail: bool


class Stopped(_Fact):
    """The tests' process gave up: the solution's process was gone or sent nonsense, something cannot
    cross, or a try without pytest met what only pytest can tell."""

    stopped: Literal["gone", "malformed", "unportable", "plain"]
    why: str


class Measured(BaseModel):
    """What one run left out of the solution's statements and branches; a branch is two lines."""

    model_config = ConfigDict(extra="forbid")

    statements: int = Field(ge=0, le=_MOST)
    missing: set[int]
    branches: int = Field(ge=0, le=_MOST)
    missing_branches: set[tuple[int, int]]


class Ended(_Fact):
    """The last fact: pytest, or the program, ran to its end."""

    ended: Literal[True]
    exitstatus: int
    coverage: Measured | None
    imported: list[str] = Field(max_length=10_000)
    judged: str = Field("", description="What the solution, not the tests' Python, compared.")


_FACT: TypeAdapter[Collected | CollectError | Report | Stopped | Ended] = TypeAdapter(
    Collected | CollectError | Report | Stopped | Ended
)


@dataclass
class Facts:
    """All facts of one case. ``genuine`` is False where a line is not as the recorder sends it."""

    collected: list[str] | None = None
    collect_error: str = ""
    reports: list[Report] = field(default_factory=list)
    stopped: Stopped | None = None
    ended: Ended | None = None
    genuine: bool = True


def coverage_of(runs: Sequence[Measured]) -> Coverage | None:
    """What runs of one solution cover together; None where nothing was measured."""
    if not runs:
        return None
    statements, branches = runs[0].statements, runs[0].branches
    missing = set.intersection(*(run.missing for run in runs))
    missing_branches = set.intersection(*(run.missing_branches for run in runs))
    return Coverage(
        statements=statements,
        statements_hit=max(0, statements - len(missing)),
        branches=branches,
        branches_hit=max(0, branches - len(missing_branches)),
    )


def read_facts(said: str, token: str) -> Facts:
    """The facts in what was said; nothing that stands in it raises."""
    facts = Facts()
    for line in said.split("\n"):
        if not line:
            continue
        try:
            fact = _FACT.validate_json(line)
        except ValidationError:
            facts.genuine = False
            continue
        if not secrets.compare_digest(fact.token.encode(), token.encode()) or facts.ended or facts.stopped:
            facts.genuine = False
            continue
        match fact:
            case Collected():
                facts.genuine &= facts.collected is None
                facts.collected = fact.collected
            case CollectError():
                facts.collect_error += fact.collect_error
            case Report():
                facts.reports.append(fact)
            case Stopped():
                facts.stopped = fact
            case Ended():
                facts.ended = fact
    return facts
