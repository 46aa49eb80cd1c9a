"""Drift: none between equals, not from chance alone, and a warning that names what moved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.curation.diversity.drift import DriftReport, drift, js_distance, psi
from tasks.curation.diversity.measures import Accumulator
from tasks.settings.mix import Axis, Drift

COUNTS = st.lists(st.integers(0, 1000), min_size=2, max_size=8)


def report_of(frame):
    accumulator = Accumulator(sample=100)
    accumulator.add(frame)
    return accumulator.report()


@given(COUNTS)
def test_equal_counts_have_no_distance(counts):
    values = np.array(counts, float)
    assert js_distance(values, values) == pytest.approx(0, abs=1e-7)
    assert js_distance(values, values * 3) == pytest.approx(0, abs=1e-7)
    assert psi(values, values) == pytest.approx(0, abs=1e-9)


@given(COUNTS, st.data())
def test_distance_is_symmetric_and_bounded(counts, data):
    left = np.array(counts, float)
    right = np.array(data.draw(st.lists(st.integers(0, 1000), min_size=len(counts), max_size=len(counts))), float)
    assert js_distance(left, right) == pytest.approx(js_distance(right, left))
    assert 0 <= js_distance(left, right) <= 1 + 1e-9
    assert psi(left, right) >= -1e-9


def test_disjoint_counts_have_distance_one():
    assert js_distance(np.array([5.0, 0]), np.array([0, 9.0])) == pytest.approx(1)


def test_report_does_not_drift_from_itself(rows):
    report = report_of(rows(500))
    found = drift(report, report, Drift())
    assert found.warnings == []
    assert {one.verdict for one in found.axes.values()} == {"same"}
    assert all(one.distance == 0 and one.psi == 0 for one in found.axes.values())


def test_two_samples_of_the_same_are_chance(rows):
    found = drift(report_of(rows(60, seed=1)), report_of(rows(60, seed=2)), Drift())
    assert found.warnings == []
    assert "warning" not in {one.verdict for one in found.axes.values()}


def test_large_shift_is_a_warning_that_names_it(rows):
    found = drift(report_of(rows(2000, hard=0.1)), report_of(rows(2000, seed=1, hard=0.6)), Drift())
    assert found.axes[Axis.DIFFICULTY].verdict == "warning"
    assert {one.value for one in found.axes[Axis.DIFFICULTY].movers} >= {"hard", "easy"}
    (warning,) = found.warnings
    assert warning.startswith("difficulty moved (distance 0.")
    assert "warn_above is 0.1" in warning
    assert "**Warning:** difficulty moved" in found.to_markdown()


def test_small_shift_of_many_rows_is_real_but_small(rows):
    found = drift(report_of(rows(20_000, hard=0.2)), report_of(rows(20_000, seed=1, hard=0.25)), Drift())
    assert found.axes[Axis.DIFFICULTY].verdict == "small"
    assert found.warnings == []
    strict = drift(
        report_of(rows(20_000, hard=0.2)), report_of(rows(20_000, seed=1, hard=0.25)), Drift(warn_above=0.01)
    )
    assert len(strict.warnings) == 1


def test_value_that_appears_is_a_mover(rows):
    before, now = rows(400), rows(400, seed=1)
    now.loc[now.index[:200], "language"] = "de"
    found = drift(report_of(before), report_of(now), Drift())
    mover = found.axes[Axis.LANGUAGE].movers[0]
    assert (mover.value, mover.before, mover.now) in {("de", 0.0, 0.5), ("en", 1.0, 0.5)}
    assert found.axes[Axis.LANGUAGE].verdict == "warning"


def test_few_rows_cannot_prove_a_shift(rows):
    before, now = rows(4).assign(language="en"), rows(4).assign(language=["en", "en", "en", "de"])
    found = drift(report_of(before), report_of(now), Drift())
    assert found.axes[Axis.LANGUAGE].verdict == "chance"


def test_no_rows_at_all_are_a_warning(rows):
    found = drift(report_of(rows(300)), report_of(rows(0)), Drift())
    assert found.axes[Axis.SUBSET].verdict == "warning"


def test_measures_of_unequal_samples_carry_a_caveat(rows):
    assert "do not compare" in drift(report_of(rows(50)), report_of(rows(90)), Drift()).caveat
    assert drift(report_of(rows(200)), report_of(rows(300)), Drift()).caveat == ""


def test_drift_report_survives_json(rows):
    found = drift(report_of(rows(100)), report_of(rows(100, seed=4)), Drift())
    assert DriftReport.model_validate_json(found.model_dump_json()) == found
