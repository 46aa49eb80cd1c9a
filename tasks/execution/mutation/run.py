"""Mutants of solutions under their own tests, in the sandbox."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from tasks.acceptance import holds
from tasks.execution.mutation.mutants import Made, mutants
from tasks.execution.pool import Look, SandboxPool
from tasks.models import Attempt, AttemptVerdict, Audit, Coverage, Mutation, Pair, PairVerdict, Verdict
from tasks.settings import Effort, TierChoice

_LEAST_WALL_S = 1.0
_LEAST_RUN = 5
"""Of fewer mutants a score would say more of how fast this machine is than of the tests."""
_TIMES_WALL = 5
"""A mutant that takes so many times as long as the solution is taken not to end."""


def candidates(
    verdicts: Sequence[AttemptVerdict], most: int, disputed: Collection[str] = frozenset()
) -> list[AttemptVerdict]:
    """The passed attempts of one question that are audited: those that stubs and the other solutions say nothing
    against, then the best covered, the earliest of equal ones. Gates have no say: to change one must run nothing.

    Args:
        disputed: ids of attempts whose tests the consensus rejects.
    """

    def doubt(verdict: AttemptVerdict) -> tuple[bool, float, float, int]:
        found = verdict.pair.coverage or Coverage(statements=1, statements_hit=0, branches=1, branches_hit=0)
        doubtful = not holds(verdict) or verdict.attempt_id in disputed
        return (doubtful, -found.branch_share, -found.statement_share, verdict.attempt)

    return sorted((one for one in verdicts if one.pair.verdict is Verdict.PASSED), key=doubt)[:most]


def _tiers(attempts: Sequence[tuple[Attempt, AttemptVerdict]], pool: SandboxPool) -> list[TierChoice | None]:
    """Where the mutants of each attempt run: in one process with their tests, which is faster, if the solution passes
    there.

    One that fails there, because it looks for its tests say, would seem to have all its mutants caught.
    """
    pairs = [Pair(id=one.attempt_id, solution=one.solution, test=one.test) for one, _ in attempts]
    found = pool.run_all(pairs, Look(tier=TierChoice.SHARED))
    return [TierChoice.SHARED if one.verdict is Verdict.PASSED else None for one in found]


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
    """Run mutants of each passed attempt's solution under its tests, until they or the time for them are used up; a
    few in any case.

    Args:
        seed: of the sample, where there are more mutants than ``effort.mutants``.

    Raises:
        SandboxUnavailable: the sandbox failed.
    """
    trials = []
    for (attempt, verdict), tier in zip(attempts, _tiers(attempts, pool), strict=True):
        made, sample = mutants(attempt.solution, effort.mutants, seed)
        random.Random(seed).shuffle(sample)  # noqa: S311 - where the time ends, no part of the solution is left out
        wall_s = min(pool.settings.wall_s, max(_LEAST_WALL_S, _TIMES_WALL * verdict.pair.wall_s))
        trials.append(_Trial(attempt, wall_s, tier, made, sample))
    sent: list[_Trial] = []

    def jobs() -> Iterator[tuple[Pair, Look]]:
        for trial in trials:
            for number, mutant in enumerate(trial.waiting):
                if number >= _LEAST_RUN and trial.spent_s >= effort.mutation_s:
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
