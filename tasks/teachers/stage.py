"""The tasks of generation: solution-and-tests attempts by the author, solutions by a solver that sees no tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tasks.acceptance import holds, to_ask
from tasks.artifacts import Outcome, Receipt
from tasks.execution.expected import entry_points
from tasks.models import Attempt, Question, Reject, RejectReason, Solution, Verdict
from tasks.rounds import Rounds, answered, question_of
from tasks.run import Run, StageName, wire_settings
from tasks.settings import Role, fingerprint
from tasks.shards import TEACHER, shard_task
from tasks.syntax import mentions
from tasks.teachers.clients import shared_client
from tasks.teachers.prompts import call_of, chat, fitting, grammar
from tasks.teachers.rejects import reject, reject_unfinished
from tasks.teachers.replies import Malformed, parse_code, parse_pair
from tasks.teachers.requests import Answer, ChatRequest, Refused

TEMPLATE, SOLVER = "solve", "solver"


@shard_task("attempt {number} {questions.name}", TEACHER)
def generate_attempts(run: Run, questions: Receipt, number: int, rounds: Rounds) -> Receipt:
    """Ask the author for attempt ``number`` (1-based) at each question of a shard that needs one.

    Args:
        rounds: the shard's earlier ones; they tell which questions are settled.
    """
    author = run.teachers.author
    pending = _pending(run.stage(StageName.QUESTIONS).rows(questions, Question), run, rounds)
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
    return run.stage(StageName.ATTEMPTS).run_shard(shard, Attempt, depends_on, work)


def _pending(questions: Sequence[Question], run: Run, rounds: Rounds) -> list[Question]:
    """The questions that get another attempt. Gates have no say in it: to change one must ask no teacher."""
    history = rounds.read(run)
    made = Counter(verdict.question_id for verdict in history.verdicts)
    made.update(question_of(one.id) for one in answered(history.unusable))
    passed = Counter(verdict.question_id for verdict in history.verdicts if holds(verdict))
    tries = [(passed[row.question_id], made[row.question_id]) for row in questions]
    return [questions[number] for number in to_ask(tries, run.config.verification)]


def attempt_request(question: Question, run: Run, number: int) -> ChatRequest:
    """The teacher call for one attempt; the sampling seed tells attempts apart."""
    template = fitting(TEMPLATE, run.config.teachers.prompts)
    return ChatRequest(
        messages=chat(template, question=question.question, libraries=libraries_of(question)),
        sampling=run.teachers.author.sampling,
        seed=run.config.seed + number - 1,
        grammar=grammar(template),
        label=question.subset,
    )


def libraries_of(question: Question) -> list[str]:
    """What beside the standard library a solution of the question may use."""
    return sorted({library for seed in question.seeds for library in seed.libraries})


def read_attempt(question: Question, answer: Answer | Refused, run: Run, number: int) -> Attempt | Reject:
    """The solution and tests in a reply, or the reason why it has none that can be used."""
    attempt_id = f"{question.question_id}/{number}"
    if unfinished := reject_unfinished(attempt_id, question.subset, answer):
        return unfinished
    assert isinstance(answer, Answer)
    pair = parse_pair(answer.text)
    if isinstance(pair, Malformed):
        return reject(attempt_id, question.subset, RejectReason.MALFORMED_REPLY, answer, pair.reason)
    solution, test = pair
    if unstated := [name for name in entry_points(test) if not mentions(question.question, name)]:
        why = f"the tests use {', '.join(unstated)}, which the question does not name"
        return reject(attempt_id, question.subset, RejectReason.UNSTATED_NAME, answer, why)
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


@shard_task("solve {questions.name}", TEACHER)
def solve_questions(run: Run, questions: Receipt, rounds: Rounds) -> Receipt:
    """Ask the solver, which sees no tests, for solutions to those questions of a shard that an attempt passed."""
    solver, tries = run.teachers.of(Role.SOLVER), run.config.verification.effort.solver_tries
    history = rounds.read(run)
    passed = {verdict.question_id for verdict in history.verdicts if verdict.pair.verdict is Verdict.PASSED}
    asked = run.stage(StageName.QUESTIONS).rows(questions, Question)
    wanted = [(row, number) for row in asked if row.question_id in passed for number in range(1, tries + 1)]
    requests = [solver_request(row, run, number) for row, number in wanted]

    def work() -> Outcome:
        answers = shared_client(solver, run.cache_path).ask_all(requests, run.purpose(StageName.SOLUTIONS))
        return Outcome.of(
            [read_solution(row, answer, run, number) for (row, number), answer in zip(wanted, answers, strict=True)]
        )

    depends_on = [questions, fingerprint([request.key(solver) for request in requests]), wire_settings(solver)]
    return run.stage(StageName.SOLUTIONS).run_shard(questions.name, Solution, depends_on, work)


def solver_request(question: Question, run: Run, number: int) -> ChatRequest:
    """The call for one solution."""
    return ChatRequest(
        messages=chat(SOLVER, question=question.question, libraries=libraries_of(question)),
        sampling=run.teachers.of(Role.SOLVER).sampling,
        seed=run.config.seed + number - 1,
        label=question.subset,
    )


def read_solution(question: Question, answer: Answer | Refused, run: Run, number: int) -> Solution | Reject:
    """The solution in a reply, or the reason why it has none. A reply without one is a try that failed all the same."""
    solution_id = f"{question.question_id}/solver/{number}"
    if unfinished := reject_unfinished(solution_id, question.subset, answer):
        return unfinished
    assert isinstance(answer, Answer)
    found = parse_code(answer.text, "Solution")
    if isinstance(found, Malformed):
        return reject(solution_id, question.subset, RejectReason.MALFORMED_REPLY, answer, found.reason)
    return Solution(
        solution_id=solution_id,
        question_id=question.question_id,
        number=number,
        solution=found,
        call=call_of(answer, SOLVER, run.teachers.of(Role.SOLVER), run.config.seed + number - 1),
    )
