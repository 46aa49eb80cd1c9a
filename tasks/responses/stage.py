"""The tasks of reasoning responses: models answer rows, and the rows' tests judge the answers."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.artifacts import Outcome, Receipt
from tasks.execution.pool import Look, shared_pool
from tasks.execution.slots import resolve_backend
from tasks.execution.verify import shareable_sandbox
from tasks.extraction.code import extraction_digest
from tasks.models import Grade, Response
from tasks.responses.asking import read_response, response_request
from tasks.responses.grading import grade
from tasks.responses.problems import asked_problems, read_problems
from tasks.run import Run, StageName, wire_settings
from tasks.settings import fingerprint
from tasks.shards import SANDBOX, TEACHER, shard_task
from tasks.teachers.clients import shared_client


@shard_task("answer {rows[0].name} {reasoner}", TEACHER)
def answer_rows(run: Run, rows: Sequence[Receipt], placing: Receipt, reasoner: str) -> Receipt:
    """Ask a reasoning model ``post_training.reasoning.tries`` times for an answer to each row that is not held out.

    Args:
        rows: a shard of released rows, then those of the same rows in other styles.
        placing: where the rows of the first go.
        reasoner: its name in ``teachers.reasoners``.

    Returns:
        The receipt of a shard of ``Response``: all that was answered, usable or not.
    """
    endpoint, tries = run.teachers.reasoners[reasoner], run.config.post_training.reasoning.tries
    wanted = [(one, number) for one in asked_problems(run, rows, placing) for number in range(1, tries + 1)]
    requests = [response_request(one, endpoint, run.config.seed + number - 1) for one, number in wanted]

    def work() -> Outcome:
        client = shared_client(endpoint, run.cache_path, f"reasoners.{reasoner}")
        answers = client.ask_all(requests, run.purpose(StageName.RESPONSES))
        return Outcome.of(
            [
                read_response(one, answer, run, reasoner, number)
                for (one, number), answer in zip(wanted, answers, strict=True)
            ]
        )

    asked = fingerprint([request.key(endpoint) for request in requests])
    depends_on = [*rows, placing, asked, wire_settings(endpoint), extraction_digest()]
    shard = f"{rows[0].name}-{reasoner}"
    return run.stage(StageName.RESPONSES).run_shard(shard, Response, depends_on, work)


@shard_task("grade {responses.name}", SANDBOX)
def grade_responses(run: Run, rows: Sequence[Receipt], responses: Receipt) -> Receipt:
    """Judge each response of a shard by what its row is judged by, and as closely: a pass is run again as often as
    an attempt's.

    Args:
        rows: those that were answered, as in ``answer_rows``.

    Returns:
        The receipt of a shard of ``Grade``, one for each response, in the same order.
    """
    sandbox, reruns = run.config.sandbox, run.config.verification.effort.reruns
    accept_alias = run.config.post_training.reasoning.accept_alias

    def work() -> Outcome:
        problems = {one.question_id: one for one in read_problems(run, rows)}
        answered = run.stage(StageName.RESPONSES).rows(responses, Response)
        return Outcome.of(grade(answered, problems, shared_pool(sandbox), Look(reruns=reruns), accept_alias))

    depends_on = [*rows, responses, shareable_sandbox(sandbox), resolve_backend(sandbox).value, reruns, accept_alias]
    return run.stage(StageName.GRADES).run_shard(responses.name, Grade, depends_on, work)
