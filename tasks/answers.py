"""What reasoning models answered, and which of it becomes training data: pure functions over graded responses.

Source of the method, test-based rejection sampling: Xu et al. 2025, KodCode, arXiv 2503.02951, section 3.3.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tasks.models import Grade, Response, Verdict
from tasks.settings import AnswerChoice, Reasoning

GradedResponse = tuple[Response, Grade]
"""A response, and what the tests of its row made of it."""
CUT_OFF = "length"
"""The ``finish_reason`` of a reply that ended at ``max_tokens``."""
_FAULTS = {
    Verdict.FAILED: 0,
    Verdict.TIMEOUT: 1,
    Verdict.OUT_OF_MEMORY: 1,
    Verdict.OUTPUT_LIMIT: 1,
    Verdict.KILLED: 1,
    Verdict.ERROR: 2,
}
"""What makes an answer the wrong one of a pair, the most telling first: it ran to its end and gave a wrong result, it
did not come to its end, it did not start. Any other verdict says less of the answer than of how it was judged."""


def by_row(answers: Iterable[GradedResponse]) -> dict[str, dict[str, list[GradedResponse]]]:
    """Answers by the id of their row, then by reasoner, in the order of their numbers."""
    found: dict[str, dict[str, list[GradedResponse]]] = defaultdict(lambda: defaultdict(list))
    for response, grade in answers:
        found[response.question_id][response.reasoner].append((response, grade))
    for reasoners in found.values():
        for tries in reasoners.values():
            tries.sort(key=lambda answer: answer[0].number)
    return {row: dict(reasoners) for row, reasoners in found.items()}


def pass_sequence(answers: Sequence[GradedResponse]) -> list[int]:
    """1 for each answer that passed and 0 for each that did not, in order: KodCode's ``r1_pass_sequence``.

    Tries that the model never answered are not in it.
    """
    return [int(grade.passed) for _, grade in answers]


def right_answers(answers: Sequence[GradedResponse], choice: AnswerChoice) -> list[GradedResponse]:
    """The answers that passed, the one to take first in front."""
    right = [answer for answer in answers if answer[1].passed]
    return sorted(right, key=lambda answer: length(answer[0])) if choice is AnswerChoice.SHORTEST else right


def chosen_answer(answers: Sequence[GradedResponse], choice: AnswerChoice) -> GradedResponse | None:
    """The answer that is taken of those to one row; None where none passed."""
    return next(iter(right_answers(answers, choice)), None)


def length(response: Response) -> int:
    """Characters of a response, its reasoning included."""
    return len(response.reasoning) + len(response.text)


def is_wrong(response: Response, grade: Grade) -> bool:
    """Whether an answer is wrong beyond doubt: a whole reply with code that its tests refute, also under an alias.

    What is flaky, was cut off, or has no code proves nothing that a model should unlearn.
    """
    in_doubt = {grade.verdict, grade.alias_verdict} & {Verdict.PASSED, Verdict.FLAKY}
    whole = bool(response.code) and response.finish_reason != CUT_OFF
    return whole and not grade.passed and not in_doubt and grade.verdict in _FAULTS


def preference_pairs(answers: Sequence[GradedResponse], rules: Reasoning) -> list[tuple[Response, Response]]:
    """(chosen, rejected) pairs of the answers to one row, for preference training.

    ``chosen`` passed the row's tests, and ``rejected`` is wrong by ``is_wrong``. No answer is in two pairs. What ran to
    its end and was wrong is preferred to what broke off; then, with ``length_ratio``, pairs of about equal length;
    then the answer that ``rules.choice`` would take, and the earliest wrong one.

    Args:
        answers: of one row; of several reasoners too, which are paired with each other if the rules allow it.
    """
    limits = rules.preferences
    ranked = []
    for place, (right, _) in enumerate(right_answers(answers, rules.choice)):
        for number, (wrong, grade) in enumerate(answers):
            if not is_wrong(wrong, grade) or (right.reasoner != wrong.reasoner and not limits.across_reasoners):
                continue
            apart = abs(math.log((1 + length(right)) / (1 + length(wrong))))
            if limits.length_ratio is not None and apart > math.log(limits.length_ratio):
                continue
            assert grade.verdict is not None
            unlike = apart if limits.length_ratio is not None else 0.0
            ranked.append((_FAULTS[grade.verdict], unlike, place, number, right, wrong))
    pairs: list[tuple[Response, Response]] = []
    used: set[str] = set()
    for *_, right, wrong in sorted(ranked, key=lambda one: one[:4]):
        if len(pairs) < limits.per_row and not used & {right.response_id, wrong.response_id}:
            pairs.append((right, wrong))
            used |= {right.response_id, wrong.response_id}
    return pairs
