"""The task of execution: each attempt is judged in the sandbox, and each pass is put to its negative control."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.artifacts import Outcome, Receipt
from tasks.execution.expected import entry_points
from tasks.execution.pool import SandboxPool, shared_pool
from tasks.execution.slots import resolve_backend
from tasks.execution.stubs import stub
from tasks.execution.verify import shareable_sandbox
from tasks.models import Attempt, AttemptVerdict, Pair, Verdict
from tasks.run import Run, StageName
from tasks.shards import RETRIES, report


@task(task_run_name="execute {attempts.name}", cache_policy=NO_CACHE, **RETRIES)
def execute_attempts(run: Run, attempts: Receipt) -> Receipt:
    """Judge one shard of attempts. Every attempt gets a verdict; none is rejected here."""
    sandbox, rules = run.config.sandbox, run.config.verification

    def work() -> Outcome:
        rows = run.stage(StageName.ATTEMPTS).rows(attempts.name, Attempt)
        return Outcome.of(judge_attempts(rows, shared_pool(sandbox), sandbox.coverage, rules.negative_control))

    depends_on = [attempts, shareable_sandbox(sandbox), resolve_backend(sandbox).value, rules.negative_control]
    return report(run.stage(StageName.VERDICTS).run_shard(attempts.name, AttemptVerdict, depends_on, work))


def judge_attempts(
    attempts: list[Attempt], pool: SandboxPool, coverage: bool, negative_control: bool
) -> list[AttemptVerdict]:
    """Verdicts in the order of the attempts.

    The negative control runs the tests of every pass against a stub of its solution: where they pass again, they
    are vacuous or the pass was forged.
    """
    pairs = [Pair(id=row.attempt_id, solution=row.solution, test=row.test) for row in attempts]
    verdicts = pool.run_all(pairs, coverage=coverage)
    passed = [
        pair
        for pair, verdict in zip(pairs, verdicts, strict=True)
        if negative_control and verdict.verdict is Verdict.PASSED
    ]
    stubbed = [pair.model_copy(update={"solution": stub(pair.solution)}) for pair in passed]
    controls = {control.id: control.verdict for control in pool.run_all(stubbed, coverage=False)}
    return [
        AttemptVerdict(
            attempt_id=row.attempt_id,
            question_id=row.question_id,
            attempt=row.attempt,
            pair=verdict,
            entry_points=entry_points(row.test),
            control=controls.get(row.attempt_id),
        )
        for row, verdict in zip(attempts, verdicts, strict=True)
    ]
