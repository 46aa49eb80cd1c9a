"""Questions to labelled triplets: up to ``n`` attempts, each executed; compared, mended, audited; then labelled."""

from __future__ import annotations

from flows.orchestration.chains import Chain
from flows.orchestration.engines import on_engine
from flows.orchestration.hooks import flow
from flows.orchestration.parts import run_shards
from flows.orchestration.progress import stage_progress
from flows.orchestration.run_flows import named, writes_run
from flows.orchestration.shown import show_verification
from tasks.artifacts import Receipt
from tasks.execution.stage import audit_attempts, cross_check, execute_attempts
from tasks.labeling.stage import label_triplets, mend_attempts
from tasks.rounds import Rounds
from tasks.run import Run, StageName
from tasks.settings import BuildConfig, Mending
from tasks.teachers.endpoints import managed
from tasks.teachers.stage import generate_attempts, solve_questions

_WAYS = {Mending.NONE: [], Mending.DROP: [Mending.DROP], Mending.REWRITE: [Mending.DROP, Mending.REWRITE]}


def verify_shard(run: Run, shard: Receipt) -> Chain[Receipt]:
    """All tasks of a shard of questions."""
    rules, effort = run.config.verification, run.config.verification.effort
    rounds = Rounds()
    for number in range(1, rules.attempts + 1):
        attempts = yield generate_attempts.submit(run, shard, number, rounds)
        if not attempts.rows_in:  # every question is settled
            break
        verdicts = yield execute_attempts.submit(run, attempts)
        rounds = rounds.after(attempts=attempts, verdicts=verdicts)
    if not rounds.attempts:  # every question was rejected
        yield label_triplets.submit(run, shard, rounds)
        return
    if effort.solver_tries:
        rounds = rounds.after(solutions=(yield solve_questions.submit(run, shard, rounds)))
    if effort.cross_checks:
        rounds = rounds.after(crosschecks=(yield cross_check.submit(run, shard, rounds, rounds.attempts)))
    for way in _WAYS[effort.mending]:
        mended = yield mend_attempts.submit(run, shard, rounds, way)
        if mended.rows_out:
            rounds = rounds.after(mended=mended, verdicts=(yield execute_attempts.submit(run, mended)))
            rounds = rounds.after(crosschecks=(yield cross_check.submit(run, shard, rounds, [mended])))
    if effort.mutants:
        rounds = rounds.after(audits=(yield audit_attempts.submit(run, shard, rounds)))
    yield label_triplets.submit(run, shard, rounds)


@flow(name="verify-triplets", flow_run_name=named("verify"))
@writes_run
@on_engine
def verify_triplets(config: BuildConfig) -> list[Receipt]:
    """Verify the questions of a run: each round asks one more attempt for those that are not settled.

    Args:
        config: that of a run whose questions are made.
    """
    with managed(config.teachers) as teachers:
        run = Run(config=config, teachers=teachers)
        questions = run.receipts(StageName.QUESTIONS)
        with stage_progress(StageName.TRIPLETS, len(questions)) as progress:
            receipts = run_shards(config, [verify_shard(run, shard) for shard in questions], progress)
        for stage in (
            StageName.ATTEMPTS,
            StageName.VERDICTS,
            StageName.SOLUTIONS,
            StageName.CROSSCHECKS,
            StageName.AUDITS,
            StageName.TRIPLETS,
        ):
            run.finish(stage, [receipt for receipt in receipts if receipt.stage == stage])
        show_verification(run)
    return receipts
