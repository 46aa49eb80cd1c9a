"""Rows from attempts to all that the sandbox found out about them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tasks.models.sourcing import Call
from tasks.models.vocabulary import PeerKind, Row, Tier, Verdict


class Attempt(Row):
    attempt_id: str = Field(description="`<question_id>/<attempt>`")
    question_id: str
    attempt: int = Field(description="1-based.")
    solution: str
    test: str
    mends: str = Field("", description="Id of the attempt whose wrong tests were dropped or written anew; else empty.")
    call: Call = Field(description="The call that made the attempt, or wrote its tests anew.")


class PairFile(Row):
    """A further file beside solution.py and test_solution.py. ``name`` is a plain file name."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    content: str


class ProgramRun(Row):
    """One input of a program and the output it must give."""

    stdin: str
    stdout: str


class Pair(Row):
    """One solution and what it is judged by, a pytest file or inputs and outputs: the input columns of
    ``kodforge verify``."""

    id: str
    solution: str
    test: str = ""
    io: list[ProgramRun] = Field(default=[], description="Runs of the solution as a program, in place of tests.")
    entry_points: list[str] = Field(default=[], description="Names the tests must import from `solution`.")
    files: list[PairFile] = Field(default=[])

    @model_validator(mode="after")
    def _has_something_to_be_judged_by(self) -> Self:
        if not self.test and not self.io:
            raise ValueError("give tests or io")
        return self


class TestOutcome(Row):
    test_id: str
    outcome: Literal["passed", "failed", "error", "skipped"]
    duration_s: float
    message: str = Field(description="What failed, empty for a passed test.")


class Coverage(Row):
    """Of the solution under its tests, counted by coverage.py; shares are 1.0 where nothing is to cover."""

    statements: int = Field(ge=0)
    statements_hit: int = Field(ge=0)
    branches: int = Field(ge=0)
    branches_hit: int = Field(ge=0)

    @property
    def statement_share(self) -> float:
        return self.statements_hit / self.statements if self.statements else 1.0

    @property
    def branch_share(self) -> float:
        return self.branches_hit / self.branches if self.branches else 1.0


class PairVerdict(Row):
    """The outcome of running one pair: the columns of ``kodforge verify``."""

    id: str
    verdict: Verdict
    reason: str = Field(description="One sentence: why this verdict.")
    integrity_tier: Tier
    tier_reason: str = Field(description="Why the tier is not `isolated`; empty where it is.")
    tests: list[TestOutcome]
    coverage: Coverage | None
    imported: list[str] = Field(description="Top-level modules that they name, or that came with these.")
    flaky_over: list[str] = Field(
        description="Of a flaky pair what makes its outcome change: `repetition`, `hash seed`, `random seed`, `order`, "
        "`clock`; `combination` where none of them does alone."
    )
    wall_s: float
    cpu_s: float
    peak_mb: float
    sandbox_s: float = Field(description="Wall time of all its runs; `wall_s` is that of the first.")
    output: str = Field(description="Captured stdout and stderr, capped.")
    backend: str
    image: str = Field(description="Digest of what ran: the Docker image, or the bubblewrap environment.")


class Control(Row):
    """The tests of a pass against a stub of its solution: where they pass again, they are vacuous."""

    stub: str = Field(description="What every function of the stub does, as in `raises` or `returns 0`.")
    verdict: Verdict


class AttemptVerdict(Row):
    """A verdict and the negative controls of one attempt."""

    attempt_id: str
    question_id: str
    attempt: int
    pair: PairVerdict
    entry_points: list[str] = Field(description="Names that the tests import from the solution and use.")
    controls: list[Control] = Field(description="Empty where the attempt did not pass, or none were asked for.")
    sandbox_s: float = Field(description="Wall time of all its runs, controls and re-runs included.")


class Solution(Row):
    """A solution that a solver wrote knowing the question alone."""

    solution_id: str = Field(description="`<question_id>/solver/<number>`")
    question_id: str
    number: int = Field(description="1-based.")
    solution: str
    call: Call


class Peer(Row):
    """A solution that takes part in the cross-checks of a question."""

    id: str = Field(
        description="`<question_id>/<attempt>`, `<question_id>/solver/<n>` or `<question_id>/reference/<n>`."
    )
    kind: PeerKind
    model: str = Field(description="Who wrote it; for a reference where it comes from.")
    same_as: str = Field(description="Id of an earlier peer with the same code, which ran in its place; else empty.")


class Cell(Row):
    """One solution under the tests of one attempt."""

    solution: str = Field(description="Id of the peer.")
    tests: str = Field(description="Id of the attempt whose tests they are.")
    verdict: Verdict | None = Field(description="None where they cannot be compared: `reason` says why.")
    failed: list[str] = Field(description="Test functions that did not pass; all of them where the run broke off.")
    alias: str = Field(description="`wanted = own`, where the solution's only function has another name; else empty.")
    reason: str


class CrossCheck(Row):
    """Every solution of a question under the tests of every attempt."""

    question_id: str
    peers: list[Peer]
    cells: list[Cell]
    sandbox_s: float


class Mutant(Row):
    """A small change of a solution: what stood on a line, and what was put there."""

    line: int
    operator: str
    before: str
    after: str


class Mutation(Row):
    """What the tests of an attempt make of mutants of its solution.

    ``score`` counts as caught what fails and what does not end. Mutants that compile to the same bytecode as the
    solution are not counted.
    """

    made: int = Field(description="Mutants that there are.")
    run: int = Field(description="Those that were run: a sample, within a budget of count and time.")
    killed: int
    timed_out: int
    survivors: list[Mutant]

    @property
    def score(self) -> float | None:
        """Share of the mutants run that the tests caught; None where none was run."""
        return (self.killed + self.timed_out) / self.run if self.run else None


class Audit(Row):
    """What was found out about the tests of a passed attempt beyond its verdict."""

    attempt_id: str
    question_id: str
    attempt: int
    mutation: Mutation
    sandbox_s: float
