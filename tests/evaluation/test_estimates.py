"""pass@k, its intervals, and what is said of differences."""

from __future__ import annotations

import itertools
import random
from math import comb

import pytest
from prefect.utilities.callables import parameter_schema

from flows.evaluate import evaluate, evaluation_config
from tasks.errors import BadInput
from tasks.evaluation.comparison import check_comparable, compare
from tasks.evaluation.estimator import estimate
from tasks.evaluation.items import read_items
from tasks.evaluation.report import comparison_report, report_of
from tasks.evaluation.result import digest_of, read_result
from tasks.intervals import bootstrap_mean, pass_at_k, sign_flip_p
from tasks.models.scores import EvaluationResult, ItemResult
from tasks.settings import Evaluation, EvaluationConfig


def result(passed: list[int], samples: int = 1, **changes: object) -> EvaluationResult:
    """A result with as many items as numbers of passes."""
    items = [
        ItemResult(
            id=f"item-{number}",
            digest=f"{number:016d}",
            samples=samples,
            passed=count,
            outcomes={"passed": count, "failed": samples - count},
            difficulty="easy" if number % 2 else "hard",
            date="",
            topic="",
        )
        for number, count in enumerate(passed)
    ]
    values = {
        "benchmark": "ours",
        "asked": {
            "model": "tiny",
            "asking": "chat",
            "system": "",
            "templates": ["evaluate@1"],
            "sampling": {"temperature": 0.0, "top_p": 1.0, "max_tokens": 100},
            "samples": samples,
            "seed": 0,
            "backend": "bubblewrap",
            "image": "sha256:1",
        },
        "scores": [estimate([(one.samples, one.passed) for one in items], 1)],
        "groups": [],
        "outcomes": {"passed": sum(passed), "failed": samples * len(passed) - sum(passed)},
        "cut_off": 0,
        "shared": 0,
        "not_asked": 0,
        "left_out": {},
        "spent": {"prompt_tokens": 10, "completion_tokens": 10, "usd": None},
        "items": items,
    }
    return EvaluationResult.model_validate({**values, **changes})


@pytest.mark.parametrize(("samples", "passed"), [(n, c) for n in range(1, 8) for c in range(n + 1)])
def test_pass_at_k_is_the_share_of_draws_of_k_that_hold_a_pass(samples, passed):
    right = [number < passed for number in range(samples)]
    for k in range(1, samples + 1):
        draws = list(itertools.combinations(right, k))
        assert pass_at_k(samples, passed, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_stays_exact_for_many_samples():
    assert pass_at_k(1000, 3, 100) == pytest.approx(1 - comb(997, 100) / comb(1000, 100))


@pytest.mark.parametrize(("samples", "passed", "k"), [(3, 4, 1), (3, -1, 1), (3, 1, 4), (3, 1, 0)])
def test_impossible_counts_are_refused(samples, passed, k):
    with pytest.raises(ValueError, match=f"got {passed} of {samples}, k {k}"):
        pass_at_k(samples, passed, k)


def test_one_sample_has_wilsons_interval_and_several_have_a_bootstrap_that_is_narrower():
    one = estimate([(1, 1)] * 40 + [(1, 0)] * 60, 1)
    ten = estimate([(10, 4)] * 100, 1), estimate([(10, 3), (10, 5)] * 50, 1)
    assert one is not None
    assert (one.method, one.value) == ("wilson", 0.4)
    assert one.low == pytest.approx(0.309, abs=0.001)
    assert one.high == pytest.approx(0.498, abs=0.001)
    assert all(found and found.method == "bootstrap" and found.high - found.low < 0.05 for found in ten)


def test_nothing_passed_is_not_taken_for_certain():
    none = estimate([(1, 0)] * 20, 1)
    assert none is not None
    assert none.low == 0
    assert 0.1 < none.high < 0.2


def test_items_with_fewer_samples_than_k_have_no_say():
    found = estimate([(10, 5), (2, 0)], 10)
    assert found is not None
    assert (found.items, found.value) == (1, 1.0)
    assert estimate([(2, 1)], 10) is None


def test_bootstrap_covers_the_true_mean_about_as_often_as_it_says():
    draw = random.Random(5)
    covered = 0
    for trial in range(200):
        values = [draw.choice([0.0, 0.2, 0.5, 1.0]) for _ in range(60)]
        low, high = bootstrap_mean(values, trial)
        covered += low <= 0.425 <= high
    assert covered >= 180


def test_sign_flips_agree_with_mcnemars_exact_test():
    # 12 gained and 3 lost: two-sided binomial p of 0.0352.
    assert sign_flip_p([1.0] * 12 + [-1.0] * 3 + [0.0] * 100) == pytest.approx(0.0352, abs=0.006)
    assert sign_flip_p([0.0] * 9) == 1.0


def test_equal_results_are_within_noise_and_a_large_gain_is_not():
    before = result([0, 1] * 40)
    [none] = compare(before, before).differences
    assert (none.difference, none.gained, none.lost, none.p, none.within_noise) == (0, 0, 0, 1, True)
    [few] = compare(result([1, 1, 0] + [0, 1] * 38 + [1]), before).differences
    assert few.within_noise
    later = result([1, 1] * 20 + [0, 1] * 20)
    [much] = compare(later, before).differences
    assert (much.gained, much.lost, much.within_noise) == (20, 0, False)
    assert much.difference == pytest.approx(0.25)
    assert 0.1 < much.low < 0.25 < much.high < 0.4
    told = comparison_report(compare(later, before))
    assert "pass@1 is better by 25.0 points" in told


def test_items_that_changed_or_that_one_result_lacks_are_not_compared():
    before = result([0, 1, 0, 1])
    items = [one.model_copy() for one in before.items[:3]]
    items[0].digest = "another"
    found = compare(before.model_copy(update={"items": items}), before)
    assert (found.same, found.changed, found.only_one) == (2, ["item-0"], 1)


def test_another_way_of_asking_is_told():
    before = result([0, 1])
    later = result([0, 1], asked={**before.asked.model_dump(), "templates": ["evaluate@2"], "image": "sha256:2"})
    assert [one.partition(":")[0] for one in compare(later, before).asked_otherwise] == ["templates", "image"]


def test_results_on_other_items_are_refused_before_anybody_is_asked():
    items = list(read_items(Evaluation(limit=3)))
    with pytest.raises(BadInput, match="0 of the 3 items here are among them"):
        check_comparable(items, result([0, 1]))
    known = result([0, 1])
    for one, item in zip(known.items, items, strict=False):
        one.id, one.digest = item.id, digest_of(item)
    check_comparable(items, known)


def test_a_result_is_read_back_as_it_was_written_and_another_file_is_refused(tmp_path):
    path, before = tmp_path / "result.json", result([0, 3, 5], samples=5)
    path.write_text(before.model_dump_json())
    assert read_result(path) == before
    path.write_text('{"rows": 3}')
    with pytest.raises(BadInput, match=r"no result of kodforge evaluate"):
        read_result(path)
    with pytest.raises(BadInput, match="cannot be read"):
        read_result(tmp_path / "absent.json")


def test_the_report_says_what_is_missing_and_breaks_no_table(tmp_path):
    odd = result([0, 1], not_asked=3, cut_off=2, shared=1, left_out={"missing_library": ["a|b\n\x1b[31m"]})
    text = report_of(odd)
    assert "**Not complete**: 3 samples without an answer" in text
    assert "2 answers were cut off at 100 tokens" in text
    assert "a\\|b" in text
    assert "\x1b" not in text
    assert all(line.count("|") == text.splitlines()[4].count("|") for line in text.splitlines()[4:7])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"samples": 3, "k": [5]}, "Take at least 5, as in --samples 5"),
        ({"k": [0]}, "pass@0 cannot be estimated"),
        ({"since": "2024-02-01", "until": "2024-01-01"}, "Swap them"),
        (
            {"samples": 2, "model": {"base_url": "http://h/v1", "model": "m", "sampling": {"temperature": 0}}},
            "the same answer 2 times",
        ),
    ],
)
def test_what_cannot_be_estimated_is_refused(values, says):
    with pytest.raises(ValueError, match=says):
        Evaluation.model_validate(values)


def test_the_temperature_follows_the_samples_where_nobody_gives_it():
    def temperature(**values: object) -> float:
        model = Evaluation.model_validate({"model": {"base_url": "http://h/v1", "model": "m"}, **values}).model
        assert model is not None
        return model.sampling.temperature

    assert (temperature(), temperature(samples=10)) == (0.0, 0.8)
    assert Evaluation(samples=10).ks == (1, 10)
    given = {"base_url": "http://h/v1", "model": "m", "sampling": {"temperature": 0.2, "max_tokens": 9}}
    assert temperature(samples=10, model=given) == 0.2


def test_a_budget_in_dollars_needs_prices():
    with pytest.raises(ValueError, match=r"prices of evaluation\.model are not known"):
        EvaluationConfig(budget={"usd": 1}, evaluation={"model": {"base_url": "http://h/v1", "model": "m"}})


def test_the_form_sends_nothing_that_was_not_filled_in():
    """The UI sends every default of the form's schema, and what it sends overrides the profile."""
    definitions = parameter_schema(evaluate.fn).model_dump()["definitions"]
    sections = [definitions[name] for name in ("EvaluationConfig", "Evaluation", "Endpoint", "Sampling", "Sandbox")]
    defaults = [field.get("default") for section in sections for field in section["properties"].values()]
    assert {value for value in defaults if value not in (None, {})} <= {True, False}


def test_a_profile_gives_what_arguments_and_overrides_leave(tmp_path):
    profile = tmp_path / "mine.yaml"
    profile.write_text("evaluation: {samples: 3, model: {base_url: 'http://h/v1', model: m}}\nsandbox: {wall_s: 7}\n")
    found = evaluation_config(str(profile), {"benchmark": "humaneval", "samples": None}, ["evaluation.limit=4"])
    assert (found.evaluation.samples, found.evaluation.limit, found.sandbox.wall_s) == (3, 4, 7)
    assert found.title == "humaneval-m"
    with pytest.raises(BadInput, match=r"evaluation\.sample: Extra inputs"):
        evaluation_config("", {"benchmark": "humaneval"}, ["evaluation.sample=4"])
    with pytest.raises(BadInput, match=r"no profile 'absent\.yaml'"):
        evaluation_config("absent.yaml", {"benchmark": "humaneval"}, [])
