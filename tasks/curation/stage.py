"""The tasks of curation: duplicates over all triplets, then one shard of decisions at a time."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.artifacts import Outcome, Receipt
from tasks.curation.contamination import human_eval_index
from tasks.curation.decisions import curate
from tasks.curation.dedup import Candidate, find_duplicates
from tasks.models import DuplicateDecision, ReleaseRow, Triplet
from tasks.run import Run, StageName
from tasks.shards import RETRIES, report

ALL = "part-00000"


@task(task_run_name="find duplicates", cache_policy=NO_CACHE, **RETRIES)
def find_run_duplicates(run: Run, triplets: Sequence[Receipt]) -> Receipt:
    """Compare the questions of the whole run; one shard of decisions, a row per triplet."""
    rules = run.config.curation

    def work() -> Outcome:
        candidates = [
            Candidate(
                question_id=row["question_id"],
                text=row["metadata"]["original_instruction"],
                quality=(row["gpt_pass_percentage"], row["branch_coverage"] or 0.0, len(row["test_info"])),
            )
            for part in triplets
            for row in run.stage(StageName.TRIPLETS)
            .table(part.name, ["question_id", "metadata", "gpt_pass_percentage", "branch_coverage", "test_info"])
            .to_pylist()
        ]
        decisions = find_duplicates(candidates, rules.near_duplicate_jaccard, rules.permutations)
        return Outcome(rows_in=len(candidates), rows=decisions)

    depends_on = [rules.near_duplicate_jaccard, rules.permutations, *triplets]
    return report(run.stage(StageName.DUPLICATES).run_shard(ALL, DuplicateDecision, depends_on, work))


@task(task_run_name="curate {triplets.name}", cache_policy=NO_CACHE, **RETRIES)
def curate_shard(run: Run, triplets: Receipt, duplicates: Receipt) -> Receipt:
    """Decide on one shard of triplets: train, use with caution, or out."""
    rules = run.config.curation

    def work() -> Outcome:
        rows = run.stage(StageName.TRIPLETS).rows(triplets.name, Triplet)
        decisions = run.stage(StageName.DUPLICATES).rows(duplicates.name, DuplicateDecision)
        return Outcome.of(curate(rows, decisions, human_eval_index(rules.ngram), rules.reject_above))

    return report(
        run.stage(StageName.CURATED).run_shard(triplets.name, ReleaseRow, [rules, triplets, duplicates], work)
    )
