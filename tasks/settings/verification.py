"""Attempts at a question, what is found out about each, and what it must prove."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import ConfigDict, Field, model_validator

from tasks.settings.section import Section, with_usual


class Policy(StrEnum):
    """`fixed`: all attempts at every question, as KodCode. `adaptive`: no more once the label is settled."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"


class Rigour(StrEnum):
    """How much is paid for trust in the tests; each level does what the ones before it do, and more."""

    FAST = "fast"
    STANDARD = "standard"
    AUDIT = "audit"


class Mending(StrEnum):
    """What becomes of tests that the consensus of solutions rejects, where no attempt at a question stands.

    `drop` leaves them out; `rewrite` has the author write them anew where too little is left. Both are verified again,
    and must not lower the coverage.
    """

    NONE = "none"
    DROP = "drop"
    REWRITE = "rewrite"


def _nothing_required(schema: dict[str, Any]) -> None:
    """A form need not give what the rigour gives."""
    schema.pop("required", None)


def _without_bounds(schema: dict[str, Any]) -> None:
    """A form must not send a bound that nobody gave, nor name one that is not the gate's own."""
    for field in schema["properties"].values():
        field.pop("default", None)


class Effort(Section):
    """What is run. A value that is left out is that of the rigour."""

    model_config = ConfigDict(json_schema_extra=_nothing_required)

    reruns: int = Field(ge=0, le=20, description="Runs of each pass under another hash seed, order, clock and chance.")
    stubs: int = Field(ge=0, le=5, description="Stubs that the tests of a pass must fail against.")
    mutants: int = Field(ge=0, le=1000, description="Mutants of a solution put to its tests, at most.")
    mutation_s: float = Field(
        gt=0, le=3600, description="Sandbox time for the mutants of one attempt, seconds; five are run in any case."
    )
    candidates: int = Field(ge=1, le=100, description="Attempts of a question whose mutants are run: the best covered.")
    cross_checks: bool = Field(description="Run every solution of a question under the tests of every attempt.")
    solver_tries: int = Field(
        ge=0, le=100, description="Solutions by the solver, which sees no tests; needs cross_checks."
    )
    mending: Mending = Field(description="What becomes of tests that most solutions reject.")


EFFORTS: dict[Rigour, Effort] = {
    Rigour.FAST: Effort(
        reruns=0,
        stubs=1,
        mutants=0,
        mutation_s=1,
        candidates=1,
        cross_checks=False,
        solver_tries=0,
        mending=Mending.NONE,
    ),
    Rigour.STANDARD: Effort(
        reruns=2,
        stubs=5,
        mutants=20,
        mutation_s=10,
        candidates=3,
        cross_checks=True,
        solver_tries=0,
        mending=Mending.DROP,
    ),
    Rigour.AUDIT: Effort(
        reruns=5,
        stubs=5,
        mutants=100,
        mutation_s=60,
        candidates=100,
        cross_checks=True,
        solver_tries=4,
        mending=Mending.REWRITE,
    ),
}


class Gate(Section):
    """Bounds on something measured, of which more is better. 0 bounds nothing."""

    model_config = ConfigDict(json_schema_extra=_without_bounds)

    reject_below: float = Field(0.0, ge=0, description="Below it the attempt is rejected.")
    caution_below: float = Field(0.0, ge=0, description="Below it the row goes to `use_with_caution`.")


class Gates(Section):
    """What an attempt must prove. All is measured and stored; the bounds can be changed afterwards, which runs
    nothing again but the labelling."""

    stubs_caught: Gate = Field(Gate(reject_below=1.0), description="Share of the stubs that the tests fail against.")
    statement_coverage: Gate = Field(
        Gate(reject_below=0.5, caution_below=0.8), description="Of the solution under its tests."
    )
    branch_coverage: Gate = Field(Gate(reject_below=0.5, caution_below=0.8), description="The same for branches.")
    mutation_score: Gate = Field(
        Gate(reject_below=0.3, caution_below=0.6), description="Share of the mutants that the tests catch."
    )
    tests: Gate = Field(
        Gate(reject_below=1, caution_below=2),
        description="Tests that repeat no other, each set of parameters counted.",
    )
    asserts_per_test: Gate = Field(Gate(caution_below=1), description="Asserts that can fail, per test.")
    distinct_tests: Gate = Field(
        Gate(reject_below=0.3, caution_below=0.7), description="Share of the tests that repeat no other."
    )
    telling_asserts: Gate = Field(
        Gate(reject_below=0.3, caution_below=0.9),
        description="Share of the asserts that can fail at all.",
    )
    own_oracle: Gate = Field(
        Gate(caution_below=1), description="1 where the tests hold no copy of the implementation, else 0."
    )
    agreement: Gate = Field(
        Gate(reject_below=1.0), description="Share of the attempt's tests that the consensus of solutions passes."
    )
    support: Gate = Field(
        Gate(caution_below=0.5), description="Share of the other attempts whose tests accept the solution."
    )
    reference: Gate = Field(Gate(), description="Share of the seeds' own solutions that pass the tests.")

    @model_validator(mode="before")
    @classmethod
    def _other_bound_stays(cls, values: Any) -> Any:
        """Who gives one bound of a gate leaves the other as it is."""
        return with_usual(cls, values)


class Verification(Section):
    """Attempts and what a passing one must prove."""

    attempts: int = Field(10, ge=1, le=100, description="Solution-and-test pairs per question, at most.")
    policy: Policy = Field(Policy.FIXED, description="Whether every question gets all of them.")
    least_attempts: int = Field(3, ge=1, le=100, description="`adaptive`: so many in any case.")
    confidence: float = Field(
        0.9, gt=0.5, lt=1, description="`adaptive`: the label counts as settled when it is as sure as this."
    )
    mean_attempts: float | None = Field(
        None,
        ge=1,
        description="`adaptive`: attempts per question that a shard may spend on average; what settled questions leave "
        "goes to the others, those with the fewest passes first. Empty: no cap but `attempts`.",
    )
    stop_after_passes: int | None = Field(None, ge=1, description="Stop asking once so many attempts passed.")
    rigour: Rigour = Field(Rigour.STANDARD, description="What is run to find out about the tests.")
    effort: Effort = Field(EFFORTS[Rigour.STANDARD], description="Single values other than the rigour's.")
    gates: Gates = Gates()

    @model_validator(mode="before")
    @classmethod
    def _effort_of_the_rigour(cls, values: Any) -> Any:
        """Fill in what of the effort is not given."""
        if not isinstance(values, dict):
            return values
        rigour, given = values.get("rigour", Rigour.STANDARD), values.get("effort", {})
        if isinstance(rigour, str) and rigour in set(Rigour) and isinstance(given, dict):
            return {**values, "effort": {**EFFORTS[Rigour(rigour)].model_dump(), **given}}
        return values

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.effort.solver_tries and not self.effort.cross_checks:
            raise ValueError(
                f"effort.solver_tries is {self.effort.solver_tries} and effort.cross_checks is off, which would run "
                f"none of the solver's solutions. Set cross_checks, or solver_tries to 0"
            )
        if self.effort.mending is not Mending.NONE and not self.effort.cross_checks:
            raise ValueError(
                f"effort.mending is {self.effort.mending} and effort.cross_checks is off, which finds no wrong test. "
                f"Set cross_checks, or mending to none"
            )
        least = min(self.least_attempts, self.attempts)
        if self.mean_attempts is not None and self.mean_attempts < least:
            raise ValueError(
                f"mean_attempts is {self.mean_attempts:g} and every question gets {least} attempts in any case. Set it "
                f"higher, or least_attempts lower"
            )
        return self
