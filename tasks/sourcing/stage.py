"""The tasks of sourcing: seeds into groups, groups into questions."""

from __future__ import annotations

from functools import partial
from itertools import count

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.artifacts import Outcome, Receipt, batches
from tasks.models import Question, SeedGroup, Subset
from tasks.run import Run, StageName, wire_settings
from tasks.settings import fingerprint
from tasks.shards import RETRIES, report
from tasks.sourcing.catalogue import CATALOGUE, read_seeds
from tasks.sourcing.groups import seed_groups
from tasks.sourcing.questions import question_request, read_question
from tasks.teachers.clients import shared_client


@task(task_run_name="seeds of {subset.value}", cache_policy=NO_CACHE, **RETRIES)
def collect_seeds(run: Run, subset: Subset, first: int) -> list[Receipt]:
    """Read the seeds of a subset and write them as shards of groups, numbered from ``first``."""
    options = run.config.subsets[subset]
    seeds = read_seeds(subset, options.seeds)
    groups = seed_groups(subset, seeds, options.count, CATALOGUE[subset].seeds_per_prompt, run.config.seed)
    stage = run.stage(StageName.SEEDS)
    receipts = []
    for number, batch in zip(count(first), batches(groups, run.config.shard_size), strict=False):
        key = fingerprint([group.model_dump(mode="json") for group in batch])
        outcome = Outcome(rows_in=len(batch), rows=batch)
        receipts.append(report(stage.run_shard(f"part-{number:05d}", SeedGroup, [key], partial(_same, outcome))))
    return receipts


def _same(outcome: Outcome) -> Outcome:
    return outcome


def collect_all_seeds(run: Run) -> list[Receipt]:
    """The seed shards of all selected subsets; a shard holds one subset."""
    receipts: list[Receipt] = []
    for subset in run.config.selected:
        receipts += collect_seeds(run, subset, len(receipts))
    return receipts


@task(task_run_name="questions {seeds.name}", cache_policy=NO_CACHE, **RETRIES)
def write_questions(run: Run, seeds: Receipt) -> Receipt:
    """Ask the author for one question per group of a shard."""
    groups = run.stage(StageName.SEEDS).rows(seeds.name, SeedGroup)
    requests = [question_request(group, run) for group in groups]

    def work() -> Outcome:
        client = shared_client(run.teachers.author, run.cache_path)
        answers = client.ask_all(requests, run.purpose(StageName.QUESTIONS))
        read = [read_question(group, answer, run) for group, answer in zip(groups, answers, strict=True)]
        return Outcome.of(read)

    # The requests themselves decide: a changed prompt or parameter asks anew, an unchanged one does not.
    keys = [request.key(run.teachers.author) for request in requests]
    depends_on = [seeds, fingerprint(keys), wire_settings(run.teachers.author)]
    return report(run.stage(StageName.QUESTIONS).run_shard(seeds.name, Question, depends_on, work))
