"""Seeds to questions: which seeds go into which prompt, and what the teacher made of them."""

from __future__ import annotations

from prefect import flow

from flows.chains import Chain, run_chains
from flows.progress import stage_progress
from tasks.artifacts import Receipt
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tasks.sourcing.stage import collect_all_seeds, write_questions
from tasks.teachers.endpoints import managed


@flow(name="source-questions", flow_run_name="source {config.run}")
def source_questions(config: BuildConfig) -> list[Receipt]:
    """Make the questions of every selected subset."""
    with managed(config.teachers) as teachers:
        run = Run(config=config, teachers=teachers)
        seeds = collect_all_seeds(run)
        run.finish(StageName.SEEDS, seeds)

        def chain(shard: Receipt) -> Chain:
            yield write_questions.submit(run, shard)

        with stage_progress(StageName.QUESTIONS, len(seeds)) as progress:
            questions = run_chains([chain(shard) for shard in seeds], config.shards_in_flight, progress)
        run.finish(StageName.QUESTIONS, questions)
    return questions
