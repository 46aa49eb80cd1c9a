"""Runs that are named by the day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from flows.console.options import load_config
from tasks.errors import BadInput
from tasks.run import config_fingerprint
from tasks.settings import BuildConfig

DATED = ["run=night-{date}", "seed=7"]


def test_day_is_in_the_name_and_in_the_seed():
    first, second = (load_config("demo", [*DATED, f"date=2026-11-0{day}"]) for day in (1, 2))
    assert (first.run, second.run) == ("night-2026-11-01", "night-2026-11-02")
    assert len({7, first.seed, second.seed}) == 3
    assert load_config("demo", [*DATED, "date=2026-11-01"]) == first
    assert load_config("demo", ["run=night-{date}", "seed=8", "date=2026-11-01"]).seed != first.seed


def test_without_a_date_the_console_means_today():
    before = datetime.now(UTC).date()
    assert load_config("demo", DATED).date in (before, datetime.now(UTC).date())


def test_day_is_put_in_once():
    once = BuildConfig(profile="demo", run="night-{date}").on(date(2026, 11, 1))
    assert once.on(date(2026, 11, 2)) == once


def test_date_changes_nothing_of_a_run_that_is_not_named_by_it():
    plain, dated = load_config("demo", []), load_config("demo", ["date=2026-11-01"])
    assert (plain.run, plain.seed) == (dated.run, dated.seed)
    assert config_fingerprint(plain) == config_fingerprint(dated)


@pytest.mark.parametrize("sets", [["date=tomorrow"], ["run={day}"], ["run=a/{date}"]])
def test_what_is_no_date_and_no_name_is_refused(sets):
    with pytest.raises(BadInput, match=sets[0].partition("=")[0]):
        load_config("demo", sets)
