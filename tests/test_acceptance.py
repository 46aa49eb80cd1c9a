"""The label, and which questions get another attempt."""

import pytest

from tasks.acceptance import difficulty, expected_attempts, label_confidence, settled, to_ask
from tasks.intervals import kappa, wilson
from tasks.settings import Policy, Verification

ADAPTIVE = Verification(policy=Policy.ADAPTIVE)


@pytest.mark.parametrize(
    ("passes", "attempts", "label"),
    [
        (0, 3, None),
        (3, 3, "easy"),
        (2, 3, "medium"),
        (1, 3, "medium"),
        (7, 10, "easy"),
        (6, 10, "medium"),
        (3, 10, "hard"),
        (1, 4, "hard"),
    ],
)
def test_difficulty_by_the_share_of_passing_attempts(passes, attempts, label):
    assert difficulty(passes, attempts) == label


@pytest.mark.parametrize(("passes", "attempts"), [(-1, 3), (4, 3), (0, 0)])
def test_difficulty_of_the_impossible_is_an_error(passes, attempts):
    with pytest.raises(ValueError, match=f"got {passes} of {attempts}"):
        difficulty(passes, attempts)


def test_confidence_in_a_label_is_a_probability_that_ends_at_certainty():
    for made in range(11):
        for passes in range(made + 1):
            assert 0.25 <= label_confidence(passes, made, 10) <= 1 + 1e-12
    assert label_confidence(4, 10, 10) == pytest.approx(1)


def test_easy_questions_stop_early_and_those_that_never_pass_get_nearly_all():
    assert next(made for made in range(11) if settled(made, made, ADAPTIVE)) == 4
    assert next(made for made in range(11) if settled(0, made, ADAPTIVE)) == 9
    assert not settled(1, 4, ADAPTIVE)


def test_the_fixed_policy_always_makes_all_attempts():
    rules = Verification()
    assert not settled(9, 9, rules)
    assert settled(0, 10, rules)
    assert to_ask([(0, 0), (5, 9), (9, 10)], rules) == [0, 1]


def test_stop_after_passes_holds_under_every_policy():
    rules = Verification(stop_after_passes=1)
    assert settled(1, 1, rules)
    assert not settled(0, 1, rules)


def test_a_cap_on_the_mean_gives_what_is_left_to_the_hardest():
    rules = Verification(policy=Policy.ADAPTIVE, least_attempts=3, mean_attempts=4)
    assert to_ask([(0, 2), (2, 2), (1, 2)], rules) == [0, 1, 2], "the least attempts are made in any case"
    assert to_ask([(0, 3), (2, 3), (1, 3), (3, 3)], rules) == [0, 1, 2, 3]
    assert to_ask([(0, 4), (2, 4), (1, 3), (4, 4)], rules) == [0]
    assert to_ask([(0, 5), (2, 4), (1, 4), (4, 4)], rules) == []


def test_expected_attempts_are_those_of_a_uniform_prior():
    assert expected_attempts(Verification()) == 10
    assert expected_attempts(Verification(stop_after_passes=1, attempts=2)) == pytest.approx(1.5)
    assert 3 < expected_attempts(ADAPTIVE) < 10
    assert expected_attempts(Verification(policy=Policy.ADAPTIVE, mean_attempts=4)) == 4


@pytest.mark.parametrize(
    ("passes", "tries", "low", "high"),
    [(0, 10, 0.0, 0.278), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1.0), (1, 1, 0.207, 1.0)],
)
def test_wilson_interval_has_the_published_values(passes, tries, low, high):
    assert wilson(passes, tries) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


def test_kappa_is_agreement_beyond_chance():
    assert kappa([("a", "a"), ("b", "b")]) == 1
    assert kappa([("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]) == 0
    assert kappa([("a", "a")] * 3) is None
    assert kappa([]) is None
