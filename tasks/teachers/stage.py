"""The task of generation: one more solution-and-tests attempt for each question that is not settled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.acceptance import settled
from tasks.artifacts import Outcome, Receipt
from tasks.models import Attempt, AttemptVerdict, Question, Reject, RejectReason
from tasks.run import Run, StageName, wire_settings
from tasks.settings import fingerprint
from tasks.shards import RETRIES, report
from tasks.teachers.clients import shared_client
from tasks.teachers.prompts import call_of, chat, fitting, grammar
from tasks.teachers.rejects import reject, reject_unfinished
from tasks.teachers.replies import Malformed, parse_pair
from tasks.teachers.requests import Answer, ChatRequest, Refused

TEMPLATE = "solve"


@task(task_run_name="attempt {number} {questions.name}", cache_policy=NO_CACHE, **RETRIES)
def generate_attempts(run: Run, questions: Receipt, number: int, verdicts: Sequence[Receipt]) -> Receipt:
    """Ask the author for attempt ``number`` (1-based) at each question of a shard that needs one.

    Args:
        verdicts: receipts of the shard's earlier rounds; they tell which questions are settled.
    """
    author = run.teachers.author
    judged: dict[str, list[AttemptVerdict]] = defaultdict(list)
    for part in verdicts:
        for row in run.stage(StageName.VERDICTS).rows(part.name, AttemptVerdict):
            judged[row.question_id].append(row)
    asked = run.stage(StageName.QUESTIONS).rows(questions.name, Question)
    pending = [row for row in asked if not settled(judged[row.question_id], run.config.verification)]
    requests = [attempt_request(row, run, number) for row in pending]

    def work() -> Outcome:
        purpose = run.purpose(StageName.ATTEMPTS)
        answers = shared_client(author, run.cache_path).ask_all(requests, purpose)
        return Outcome.of(
            [read_attempt(row, answer, run, number) for row, answer in zip(pending, answers, strict=True)]
        )

    depends_on = [
        questions,
        fingerprint([request.key(author) for request in requests]),
        wire_settings(author),
    ]
    shard = f"{questions.name}-try-{number:02d}"
    return report(run.stage(StageName.ATTEMPTS).run_shard(shard, Attempt, depends_on, work))


def attempt_request(question: Question, run: Run, number: int) -> ChatRequest:
    """The teacher call for one attempt; the sampling seed tells attempts apart."""
    template = fitting(TEMPLATE, run.config.teachers.prompts)
    libraries = sorted({library for seed in question.seeds for library in seed.libraries})
    return ChatRequest(
        messages=chat(template, question=question.question, libraries=libraries),
        sampling=run.teachers.author.sampling,
        seed=run.config.seed + number - 1,
        grammar=grammar(template),
        label=question.subset,
    )


def read_attempt(question: Question, answer: Answer | Refused, run: Run, number: int) -> Attempt | Reject:
    """The solution and tests in a reply, or the reason why it has none."""
    attempt_id = f"{question.question_id}/{number}"

    if unfinished := reject_unfinished(attempt_id, question.subset, answer):
        return unfinished
    assert isinstance(answer, Answer)
    pair = parse_pair(answer.text)
    if isinstance(pair, Malformed):
        return reject(attempt_id, question.subset, RejectReason.MALFORMED_REPLY, answer, pair.reason)
    solution, test = pair
    return Attempt(
        attempt_id=attempt_id,
        question_id=question.question_id,
        attempt=number,
        solution=solution,
        test=test,
        call=call_of(
            answer,
            fitting(TEMPLATE, run.config.teachers.prompts),
            run.teachers.author,
            run.config.seed + number - 1,
        ),
    )
