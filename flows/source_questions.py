"""Seeds to questions: which seeds go into which prompt, and what the teachers made of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import zip_longest

from prefect.logging import get_run_logger

from flows.orchestration.chains import Chain, run_chains
from flows.orchestration.engines import on_engine
from flows.orchestration.hooks import flow
from flows.orchestration.progress import stage_progress
from flows.orchestration.run_flows import named, writes_run
from flows.orchestration.shown import show_sourcing
from tasks.artifacts import Receipt
from tasks.licences.decision import check_prompts
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tasks.sourcing.diversity import Repetition
from tasks.sourcing.stage import collect_all_seeds, write_questions
from tasks.teachers.endpoints import managed

_FEWEST = 50
"""Questions of which a share of repetitions says something."""


@flow(name="source-questions", flow_run_name=named("source"))
@writes_run
@on_engine
def source_questions(config: BuildConfig) -> list[Receipt]:
    """Make the questions of every selected subset.

    Shards are asked in waves of ``diversity.look_every`` per subset. Between two, each subset is looked at, and one
    that repeats itself asks no more.

    Args:
        config: that of the run; its subsets, teachers and limits are used.

    Raises:
        BadInput: the seeds cannot be used, or what is made of them may not be published by ``release.licensing``.
    """
    with managed(config.teachers) as teachers:
        run = Run(config=config, teachers=teachers)
        prompts = collect_all_seeds(run)
        check_prompts(run, [shard for shards in prompts.values() for shard in shards])
        watches = {subset: Watch(run, subset) for subset in prompts}

        def chain(subset: str, shard: Receipt) -> Chain[Receipt]:
            yield write_questions.submit(run, shard, watches[subset].saturated)

        questions: list[Receipt] = []
        with stage_progress(StageName.QUESTIONS, sum(map(len, prompts.values()))) as progress:
            for wave in waves(prompts, config.diversity.look_every):
                chains = [chain(subset, shard) for subset, shards in wave.items() for shard in shards]
                receipts = run_chains(chains, config.shards_in_flight, partial(_advance, progress, len(questions)))
                questions += receipts
                for subset, shards in wave.items():
                    names = {shard.name for shard in shards}
                    watches[subset].look([receipt for receipt in receipts if receipt.name in names])
        run.finish(StageName.QUESTIONS, sorted(questions, key=lambda receipt: receipt.name))
        show_sourcing(run)
    return questions


def _advance(progress: Callable[[int], None], before: int, ended: int) -> None:
    progress(before + ended)


def waves(shards: dict[str, list[Receipt]], size: int) -> list[dict[str, list[Receipt]]]:
    """The shards of each subset in groups of ``size``, the first of every subset together, then the second."""
    cut = [
        [(subset, part[start : start + size]) for start in range(0, len(part), size)] for subset, part in shards.items()
    ]
    return [dict(filter(None, wave)) for wave in zip_longest(*cut)]


class Watch:
    """Whether a subset repeats itself; ``saturated`` says why it asks no more, and is empty while it does."""

    def __init__(self, run: Run, subset: str) -> None:
        self._run, self._subset, self.saturated = run, subset, ""
        self._new: list[str] = []
        self._seen = Repetition(run.config.diversity.near_duplicate_jaccard)

    def look(self, receipts: list[Receipt]) -> None:
        """Take in the questions of a wave and decide."""
        stage, rules = self._run.stage(StageName.QUESTIONS), self._run.config.diversity
        if self.saturated:
            return
        tables = (stage.table(receipt, ["question"]) for receipt in receipts)
        self._new += [str(text) for table in tables for text in table["question"].to_pylist()]
        if len(self._new) < _FEWEST:
            return
        new, self._new = self._new, []
        share = self._seen.share(new)
        if rules.stop_at_share < 1 and share >= rules.stop_at_share:
            self.saturated = (
                f"{share:.0%} of the latest {len(new)} questions of {self._subset} repeat earlier ones "
                f"(diversity.stop_at_share is {rules.stop_at_share:.0%})"
            )
            get_run_logger().warning("%s asks no more: %s", self._subset, self.saturated)
