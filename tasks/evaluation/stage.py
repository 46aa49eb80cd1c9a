"""The tasks of an evaluation: items are read, asked, judged.

Their shards lie in ``<store>/<run>/<benchmark>-<model>/{items,answers,verdicts}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from pydantic import BaseModel, ConfigDict

from tasks.artifacts import Outcome, Receipt, Stage, batches
from tasks.evaluation.asking import read_answer, request
from tasks.evaluation.checking import CheckedItem, check
from tasks.evaluation.items import fed_back_ids, left_out, missing_libraries, read_items
from tasks.evaluation.judging import judge
from tasks.evaluation.result import JudgedShard
from tasks.execution.pool import shared_pool
from tasks.execution.slots import resolve_backend
from tasks.execution.verify import shareable_sandbox
from tasks.extraction.code import extraction_digest
from tasks.models import EvalAnswer, EvalItem, EvalVerdict, Reject
from tasks.run import Purpose, account_of, answers_path, wire_settings
from tasks.settings import Endpoint, EvaluationConfig, fingerprint
from tasks.shards import SANDBOX, TEACHER, shard_task
from tasks.store import Store
from tasks.teachers.clients import shared_client

ITEMS, ANSWERS, VERDICTS, CHECKS = "items", "answers", "verdicts", "checks"
ROLE = "evaluation.model"
"""What the model is called in messages."""


class EvaluationRun(BaseModel):
    """What a shard task needs to know. ``model`` has the URL of an endpoint that was started for the run."""

    model_config = ConfigDict(frozen=True)

    config: EvaluationConfig
    model: Endpoint | None = None

    @property
    def store(self) -> Store:
        return Store.of(self.config)

    @property
    def name(self) -> str:
        """Its folder within the store."""
        return f"{self.config.run}/{self.config.title}"

    def stage(self, name: str) -> Stage:
        return Stage(self.store, self.name, name)

    def finish(self, name: str, receipts: list[Receipt]) -> None:
        self.stage(name).finish(receipts, fingerprint(self.config.evaluation, self.config.seed))

    @property
    def purpose(self) -> Purpose:
        """What calls are booked on."""
        return Purpose(run=account_of(self.config.store, self.name), stage="evaluation", budget=self.config.budget)

    @property
    def box(self) -> list[object]:
        """What of the sandbox verdicts depend on."""
        sandbox = self.config.sandbox
        return [shareable_sandbox(sandbox), resolve_backend(sandbox).value]

    def judged(self, shards: Iterable[Receipt]) -> Iterator[JudgedShard]:
        """Finished shards, by their receipts of any stage, one in memory at a time."""
        for shard in shards:
            yield JudgedShard(
                items=self.stage(ITEMS).rows(shard.name, EvalItem),
                answers=self.stage(ANSWERS).rows(shard.name, EvalAnswer),
                verdicts=self.stage(VERDICTS).rows(shard.name, EvalVerdict),
                unanswered=self.stage(ANSWERS).rejects(shard.name),
            )

    def left_out(self, shards: Iterable[Receipt]) -> list[Reject]:
        """The items of shards that are not asked, with the reason."""
        return [row for shard in shards for row in self.stage(ITEMS).rejects(shard.name)]


@shard_task("read {run.config.evaluation.benchmark}")
def write_items(run: EvaluationRun) -> list[Receipt]:
    """Read a benchmark into shards of items; those that cannot be judged here are rejects.

    Raises:
        BadInput: as ``read_items`` and ``fed_back_ids``.
    """
    evaluation = run.config.evaluation
    spent = fed_back_ids(evaluation.fed_back)
    pool = shared_pool(run.config.sandbox)
    receipts = []
    for number, items in enumerate(batches(read_items(evaluation), run.config.shard_size)):
        rows = left_out(items, missing_libraries(items, pool), spent)
        content = fingerprint([row.model_dump(mode="json") for row in rows])
        work = partial(Outcome.of, rows)
        receipts.append(run.stage(ITEMS).run_shard(f"part-{number:05d}", EvalItem, [content], work))
    run.finish(ITEMS, receipts)
    return receipts


@shard_task("answer {items.name}", TEACHER)
def answer_items(run: EvaluationRun, items: Receipt) -> Receipt:
    """Ask the model for all samples of a shard of items.

    Returns:
        The receipt of a shard of ``EvalAnswer``: all that was answered, usable or not.
    """
    config, model = run.config, run.model
    assert model is not None
    rows = run.stage(ITEMS).rows(items, EvalItem)
    wanted = [(item, number) for item in rows for number in range(1, config.evaluation.samples + 1)]
    requests = [request(item, number, config.evaluation, model, config.seed) for item, number in wanted]

    def work() -> Outcome:
        client = shared_client(model, answers_path(config), ROLE)
        answers = client.ask_all(requests, run.purpose)
        return Outcome.of(
            [
                read_answer(item, number, answer, config.evaluation, model, config.seed)
                for (item, number), answer in zip(wanted, answers, strict=True)
            ]
        )

    asked = fingerprint([one.key(model) for one in requests])
    depends_on = [items, asked, wire_settings(model), list(config.evaluation.stop), extraction_digest()]
    return run.stage(ANSWERS).run_shard(items.name, EvalAnswer, depends_on, work)


@shard_task("judge {answers.name}", SANDBOX)
def judge_answers(run: EvaluationRun, items: Receipt, answers: Receipt) -> Receipt:
    """Run each answer of a shard under the tests of its item.

    Returns:
        The receipt of a shard of ``EvalVerdict``, one for each answer, in the same order.
    """

    def work() -> Outcome:
        by_id = {item.id: item for item in run.stage(ITEMS).rows(items, EvalItem)}
        given = run.stage(ANSWERS).rows(answers, EvalAnswer)
        return Outcome.of(judge(given, by_id, shared_pool(run.config.sandbox)))

    return run.stage(VERDICTS).run_shard(answers.name, EvalVerdict, [items, answers, *run.box], work)


@shard_task("check {items.name}", SANDBOX)
def check_items(run: EvaluationRun, items: Receipt) -> Receipt:
    """Put the canonical solutions of a shard of items, and stubs of them, to the items' tests.

    Returns:
        The receipt of a shard of ``CheckedItem``, one for each item, in the same order.
    """

    def work() -> Outcome:
        rows = run.stage(ITEMS).rows(items, EvalItem)
        return Outcome.of(check(rows, run.config.evaluation.asking, shared_pool(run.config.sandbox)))

    depends_on = [items, run.config.evaluation.asking.value, *run.box]
    return run.stage(CHECKS).run_shard(items.name, CheckedItem, depends_on, work)
