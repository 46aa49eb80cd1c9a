"""Which differences of an experiment are beyond chance."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.errors import BadInput
from tasks.training.report import experiment_report
from tasks.training.results import ExperimentResult, summarise_experiment
from tests.training.releases import result


def summarise(runs, failed=None):
    return summarise_experiment("e", "release", [], runs, failed or {})


def passes(share, items=164, seed=0):
    return (np.random.default_rng(seed).random(items) < share).astype(int).tolist()


def test_a_large_gain_on_the_same_items_is_beyond_chance_and_a_small_one_noise():
    base = passes(0.3)
    better = [max(one, two) for one, two in zip(base, passes(0.4, seed=1), strict=True)]
    same = [*base]
    same[0], same[1] = 1 - same[0], 1 - same[1]
    found = summarise(
        {
            ("m", "base", None): {"humaneval": result(base)},
            ("m", "good", 0): {"humaneval": result(better)},
            ("m", "none", 0): {"humaneval": result(same)},
        }
    )
    told = {(one.recipe, one.against): one for one in found.comparisons}
    assert told["good", "base"].beyond_chance
    assert told["good", "base"].low > 0
    assert not told["none", "base"].beyond_chance
    assert set(told) == {("good", "base"), ("none", "base"), ("none", "good")}
    report = experiment_report(found)
    assert "| better |" in report
    assert "| noise |" in report
    assert "one seed" in report


def test_seeds_that_differ_among_themselves_widen_the_interval():
    base = {"b": result(passes(0.3))}
    alike = {("m", "r", seed): {"b": result(passes(0.4, seed=7))} for seed in range(3)}
    apart = {("m", "r", seed): {"b": result(passes(share, seed=7))} for seed, share in enumerate((0.2, 0.4, 0.6))}
    widths = []
    for trained in (alike, apart):
        (one,) = summarise({("m", "base", None): base, **trained}).comparisons
        assert one.seeds == (3, 1)
        widths.append(one.high - one.low)
    assert widths[1] > 1.2 * widths[0]


def test_several_evaluations_are_averaged_each_with_the_same_weight():
    runs = {
        ("m", "base", None): {"small": result([0] * 10), "large": result([0] * 90)},
        ("m", "r", 0): {"small": result([1] * 10), "large": result([0] * 90)},
    }
    found = summarise(runs)
    averages = {one.recipe: one.value for one in found.scores if one.evaluation == "average"}
    assert averages == {"base": 0, "r": 0.5}
    (one,) = (one for one in found.comparisons if one.evaluation == "average")
    assert one.difference == pytest.approx(0.5)


def test_ten_items_of_which_one_is_gained_prove_nothing():
    (one,) = summarise(
        {("m", "base", None): {"b": result([0] * 10)}, ("m", "r", 0): {"b": result([1] + [0] * 9)}}
    ).comparisons
    assert one.p > 0.5
    assert not one.beyond_chance


def test_null_effects_are_rarely_called_beyond_chance():
    called = 0
    for trial in range(100):
        runs = {
            ("m", recipe, seed): {"b": result(passes(0.5, 60, 1000 * trial + number))}
            for number, (recipe, seed) in enumerate((("base", None), ("r", 0)))
        }
        called += summarise(runs).comparisons[0].beyond_chance
    assert called <= 12


def test_models_are_compared_with_their_own_base_alone():
    runs = {(model, recipe, None): {"b": result([0, 1])} for model in ("m", "n") for recipe in ("base", "r")}
    assert {(one.model, one.recipe, one.against) for one in summarise(runs).comparisons} == {
        ("m", "r", "base"),
        ("n", "r", "base"),
    }


def test_items_that_changed_between_cells_are_not_compared():
    runs = {("m", "base", None): {"b": result([0, 1])}, ("m", "r", 0): {"b": result([0, 1], digest="other")}}
    with pytest.raises(BadInput, match="has other items for m / r"):
        summarise(runs)


def test_a_report_names_what_is_missing_and_survives_without_any_result():
    found = summarise({}, {"m / r / seed 0": "out of\nmemory | killed"})
    assert "- m / r / seed 0: out of memory \\| killed" in experiment_report(found)
    assert ExperimentResult.model_validate_json(found.model_dump_json()) == found


def test_every_k_is_scored_and_the_least_is_compared():
    runs = {
        ("m", "base", None): {"b": result([0, 5, 10], samples=10)},
        ("m", "r", 0): {"b": result([5, 5, 10], samples=10)},
    }
    found = summarise(runs)
    assert {(one.recipe, one.k) for one in found.scores} == {("base", 1), ("base", 10), ("r", 1), ("r", 10)}
    assert [one.k for one in found.comparisons] == [1]
    assert found.comparisons[0].difference == pytest.approx(1 / 6)
