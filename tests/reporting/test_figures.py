"""The numbers of a report, against small tables counted by hand."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import pytest

from tasks.kpis.reading import kpis_of
from tasks.models import RejectReason, Verdict
from tasks.publishing.summary import difficulty_by_subset
from tasks.reporting.figures import (
    Bin,
    TaskTime,
    Times,
    attempts_by_subset,
    difficulty_shares,
    distributions,
    figures_of,
    pass_rates,
)
from tasks.run import StageName
from tests.kpis.runs import ALL, finished, reject, write
from tests.reporting.runs import tried

PASS, FAIL = Verdict.PASSED, Verdict.FAILED
MALFORMED, UNASKED = RejectReason.MALFORMED_REPLY, RejectReason.BUDGET_EXHAUSTED


@pytest.fixture
def run(tmp_path):
    made = finished(tmp_path)
    tried(
        made,
        {
            ALL[0]: [PASS, FAIL, PASS],
            ALL[1]: [MALFORMED, PASS, UNASKED],
            ALL[2]: [FAIL, FAIL, FAIL],
            ALL[3]: [Verdict.TIMEOUT, PASS, FAIL],
        },
        mended={ALL[2]: PASS},
    )
    return made


def test_an_attempt_counts_where_it_was_given_and_mended_tests_are_none_of_their_own(run):
    assert attempts_by_subset(run) == {
        "Docs": Counter({(3, 2): 1, (2, 1): 1, (3, 0): 1}),
        "Data_Structure": Counter({(3, 1): 1}),
    }


def test_pass_at_k_is_the_unbiased_estimate(run):
    rates = {(one.subset, one.k): one for one in pass_rates(attempts_by_subset(run))}
    # pass@1: 2/3, 1/2, 0, 1/3; pass@2: 1 - C(1, 2)/C(3, 2) = 1, 1 - C(1, 2)/C(2, 2) = 1, 0, 1 - C(2, 2)/C(3, 2) = 2/3
    assert rates["all", 1].value == pytest.approx((2 / 3 + 1 / 2 + 0 + 1 / 3) / 4)
    assert rates["all", 2].value == pytest.approx((1 + 1 + 0 + 2 / 3) / 4)
    assert rates["Docs", 2].value == pytest.approx(2 / 3)
    assert rates["Data_Structure", 3].value == 1
    assert all(one.low <= one.value <= one.high for one in rates.values())


def test_pass_at_k_is_not_told_for_a_k_that_many_questions_have_no_attempts_for(run):
    told = {(one.subset, one.k): one.questions for one in pass_rates(attempts_by_subset(run))}
    assert ("all", 3) not in told and ("Docs", 3) not in told
    assert told["Data_Structure", 3] == 1


def test_many_questions_have_the_interval_of_a_normal_distribution():
    rates = pass_rates({"Docs": Counter({(2, 2): 200, (2, 1): 100, (2, 0): 100})})
    assert [(one.subset, one.k) for one in rates] == [("Docs", 1), ("Docs", 2)]
    assert rates[0].value == 0.625
    # 1.96 * sqrt((200 * 0.375² + 100 * 0.125² + 100 * 0.625²) / 399 / 400)
    half = 1.959964 * ((200 * 0.375**2 + 100 * 0.125**2 + 100 * 0.625**2) / 399 / 400) ** 0.5
    assert (rates[0].low, rates[0].high) == (pytest.approx(0.625 - half), pytest.approx(0.625 + half))


@pytest.mark.parametrize("questions", [199, 201, 5000])
def test_that_all_were_solved_is_not_certain_of_the_next(questions):
    (rate,) = pass_rates({"Docs": Counter({(1, 1): questions})})
    assert (rate.value, rate.high) == (1, 1)
    assert 1 - 5 / questions < rate.low < 1 - 3 / questions


def test_one_question_says_nothing_of_others():
    (rate,) = (one for one in pass_rates({"Docs": Counter({(2, 1): 1})}) if one.k == 1)
    assert (rate.value, rate.low, rate.high) == (0.5, 0, 1)


def test_a_question_that_nobody_was_asked_or_whose_tests_prove_too_little_did_not_fail(run):
    why = (RejectReason.FAILED, RejectReason.WEAK_TESTS, RejectReason.VACUOUS_TESTS, RejectReason.BUDGET_EXHAUSTED)
    rejects = [reject(f"Docs_{number:08d}_I", reason) for number, reason in enumerate(why)]
    write(run, StageName.TRIPLETS, [], rejects, "part-00001")
    assert difficulty_by_subset(run).loc["Docs"].to_dict() == {
        "easy": 0,
        "medium": 0,
        "hard": 0,
        "unproven": 2,
        "fail": 1,
    }


def test_nothing_is_said_of_the_difficulty_where_nobody_was_asked(run):
    rejects = [reject(ALL[0], RejectReason.TEACHER_FAILED)]
    write(run, StageName.TRIPLETS, [], rejects, "part-00001")
    assert difficulty_by_subset(run).empty


def test_difficulty_stands_beside_the_papers_where_that_has_the_subset():
    counts = pd.DataFrame({"easy": [1, 3], "medium": [1, 0], "hard": [0, 0], "fail": [2, 1]}, index=["Prefill", "Mine"])
    shares = {(one.subset, one.whose, one.difficulty): (one.share, one.questions) for one in difficulty_shares(counts)}
    assert shares["Prefill", "this run", "fail"] == (0.5, 2)
    assert shares["Prefill", "KodCode", "easy"] == (pytest.approx(0.711), None)
    assert shares["Mine", "this run", "easy"] == (0.75, 3)
    assert not any(subset == "Mine" and whose == "KodCode" for subset, whose, _ in shares)


def test_values_are_counted_in_the_bin_that_they_open_and_the_highest_in_the_last(tmp_path):
    values = (0.15, 1.0, None)
    rows = {name: {"branch_coverage": value, "mutation_score": 0.3} for name, value in zip(ALL, values, strict=False)}
    found = {one.name: one for one in distributions(finished(tmp_path, rows=rows))}
    branches = found["branch_coverage"]
    assert [one for one in branches.bins if one.rows] == [Bin(0.15, 0.2, 1), Bin(0.95, 1.0, 1)]
    assert (branches.measured, branches.unmeasured, branches.median) == (2, 1, pytest.approx(0.575))
    assert [one for one in found["mutation_score"].bins if one.rows] == [Bin(0.3, 0.35, 3)]
    tests = found["tests"]
    assert tests.measured == 3
    assert sum(one.rows * one.low for one in tests.bins) == pytest.approx(3 * tests.mean)


def test_figures_are_those_of_the_summary_and_of_the_kpis(run):
    found = figures_of(run, kpis_of(run))
    assert {row.stage: (row.rows_in, row.rows_out) for row in found.summary.funnel}["curated"] == (3, 2)
    assert found.verdicts.loc["Docs", "passed"] == 4
    assert found.times is None and found.curation is None
    assert [one.run for one in found.trend] == ["r"]
    assert not found.stops_early


def test_times_of_all_builds_are_added_up():
    one = TaskTime(task="execute", runs=2, reused=1, retries=0, failed=0, teacher=0, sandbox=1.5, own=0.25)
    other = one.model_copy(update={"task": "attempt", "teacher": 9.0})
    times = Times(builds={"a": [one, other], "b": [one]})
    assert [(task.task, task.runs, task.sandbox, task.teacher) for task in times.tasks] == [
        ("execute", 4, 3.0, 0),
        ("attempt", 2, 1.5, 9.0),
    ]
    assert Times.model_validate_json(times.model_dump_json()) == times
