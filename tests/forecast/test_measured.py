"""Rates read off a run: what it says of calls that were never made."""

from __future__ import annotations

from tasks.forecast.measured import calls_of
from tests.kpis.runs import finished


def test_what_a_run_had_occasion_to_ask_for_and_did_not_is_asked_for_no_row(tmp_path):
    rewritten = finished(tmp_path / "rewritten", verification={"rigour": "audit"})
    assert calls_of(rewritten)["mending"] == {"per_row": 0.0}
    dropped = finished(tmp_path / "dropped", verification={"rigour": "standard"})
    assert "mending" not in calls_of(dropped)
