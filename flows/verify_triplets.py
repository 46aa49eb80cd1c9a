"""Questions to labelled triplets: up to ``n`` attempts, each executed; compared, mended, audited; then labelled."""

from __future__ import annotations

from prefect import flow

from flows.chains import Chain, run_chains
from flows.progress import stage_progress
from tasks.artifacts import Receipt
from tasks.execution.stage import audit_attempts, cross_check, execute_attempts
from tasks.labeling.stage import label_triplets, mend_attempts
from tasks.rounds import Rounds
from tasks.run import Run, StageName
from tasks.settings import BuildConfig, Mending
from tasks.teachers.endpoints import managed
from tasks.teachers.stage import generate_attempts, solve_questions

_WAYS = {Mending.NONE: [], Mending.DROP: [Mending.DROP], Mending.REWRITE: [Mending.DROP, Mending.REWRITE]}


@flow(name="verify-triplets", flow_run_name="verify {config.run}")
def verify_triplets(config: BuildConfig) -> list[Receipt]:
    """Verify the questions of a run: each round asks one more attempt for those that are not settled."""
    with managed(config.teachers) as teachers:
        run = Run(config=config, teachers=teachers)
        rules, effort = config.verification, config.verification.effort
        questions = run.receipts(StageName.QUESTIONS)

        def chain(shard: Receipt) -> Chain[Receipt]:
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

        with stage_progress(StageName.TRIPLETS, len(questions)) as progress:
            receipts = run_chains([chain(shard) for shard in questions], config.shards_in_flight, progress)
        for stage in (
            StageName.ATTEMPTS,
            StageName.VERDICTS,
            StageName.SOLUTIONS,
            StageName.CROSSCHECKS,
            StageName.AUDITS,
            StageName.TRIPLETS,
        ):
            run.finish(stage, [receipt for receipt in receipts if receipt.stage == stage])
    return receipts
