"""Which answers become training data."""

from __future__ import annotations

import pytest

from tasks.answers import by_row, chosen_answer, pass_sequence, preference_pairs
from tasks.models import Verdict
from tasks.settings import AnswerChoice, Preferences, Reasoning
from tests.responses.rows import grade_of, response

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED


def answers(*verdicts, words=()):
    made = [response(number) for number in range(1, len(verdicts) + 1)]
    if words:
        made = [response(number, words=count) for number, count in enumerate(words, 1)]
    return [(one, grade_of(one, verdict)) for one, verdict in zip(made, verdicts, strict=True)]


def numbers(pairs):
    return [(right.number, wrong.number) for right, wrong in pairs]


def rules(**preferences):
    return Reasoning(preferences=Preferences(**preferences))


def test_answers_are_found_by_row_and_reasoner_in_their_order():
    made = [response(2), response(1), response(1, reasoner="s"), response(1, row="other")]
    found = by_row((one, grade_of(one, FAILED)) for one in made)
    assert {row: list(reasoners) for row, reasoners in found.items()} == {"q": ["r", "s"], "other": ["r"]}
    assert [one.number for one, _ in found["q"]["r"]] == [1, 2]


def test_pass_sequence_has_a_digit_for_each_answer():
    assert pass_sequence(answers(FAILED, PASSED, None)) == [0, 1, 0]
    assert pass_sequence([]) == []


@pytest.mark.parametrize(("choice", "number"), [(AnswerChoice.FIRST, 2), (AnswerChoice.SHORTEST, 3)])
def test_the_right_answer_is_taken_that_the_config_prefers(choice, number):
    made = answers(FAILED, PASSED, PASSED, words=(1, 30, 20))
    assert chosen_answer(made, choice)[0].number == number


def test_of_wrong_answers_none_is_taken():
    assert chosen_answer(answers(FAILED, None), AnswerChoice.FIRST) is None
    assert preference_pairs(answers(FAILED, None), rules()) == []


def test_a_failed_assertion_is_preferred_to_what_broke_off():
    made = answers(PASSED, Verdict.ERROR, Verdict.TIMEOUT, FAILED)
    assert numbers(preference_pairs(made, rules())) == [(1, 4)]
    assert numbers(preference_pairs(made[:3], rules())) == [(1, 3)]
    assert numbers(preference_pairs(made[:2], rules())) == [(1, 2)]


@pytest.mark.parametrize(
    "verdict", [None, PASSED, Verdict.FLAKY, Verdict.TAMPERED, Verdict.SKIPPED, Verdict.NO_TESTS], ids=str
)
def test_what_is_not_clearly_wrong_is_never_rejected(verdict):
    assert preference_pairs(answers(PASSED, verdict), rules()) == []


@pytest.mark.parametrize("alias_verdict", [PASSED, Verdict.FLAKY])
def test_what_passes_under_an_alias_is_never_rejected(alias_verdict):
    wrong = response(2)
    made = [*answers(PASSED), (wrong, grade_of(wrong, Verdict.ERROR, alias_verdict))]
    assert preference_pairs(made, rules()) == []
    made = [*answers(PASSED), (wrong, grade_of(wrong, Verdict.ERROR, FAILED))]
    assert numbers(preference_pairs(made, rules())) == [(1, 2)]


def test_what_has_no_code_or_was_cut_off_is_never_rejected():
    for wrong in (response(2, code=""), response(2, finish_reason="length")):
        assert preference_pairs([*answers(PASSED), (wrong, grade_of(wrong, FAILED))], rules()) == []


def test_pairs_of_a_row_are_limited_and_share_no_answer():
    made = answers(PASSED, FAILED, FAILED, PASSED, FAILED)
    assert numbers(preference_pairs(made, rules())) == [(1, 2)]
    assert numbers(preference_pairs(made, rules(per_row=9))) == [(1, 2), (4, 3)]
    assert preference_pairs(made, rules(per_row=0)) == []


def test_pairs_may_be_held_to_about_equal_length():
    made = answers(PASSED, FAILED, FAILED, words=(1000, 9000, 1200))
    assert numbers(preference_pairs(made, rules())) == [(1, 2)]
    assert numbers(preference_pairs(made, rules(length_ratio=1.5))) == [(1, 3)]
    assert preference_pairs(made, rules(length_ratio=1.1)) == []


def test_models_are_paired_with_each_other_only_where_that_is_asked_for():
    right, wrong = response(1), response(1, reasoner="s")
    made = [(right, grade_of(right, PASSED)), (wrong, grade_of(wrong, FAILED))]
    assert preference_pairs(made, rules()) == []
    assert preference_pairs(made, rules(across_reasoners=True)) == [(right, wrong)]
