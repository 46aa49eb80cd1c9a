"""Questions to labelled triplets: generate, execute, up to ``n`` attempts, then choose and label."""

from __future__ import annotations

from prefect import flow

from flows.chains import Chain, run_chains
from flows.progress import stage_progress
from tasks.artifacts import Receipt
from tasks.execution.stage import execute_attempts
from tasks.labeling.stage import label_triplets
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tasks.teachers.endpoints import managed
from tasks.teachers.stage import generate_attempts


@flow(name="verify-triplets", flow_run_name="verify {config.run}")
def verify_triplets(config: BuildConfig) -> list[Receipt]:
    """Verify the questions of a run: each round asks one more attempt for those that are not settled."""
    with managed(config.teachers) as teachers:
        run = Run(config=config, teachers=teachers)
        questions = run.receipts(StageName.QUESTIONS)

        def chain(shard: Receipt) -> Chain:
            attempts: list[Receipt] = []
            verdicts: list[Receipt] = []
            for number in range(1, config.verification.attempts + 1):
                attempts.append((yield generate_attempts.submit(run, shard, number, verdicts)))
                verdicts.append((yield execute_attempts.submit(run, attempts[-1])))
            yield label_triplets.submit(run, shard, attempts, verdicts)

        with stage_progress(StageName.TRIPLETS, len(questions)) as progress:
            receipts = run_chains([chain(shard) for shard in questions], config.shards_in_flight, progress)
        for stage in (StageName.ATTEMPTS, StageName.VERDICTS, StageName.TRIPLETS):
            run.finish(stage, [receipt for receipt in receipts if receipt.stage == stage])
    return receipts
