"""Mutants of solutions under their own tests, in the sandbox."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tasks.execution.mutation.mutants import Made, mutants
from tasks.execution.pool import Look, SandboxPool
from tasks.execution.tiers import forging_means
from tasks.models import Attempt, AttemptVerdict, Audit, Coverage, Mutation, Pair, PairVerdict, Verdict
from tasks.settings import Effort, TierChoice

_LEAST_WALL_S = 1.0
_TIMES_WALL = 5
"""A mutant that takes so many times as long as the solution is taken not to end."""


def candidates(verdicts: Sequence[AttemptVerdict], most: int) -> list[AttemptVerdict]:
    """The passed attempts of one question that are audited: the best covered, the earliest of equal ones."""

    def covered(verdict: AttemptVerdict) -> tuple[float, float, int]:
        found = verdict.pair.coverage or Coverage(statements=1, statements_hit=0, branches=1, branches_hit=0)
        return (-found.branch_share, -found.statement_share, verdict.attempt)

    return sorted((one for one in verdicts if one.pair.verdict is Verdict.PASSED), key=covered)[:most]


@dataclass
class _Trial:
    """An attempt whose mutants are being run."""

    attempt: Attempt
    wall_s: float
    tier: TierChoice | None
    made: int
    waiting: Sequence[Made]
    verdicts: list[PairVerdict] = field(default_factory=list)

    @property
    def spent_s(self) -> float:
        return sum(found.sandbox_s for found in self.verdicts)


def audit_tests(
    attempts: Sequence[tuple[Attempt, AttemptVerdict]], pool: SandboxPool, effort: Effort, seed: int
) -> list[Audit]:
    """Run mutants of each passed attempt's solution under its tests, until they or the time for them are used up.

    Args:
        seed: of the sample, where there are more mutants than ``effort.mutants``.

    Raises:
        SandboxUnavailable: the sandbox failed.
    """
    trials = []
    for attempt, verdict in attempts:
        made, sample = mutants(attempt.solution, effort.mutants, seed)
        random.Random(seed).shuffle(sample)  # noqa: S311 - where the time ends, no part of the solution is left out
        wall_s = min(pool.settings.wall_s, max(_LEAST_WALL_S, _TIMES_WALL * verdict.pair.wall_s))
        # A mutant has no verdict to forge, and runs faster in one process with its tests, where the sandbox lets it.
        tier = None if forging_means(attempt.solution) else TierChoice.SHARED
        trials.append(_Trial(attempt, wall_s, tier, made, sample))
    sent: list[_Trial] = []

    def jobs() -> Iterator[tuple[Pair, Look]]:
        for trial in trials:
            for number, mutant in enumerate(trial.waiting):
                if trial.spent_s >= effort.mutation_s:
                    break
                sent.append(trial)
                yield (
                    Pair(id=f"{trial.attempt.attempt_id}~{number}", solution=mutant.source, test=trial.attempt.test),
                    Look(first_failure=True, wall_s=trial.wall_s, tier=trial.tier),
                )

    for number, found in enumerate(pool.run_each(jobs())):
        sent[number].verdicts.append(found)
    return [_audit(trial) for trial in trials]


def _audit(trial: _Trial) -> Audit:
    outcomes = [found.verdict for found in trial.verdicts]
    ran = zip(trial.waiting, outcomes, strict=False)  # the time may have ended before the mutants
    survivors = sorted((made.mutant for made, outcome in ran if outcome is Verdict.PASSED), key=lambda one: one.line)
    timed_out = outcomes.count(Verdict.TIMEOUT)
    return Audit(
        attempt_id=trial.attempt.attempt_id,
        question_id=trial.attempt.question_id,
        attempt=trial.attempt.attempt,
        mutation=Mutation(
            made=trial.made,
            run=len(outcomes),
            killed=len(outcomes) - timed_out - len(survivors),
            timed_out=timed_out,
            survivors=survivors,
        ),
        sandbox_s=trial.spent_s,
    )
