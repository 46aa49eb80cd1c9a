"""Questions that no attempt settles although their solutions agree: which tests are wrong, and how they are mended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.acceptance import holds
from tasks.execution.expected import test_functions
from tasks.labeling.reading.assertions import without_tests
from tasks.labeling.triplets import Try, agreed, lost_coverage
from tasks.models import Attempt, Call, CrossCheck, Question, Reject, RejectReason, Verdict
from tasks.settings import BuildConfig
from tasks.teachers.prompts import call_of, chat
from tasks.teachers.rejects import reject, reject_unfinished
from tasks.teachers.replies import Malformed, parse_code
from tasks.teachers.requests import Answer, ChatRequest, Refused

TEMPLATE = "rewrite_tests"
_MOST_RIGHT = 0.5
"""Share of its tests that must be right: where the consensus fails more, it is the solutions that are in doubt."""
ACCOUNT = "mending"
"""What the calls are booked on."""


@dataclass(frozen=True)
class Mendable:
    """An attempt whose solution is of the consensus while some of its tests are not.

    Attributes:
        number: that the mended attempt gets.
    """

    question: Question
    attempt: Attempt
    wrong: tuple[str, ...]
    number: int

    @property
    def attempt_id(self) -> str:
        return f"{self.question.question_id}/{self.number}"


def mendable(question: Question, tries: Sequence[Try], check: CrossCheck | None) -> Mendable | None:
    """The attempt at a question whose tests are worth mending; None where an attempt stands, or the solutions do not
    agree. It failed by assertions alone: a solution that hangs or dies under its tests is no judge of them.

    Of several it is the one with the most right tests, then the fewest wrong ones, then the earliest. Gates have no
    say: to change one must ask no teacher.
    """
    common = agreed(tries, check)
    verdicts = {one.verdict.attempt_id: one.verdict for one in tries if one.verdict}
    found = []
    for one in tries:
        if one.attempt is None or one.verdict is None:
            continue
        opinion = common.of(one.attempt.attempt_id)
        worse = lost_coverage(one.verdict, verdicts.get(one.attempt.mends))
        if holds(one.verdict) and opinion.agreement in (None, 1.0) and not worse:
            return None
        failed = one.verdict.pair.verdict is Verdict.FAILED
        if failed and one.attempt.attempt_id in common.members and (opinion.agreement or 0) >= _MOST_RIGHT:
            right = len(set(test_functions(one.attempt.test)) - set(opinion.wrong))
            found.append((-right, len(opinion.wrong), one.number, one.attempt, opinion.wrong))
    if not found:
        return None
    *_, attempt, wrong = min(found, key=lambda one: one[:3])
    return Mendable(question, attempt, wrong, max(one.number for one in tries) + 1)


def without_wrong(found: Mendable) -> Attempt:
    """The attempt without its wrong tests."""
    return found.attempt.model_copy(
        update={
            "attempt_id": found.attempt_id,
            "attempt": found.number,
            "test": without_tests(found.attempt.test, found.wrong),
            "mends": found.attempt.attempt_id,
            "call": found.attempt.call.model_copy(update={"prompt_tokens": 0, "completion_tokens": 0}),
        }
    )


def rewrite_request(found: Mendable, config: BuildConfig) -> ChatRequest:
    """The call for tests written anew."""
    question, attempt = found.question, found.attempt
    return ChatRequest(
        messages=chat(
            TEMPLATE, question=question.question, solution=attempt.solution, test=attempt.test, wrong=found.wrong
        ),
        sampling=config.teachers.author.sampling,
        seed=config.seed,
        label=question.subset,
    )


def read_rewrite(found: Mendable, answer: Answer | Refused, config: BuildConfig) -> Attempt | Reject:
    """The attempt with the tests in a reply, or the reason why it has none."""
    subset = found.question.subset
    if unfinished := reject_unfinished(found.attempt_id, subset, answer):
        return unfinished
    assert isinstance(answer, Answer)
    test = parse_code(answer.text, "Test")
    if isinstance(test, Malformed):
        return reject(found.attempt_id, subset, RejectReason.MALFORMED_REPLY, answer, test.reason)
    call: Call = call_of(answer, TEMPLATE, config.teachers.author, config.seed)
    mended = {"attempt_id": found.attempt_id, "attempt": found.number, "mends": found.attempt.attempt_id}
    return found.attempt.model_copy(update={**mended, "test": test, "call": call})
