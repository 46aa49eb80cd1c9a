"""A forecast from the rates of a run that was made: its own time comes out, and nothing is asked."""

from __future__ import annotations

import pytest
import yaml

from tests.flows.test_resume import QUICK
from tests.processes import sets


@pytest.fixture(scope="module")
def built(kodforge, tmp_path_factory):
    """The options of a run that was built, and its folder."""
    folder = tmp_path_factory.mktemp("forecast")
    options = sets(**{**QUICK, "run": "measured", "teachers__author__kind": "demo", "store": folder / "store"})
    done = kodforge("run", *options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return options, folder


def test_rates_are_read_off_a_run(kodforge, built):
    options, folder = built
    rates = folder / "rates.yaml"
    arguments = ["--from", "measured", "--workers", "1", "--seeds", "1", "--write-rates", str(rates)]
    done = kodforge("forecast", "--profile", "demo", *options, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "17 prompts" in done.stdout
    found = yaml.safe_load(rates.read_text())
    assert found["calls"]["attempts"]["per_row"] == 1
    assert found["calls"]["attempts"]["completion_tokens"] > 0
    assert found["calls"]["contracts"]["per_row"] > 0
    assert found["calls"]["mending"]["per_row"] == 0.05, "the run had none of it: as assumed"
    assert found["stages"]["verdicts"]["sandbox_s"] > 0
    assert found["stages"]["verdicts"]["bytes"] > 0
    fared = {name: sum(found["outcomes"][name].values()) for name in ("*", "Prefill", "Leetcode")}
    assert 0 < fared["Prefill"] <= 9
    assert 0 < fared["Leetcode"] <= 8
    assert fared["*"] == fared["Prefill"] + fared["Leetcode"]

    again = kodforge("forecast", "--profile", "demo", *options, "--rates", str(rates), "--workers", "2")
    assert again.returncode == 0, again.stdout + again.stderr


def test_run_that_was_not_made_is_named(kodforge, built):
    options, _ = built
    done = kodforge("forecast", "--profile", "demo", *options, "--from", "nowhere", "--workers", "1")
    assert done.returncode == 1
    assert "no flow run that built 'nowhere'" in done.stderr
