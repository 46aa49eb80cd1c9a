"""The sampler: constraints are met where they can be, what is short is said, and no row is lost."""

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.curation.diversity.axes import coded, frame_of
from tasks.curation.diversity.mix import MOST_CELLS, check_mix, choose
from tasks.errors import BadInput
from tasks.settings.mix import Axis, Infeasible, Mix

LEVELS = ("easy", "medium", "hard")


def shares(frame, choice, axis):
    kept = frame_of(frame.iloc[choice.keep], [])
    return {value: count / len(kept) for value, count in coded(kept, axis).counts().items()}


def test_empty_mix_keeps_every_row(rows):
    choice = choose(rows(50), Mix(), seed=0)
    assert choice.keep.tolist() == list(range(50))
    assert (choice.left_out, choice.feasible) == ([], True)


def test_targets_are_met_with_as_many_rows_as_they_allow(rows):
    frame = rows(2000)
    mix = Mix(targets={"difficulty": {"easy": 0.3, "medium": 0.3, "hard": 0.4}}, tolerance=0)
    choice = choose(frame, mix, seed=0)
    available = Counter(frame["difficulty"])
    assert choice.feasible
    # a tenth of the rows is a whole number of them, and no level can give more than it has
    tenths = min(available["easy"] // 3, available["medium"] // 3, available["hard"] // 4)
    assert len(choice.keep) == 10 * tenths
    assert shares(frame, choice, Axis.DIFFICULTY) == pytest.approx({"easy": 0.3, "medium": 0.3, "hard": 0.4})


def test_caps_hold_for_every_value(rows):
    frame = rows(3000)
    choice = choose(frame, Mix(max_share={"topic": 0.26, "difficulty": 0.4}), seed=0)
    assert choice.feasible
    assert max(shares(frame, choice, Axis.TOPIC).values()) <= 0.26 + 1e-9
    assert max(shares(frame, choice, Axis.DIFFICULTY).values()) <= 0.4 + 1e-9


def test_skills_may_sum_to_more_than_one(rows):
    frame = rows(1000)
    choice = choose(frame, Mix(targets={"skill": {"recursion": 0.8, "class": 0.6}}, size=100), seed=0)
    assert (choice.feasible, len(choice.keep)) == (True, 100)
    assert shares(frame, choice, Axis.SKILL)["recursion"] == pytest.approx(0.8, abs=0.02)
    assert shares(frame, choice, Axis.SKILL)["class"] == pytest.approx(0.6, abs=0.02)


def test_size_is_an_upper_bound_and_the_best_rows_stay(rows):
    frame = rows(100)
    choice = choose(frame, Mix(size=10), seed=0)
    assert set(frame.iloc[choice.keep]["id"]) == set(frame.nlargest(10, "quality")["id"])
    assert {reason for _, reason in choice.left_out} == {
        "the 10 rows that `size` allows are chosen; better or equal rows of its kind stay"
    }


def test_rows_without_quality_come_last(rows):
    frame = rows(4).assign(quality=[np.nan, 0.1, np.nan, 0.0])
    assert choose(frame, Mix(size=2), seed=0).keep.tolist() == [1, 3]


def test_what_must_go_goes_evenly():
    frame = pd.DataFrame(
        {
            "id": range(4000),
            "topics": [["strings"]] * 3000 + [["graphs"]] * 1000,
            "style": ["instruct", "complete"] * 2000,
        }
    )
    choice = choose(frame, Mix(max_share={"topic": 0.5, "style": 0.9}), seed=0)
    kept = frame.iloc[choice.keep]
    assert len(kept) == 2000
    strings = kept[kept["topics"].str[0] == "strings"]["style"].value_counts()
    assert abs(strings["instruct"] - strings["complete"]) <= 2


def test_value_with_few_rows_holds_the_size_down_and_is_named():
    frame = pd.DataFrame({"id": range(600), "topics": [["graphs"]] * 12 + [["strings"]] * 588})
    choice = choose(frame, Mix(targets={"topic": {"graphs": 0.06}}), seed=0)
    assert (choice.feasible, len(choice.keep)) == (True, 300)
    assert "Held down by topic graphs: 0.06 wanted, within 0.02, 12 of 300 rows kept, 12 available" in choice.message
    assert choice.left_out[0][1].startswith(
        "one more row of another kind would take topic graphs (0.06 wanted, within 0.02; 12 of 300 rows) further"
    )


def test_closest_choice_says_what_is_short():
    frame = pd.DataFrame(
        {"id": range(600), "topics": [["strings"]] * 600, "difficulty": ["easy"] * 300 + ["hard"] * 300}
    )
    mix = Mix(targets={"topic": {"graphs": 0.3}, "difficulty": {"hard": 0.6}})
    choice = choose(frame, mix, seed=0)
    assert not choice.feasible
    assert "topic graphs: 0.3 wanted, within 0.02, 0 of 517 rows kept, 0 available" in choice.message
    assert "difficulty" not in choice.message
    assert shares(frame, choice, Axis.DIFFICULTY)["hard"] == pytest.approx(0.6, abs=0.021)
    graphs = next(one for one in choice.achieved if one.value == "graphs")
    assert (graphs.wanted, graphs.available, graphs.kept) == (0.3, 0, 0)


def test_stop_raises_and_says_what_to_do():
    frame = pd.DataFrame({"id": range(10), "topics": [["strings"]] * 10})
    mix = Mix(targets={"topic": {"graphs": 0.3}}, on_infeasible=Infeasible.STOP)
    with pytest.raises(BadInput, match=r"topic graphs: 0\.3 wanted.*0 available\. Lower these targets"):
        choose(frame, mix, seed=0)


def test_least_rows_of_a_value_are_kept(rows):
    frame = rows(500)
    targets = {"difficulty": {"hard": 0.1}}
    for least, kept in ((0, 30), (35, 35)):
        choice = choose(frame, Mix(targets=targets, min_per_value=least, size=300), seed=0)
        assert choice.feasible
        assert Counter(frame.iloc[choice.keep]["difficulty"])["hard"] == kept
    short = choose(frame, Mix(targets=targets, min_per_value=400), seed=0)
    assert not short.feasible
    assert "difficulty hard: 400 rows wanted at least" in short.message


def test_order_of_the_rows_does_not_matter(rows):
    frame = rows(400).assign(quality=1.0)
    mix = Mix(targets={"difficulty": {"hard": 0.4}}, max_share={"topic": 0.3}, size=120)
    kept = set(frame.iloc[choose(frame, mix, seed=5).keep]["id"])
    shuffled = frame.sample(frac=1, random_state=1)
    assert set(shuffled.iloc[choose(shuffled, mix, seed=5).keep]["id"]) == kept
    assert set(frame.iloc[choose(frame, mix, seed=6).keep]["id"]) != kept


@st.composite
def mixes(draw):
    targets = {}
    if draw(st.booleans()):
        weights = draw(st.lists(st.integers(0, 10), min_size=4, max_size=4).filter(sum))
        targets["difficulty"] = {level: weights[i] / sum(weights) for i, level in enumerate(LEVELS)}
    if draw(st.booleans()):
        targets["topic"] = {"graphs": draw(st.floats(0, 1))}
    if draw(st.booleans()):
        targets["skill"] = {"recursion": draw(st.floats(0, 1)), "class": draw(st.floats(0, 1))}
    caps = {"style": draw(st.floats(0.5, 1))} if draw(st.booleans()) else {}
    return Mix(
        targets=targets,
        max_share=caps,
        tolerance=draw(st.sampled_from([0, 0.02, 0.1])),
        size=draw(st.none() | st.integers(1, 80)),
        min_per_value=draw(st.integers(0, 4)) if all(all(one.values()) for one in targets.values()) else 0,
    )


@settings(max_examples=60, deadline=None)
@given(mix=mixes(), count=st.integers(1, 60), seed=st.integers(0, 3))
def test_feasible_choices_meet_every_constraint_and_lose_no_row(mix, count, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": [f"q{number}" for number in range(count)],
            "difficulty": rng.choice(LEVELS, count),
            "style": rng.choice(["instruct", "complete"], count),
            "topics": [[str(topic)] for topic in rng.choice(["strings", "graphs"], count)],
            "skills": [["recursion"] * int(one) + ["class"] * int(two) for one, two in rng.integers(0, 2, (count, 2))],
            "quality": rng.integers(0, 3, count),
        }
    )
    choice = choose(frame, mix, seed)
    assert sorted([*choice.keep, *(place for place, _ in choice.left_out)]) == list(range(count))
    assert all(reason for _, reason in choice.left_out)
    kept = len(choice.keep)
    assert 1 <= kept <= (mix.size or count)
    again = choose(frame, mix, seed)
    assert again.keep.tolist() == choice.keep.tolist()
    assert again.left_out == choice.left_out
    for one in choice.achieved:
        assert one.kept <= one.available
        assert one.achieved == one.kept / kept
    if not choice.feasible:
        return
    for one in choice.achieved:
        if one.wanted is not None:
            assert abs(one.achieved - one.wanted) <= mix.tolerance + 1e-6
            assert one.kept >= mix.min_per_value
        assert one.achieved <= mix.max_share.get(one.axis, 1) + 1e-6


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 8), min_size=3, max_size=3).filter(sum), target=st.sampled_from([0.2, 0.25, 0.5]))
def test_no_larger_choice_would_do(counts, target):
    frame = pd.DataFrame({"difficulty": [level for level, n in zip(LEVELS, counts, strict=True) for _ in range(n)]})
    frame["id"] = range(len(frame))
    choice = choose(frame, Mix(targets={"difficulty": {"hard": target}}, tolerance=0.05), seed=0)
    possible = [
        easy + hard
        for easy in range(counts[0] + counts[1] + 1)
        for hard in range(counts[2] + 1)
        if easy + hard and abs(hard / (easy + hard) - target) <= 0.05 + 1e-9
    ]
    assert choice.feasible == bool(possible)
    if possible:
        assert len(choice.keep) == max(possible)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"targets": {"colour": {"red": 0.1}}}, "Input should be 'subset', 'style'"),
        ({"targets": {"difficulty": {"easy": 0.7, "hard": 0.4}}}, r"targets\.difficulty: the shares sum to 1\.1"),
        ({"targets": {"difficulty": {"easy": 1.5}}}, "less than or equal to 1"),
        (
            {"targets": {"topic": {"graphs": 0.5}}, "max_share": {"topic": 0.2}},
            r"max_share\.topic allows no",
        ),
        ({"max_share": {"topic": 0}}, "greater than 0"),
        ({"size": 0}, "greater than or equal to 1"),
    ],
)
def test_mix_that_cannot_be_is_refused_at_once(given, message):
    with pytest.raises(ValidationError, match=message):
        Mix(**given)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"difficulty": {"impossible": 0.1}}, "targets.difficulty names 'impossible'.*Known are easy, medium, hard"),
        ({"topic": {"grphs": 0.1}}, "'grphs', which is no topic.*graphs"),
        ({"subset": {"Tacos": 0.1}}, "'Tacos', which is no subset. Known are Taco, Docs"),
    ],
)
def test_unknown_value_is_named_with_the_known_ones(targets, message):
    with pytest.raises(BadInput, match=message):
        check_mix(Mix(targets=targets), subsets=["Taco", "Docs"])


def test_too_many_combinations_are_refused():
    count = MOST_CELLS + 1
    frame = pd.DataFrame({"id": range(count), "subset": [f"s{number}" for number in range(count)]})
    frame["libraries"] = [[f"l{place}" for place in range(20) if number >> place & 1] for number in range(count)]
    frame = frame.assign(subset="one")
    with pytest.raises(BadInput, match=f"tells apart {count} combinations of values over library"):
        choose(frame, Mix(max_share={"library": 0.9}), seed=0)


def test_bad_tables_are_refused(rows):
    with pytest.raises(BadInput, match="lack the column topics"):
        choose(rows(3).drop(columns="topics"), Mix(max_share={"topic": 0.5}), seed=0)
    with pytest.raises(BadInput, match="id 'x' occurs twice"):
        choose(rows(3).assign(id=["x", "y", "x"]), Mix(), seed=0)


def test_no_rows_give_no_choice(rows):
    choice = choose(rows(0), Mix(targets={"topic": {"graphs": 0.3}}), seed=0)
    assert (len(choice.keep), choice.left_out) == (0, [])


def test_markdown_shows_wanted_available_and_achieved(rows):
    text = choose(rows(500), Mix(targets={"difficulty": {"hard": 0.5}}), seed=0).to_markdown()
    assert "| axis | value | wanted | available | kept | achieved |" in text
    assert "| difficulty | hard | 50.0% |" in text


def test_markdown_shows_values_as_they_are_written():
    subset = "a|b *c* [d](e)\n<img>"
    frame = pd.DataFrame({"id": range(4), "subset": [subset, subset, "x", "x"]})
    choice = choose(frame, Mix(targets={"subset": {subset: 0.9}}, tolerance=0), seed=0)
    assert subset in choice.message
    text = choice.to_markdown()
    shown = r"a\|b \*c\* \[d\](e) &lt;img&gt;"
    assert text.count(shown) == 2
    assert not re.search(r"<img|(?<!\\)[*\[]", text)
