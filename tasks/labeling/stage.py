"""The shard task of labelling: questions, attempts and verdicts in, labelled triplets out."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.artifacts import Outcome, Receipt
from tasks.labeling.triplets import collect_tries, label
from tasks.models import Attempt, AttemptVerdict, Question, Triplet
from tasks.run import Run, StageName
from tasks.shards import RETRIES, report


@task(task_run_name="label {questions.name}", cache_policy=NO_CACHE, **RETRIES)
def label_triplets(
    run: Run,
    questions: Receipt,
    attempts: Sequence[Receipt],
    verdicts: Sequence[Receipt],
) -> Receipt:
    """Label one shard of questions.

    Args:
        attempts: receipts of the shard's attempts, one per round; ``verdicts`` likewise.
    """
    rules = run.config.verification

    def work() -> Outcome:
        asked = run.stage(StageName.QUESTIONS).rows(questions.name, Question)
        made = [row for part in attempts for row in run.stage(StageName.ATTEMPTS).rows(part.name, Attempt)]
        judged = [row for part in verdicts for row in run.stage(StageName.VERDICTS).rows(part.name, AttemptVerdict)]
        unusable = {
            reject.id: reject for part in attempts for reject in run.stage(StageName.ATTEMPTS).rejects(part.name)
        }
        tries = collect_tries(made, judged, unusable)
        return Outcome.of([label(row, tries[row.question_id], rules) for row in asked])

    depends_on = [rules, questions, *attempts, *verdicts]
    return report(run.stage(StageName.TRIPLETS).run_shard(questions.name, Triplet, depends_on, work))
