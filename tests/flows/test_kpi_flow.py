"""The flow `kpis` on a real server: its tables, its file, and its state where a target is missed."""

from __future__ import annotations

import json
import subprocess
import sys

import httpx
import pytest

from tests.kpis.runs import ALL, finished
from tests.processes import ROOT

PROGRAM = """
import sys
from flows.kpis import kpis
from tasks.settings import BuildConfig
state = kpis(BuildConfig.model_validate_json(sys.argv[1]), return_state=True)
print(state.type.value, state.message)
"""


@pytest.mark.parametrize(("least", "state"), [(0.1, "COMPLETED"), (0.9, "FAILED")])
def test_a_missed_target_fails_the_flow_after_all_is_told(prefect_server, tmp_path, least, state):
    finished(tmp_path, "before", released=ALL[:1])
    kpis = {"targets": {"yield": {"at_least": least}}, "against": "before"}
    run = finished(tmp_path, f"run-{state.lower()}", kpis=kpis)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps({"store": str(tmp_path), "run": run.config.run, "kpis": kpis})],
        cwd=ROOT,
        env=prefect_server.env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.stdout.startswith(state), done.stdout + done.stderr
    assert ("1 of 1 targets are missed: yield is 50.0%" in done.stdout) is (state == "FAILED")
    found = json.loads((tmp_path / run.config.run / "kpis.json").read_text())
    assert found["kpis"][0]["figure"]["passes"] == 2
    flow = {"flow_runs": {"name": {"any_": [f"kpis {run.config.run}"]}}}
    artifacts = httpx.post(f"{prefect_server.url}/artifacts/filter", json=flow, timeout=30).json()
    told = {"kpis", "kpis-moved", "kpis-by-subset", "kpi-report"} | (
        {"what-to-do-next"} if state == "FAILED" else set()
    )
    assert {one["key"] for one in artifacts if one["key"]} == told
