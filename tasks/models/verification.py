"""Rows from attempts to all that the sandbox found out about them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from tasks.models.sourcing import Call
from tasks.models.vocabulary import PeerKind, Row, Tier, Verdict


class Attempt(Row):
    attempt_id: str = Field(description="`<question_id>/<attempt>`")
    question_id: str = Field(description="As in `Docs_00000003_I`.")
    attempt: int = Field(description="1-based.")
    solution: str = Field(description="solution.py.")
    test: str = Field(description="test_solution.py, a pytest file that imports from `solution`.")
    mends: str = Field("", description="Id of the attempt whose wrong tests were dropped or written anew; else empty.")
    call: Call = Field(description="The call that made the attempt, or wrote its tests anew.")


class PairFile(Row):
    """A further file beside solution.py and test_solution.py. ``name`` is a plain file name."""

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", description="Plain, without a folder.")
    content: str = Field(description="Text.")


class ProgramRun(Row):
    """One input of a program and the output it must give."""

    stdin: str = Field(description="What the program reads.")
    stdout: str = Field(description="What it must print.")


class Pair(Row):
    """One solution and what it is judged by, a pytest file or inputs and outputs: the input columns of
    ``kodforge verify``."""

    id: str = Field(description="Unique within the file.")
    solution: str = Field(description="solution.py.")
    test: str = Field("", description="test_solution.py, a pytest file that imports from `solution`.")
    io: list[ProgramRun] = Field(default=[], description="Runs of the solution as a program, in place of tests.")
    entry_points: list[str] = Field(default=[], description="Names the tests must import from `solution`.")
    files: list[PairFile] = Field(default=[], description="Files beside the tests.")

    @model_validator(mode="after")
    def _has_something_to_be_judged_by(self) -> Self:
        if not self.test and not self.io:
            raise ValueError("give tests or io")
        return self


class TestOutcome(Row):
    test_id: str = Field(description="As pytest names it; of a program `io[N]`, its input.")
    outcome: Literal["passed", "failed", "error", "skipped"] = Field(description="Of all its phases.")
    duration_s: float = Field(description="Seconds.")
    message: str = Field(description="What failed, empty for a passed test.")


class Coverage(Row):
    """Of the solution under its tests, counted by coverage.py; shares are 1.0 where nothing is to cover."""

    statements: int = Field(ge=0, description="Statements that there are.")
    statements_hit: int = Field(ge=0, description="Those that ran.")
    branches: int = Field(ge=0, description="Branches that there are.")
    branches_hit: int = Field(ge=0, description="Those that were taken.")

    @property
    def statement_share(self) -> float:
        return self.statements_hit / self.statements if self.statements else 1.0

    @property
    def branch_share(self) -> float:
        return self.branches_hit / self.branches if self.branches else 1.0


class PairVerdict(Row):
    """The outcome of running one pair: the columns of ``kodforge verify``."""

    id: str = Field(description="As in the pair.")
    verdict: Verdict
    reason: str = Field(description="One sentence: why this verdict.")
    integrity_tier: Tier
    tier_reason: str = Field(description="Why the tier is not `isolated`; empty where it is.")
    tests: list[TestOutcome] = Field(description="What each test came to.")
    coverage: Coverage | None
    imported: list[str] = Field(description="Top-level modules that they name, or that came with these.")
    flaky_over: list[str] = Field(
        description="Of a flaky pair what makes its outcome change: `repetition`, `hash seed`, `random seed`, `order`, "
        "`clock`; `combination` where none of them does alone."
    )
    wall_s: float = Field(description="Seconds of the first run, by the clock.")
    cpu_s: float = Field(description="Seconds of the first run, of the processor.")
    peak_mb: float = Field(description="Most memory of the first run, MiB.")
    sandbox_s: float = Field(description="Wall time of all its runs; `wall_s` is that of the first.")
    output: str = Field(description="Captured stdout and stderr, capped.")
    backend: str = Field(description="`docker` or `bubblewrap`.")
    image: str = Field(description="Digest of what ran: the Docker image, or the bubblewrap environment.")


class Control(Row):
    """The tests of a pass against a stub of its solution: where they pass again, they are vacuous."""

    stub: str = Field(description="What every function of the stub does, as in `raises` or `returns 0`.")
    verdict: Verdict


class AttemptVerdict(Row):
    """A verdict and the negative controls of one attempt."""

    attempt_id: str = Field(description="`<question_id>/<attempt>`")
    question_id: str = Field(description="As in `Docs_00000003_I`.")
    attempt: int = Field(description="1-based.")
    pair: PairVerdict
    entry_points: list[str] = Field(description="Names that the tests import from the solution and use.")
    controls: list[Control] = Field(description="Empty where the attempt did not pass, or none were asked for.")
    sandbox_s: float = Field(description="Wall time of all its runs, controls and re-runs included.")


class Solution(Row):
    """A solution that a solver wrote knowing the question alone."""

    solution_id: str = Field(description="`<question_id>/solver/<number>`")
    question_id: str = Field(description="As in `Docs_00000003_I`.")
    number: int = Field(description="1-based.")
    solution: str = Field(description="solution.py.")
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
    reason: str = Field(description="One sentence: why this verdict, or why none.")


class CrossCheck(Row):
    """Every solution of a question under the tests of every attempt."""

    question_id: str = Field(description="As in `Docs_00000003_I`.")
    peers: list[Peer]
    cells: list[Cell]
    sandbox_s: float = Field(description="Wall time of all its runs, seconds.")


class Mutant(Row):
    """A small change of a solution: what stood on a line, and what was put there."""

    line: int = Field(description="1-based, of the solution.")
    operator: str = Field(description="The kind of change.")
    before: str = Field(description="The code that stood there.")
    after: str = Field(description="The code in its place.")


class Mutation(Row):
    """What the tests of an attempt make of mutants of its solution.

    ``score`` counts as caught what fails and what does not end. Mutants that compile to the same bytecode as the
    solution are not counted.
    """

    made: int = Field(description="Mutants that there are.")
    run: int = Field(description="Those that were run: a sample, within a budget of count and time.")
    killed: int = Field(description="Mutants that a test failed on.")
    timed_out: int = Field(description="Mutants that did not end.")
    survivors: list[Mutant]

    @property
    def score(self) -> float | None:
        """Share of the mutants run that the tests caught; None where none was run."""
        return (self.killed + self.timed_out) / self.run if self.run else None


class Audit(Row):
    """What was found out about the tests of a passed attempt beyond its verdict."""

    attempt_id: str = Field(description="`<question_id>/<attempt>`")
    question_id: str = Field(description="As in `Docs_00000003_I`.")
    attempt: int = Field(description="1-based.")
    mutation: Mutation
    sandbox_s: float = Field(description="Wall time of all its runs, seconds.")
