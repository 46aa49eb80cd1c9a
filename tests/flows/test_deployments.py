"""The README's way to a schedule: deploy, worker, ad-hoc run with parameters, on a real server and a real worker."""

from __future__ import annotations

import time
from collections import Counter

from tests.flows.test_resume import answered
from tests.flows.worker import LIGHT, ended, start
from tests.ports import free_port
from tests.processes import running_teacher


def test_all_deployments_have_a_form_and_the_schedules_are_set(api):
    found = {row["name"]: row for row in api.post("/deployments/filter", json={}).json()}
    assert set(found) == {
        "demo",
        "pilot-nightly",
        "full-weekly",
        "source",
        "verify",
        "curate",
        "post-train",
        "verify-pairs",
        "audit-pairs",
        "curate-rows",
        "convert-rows",
        "export",
        "evaluate",
        "check-benchmark",
        "kpis",
        "prune",
        "train",
        "experiment",
    }
    assert found["pilot-nightly"]["schedules"][0]["schedule"]["cron"] == "0 2 * * *"
    assert found["pilot-nightly"]["schedules"][0]["active"]
    assert not found["full-weekly"]["schedules"][0]["active"]
    schema = found["demo"]["parameter_openapi_schema"]
    attempts = schema["definitions"]["Verification"]["properties"]["attempts"]
    assert (attempts["minimum"], attempts["maximum"]) == (1, 100)
    assert attempts["description"]


def test_the_form_sends_nothing_that_was_not_filled_in(api):
    """The UI sends every default of the form's schema, and what it sends overrides the profile."""
    deployment = api.get("/deployments/name/build-dataset/demo").json()
    definitions = deployment["parameter_openapi_schema"]["definitions"]
    sections = [definitions[name] for name in ("BuildConfig", "Verification", "Sandbox", "Endpoint", "Sampling")]
    defaults = [field.get("default") for section in sections for field in section["properties"].values()]
    assert {value for value in defaults if value not in (None, {})} <= {True, False}


def test_scheduled_runs_are_waiting(api, prefect_server):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        query = {
            "deployments": {"name": {"any_": ["pilot-nightly"]}},
            "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
        }
        if api.post("/flow_runs/filter", json=query).json():
            return
        time.sleep(1)
    raise AssertionError("the scheduler made no run of pilot-nightly")


def test_ad_hoc_run_from_the_form(api, tmp_path):
    config = {
        "profile": "demo",
        "store": str(tmp_path / "store"),
        "only": ["Prefill"],
        "subsets": {"Prefill": {"count": 9}},
        **LIGHT,
        "shard_size": 5,
    }
    run = ended(api, start(api, "build-dataset/demo", {"config": config}))
    assert run["state"]["type"] == "COMPLETED", run["state"]["message"]
    assert run["name"] == "build demo"
    assert (tmp_path / "store/demo/release/release.json").exists()

    artifacts = api.post("/artifacts/filter", json={"artifacts": {"key": {"any_": ["funnel", "difficulty"]}}}).json()
    assert {row["key"] for row in artifacts} == {"funnel", "difficulty"}
    stages = {"flow_runs": {"parent_flow_run_id": {"any_": [run["id"]]}}}
    parents = [run["id"], *(row["id"] for row in api.post("/flow_runs/filter", json=stages).json())]
    below = {"flow_runs": {"parent_flow_run_id": {"any_": parents}}}
    progress = api.post("/artifacts/filter", json={"artifacts": {"type": {"any_": ["progress"]}}, **below}).json()
    assert {row["key"] for row in progress} == {
        "questions-progress",
        "triplets-progress",
        "examinations-progress",
        "curated-progress",
        "grades-progress",
    }
    assert [row["data"] for row in progress] == [100.0] * 5
    names = {row["name"] for row in api.post("/task_runs/filter", json={"limit": 200}).json()}
    assert {
        "questions part-00000",
        "attempt 2 part-00001",
        "execute part-00000-try-01",
        "label part-00001",
    } <= names


def test_out_of_bounds_value_is_refused_by_the_form(api):
    deployment = api.get("/deployments/name/build-dataset/demo").json()
    bad = {"config": {"profile": "demo", "verification": {"attempts": 0}}}
    created = api.post(f"/deployments/{deployment['id']}/create_flow_run", json={"parameters": bad})
    assert created.status_code in (409, 422)
    assert "0 is less than the minimum of 1" in created.text


def test_failed_run_says_why(api, tmp_path):
    url = f"http://127.0.0.1:{free_port()}/v1"
    config = {
        "profile": "pilot",
        "store": str(tmp_path),
        "only": ["Prefill"],
        "teachers": {"author": {"base_url": url, "api_key_env": ""}},
    }
    run = ended(api, start(api, "build-dataset/demo", {"config": config}))
    assert run["state"]["type"] == "FAILED"
    assert url in run["state"]["message"]
    assert "cannot be reached" in run["state"]["message"]


def test_cancelled_run_loses_no_answer_and_goes_on_when_started_again(api, tmp_path):
    """Cancelled as the UI does it, while requests are in flight; the worker ends the flow's process."""
    with running_teacher(tmp_path, "--latency", "0.4") as teacher:
        author = {"kind": "openai", "base_url": teacher.url, "max_in_flight": 4}
        parameters = {
            "config": {
                "profile": "demo",
                "run": "cancelled",
                "store": str(tmp_path),
                "only": ["Prefill"],
                "subsets": {"Prefill": {"count": 12}},
                "shard_size": 4,
                **LIGHT,
                "teachers": {"author": author},
            }
        }
        run = start(api, "build-dataset/demo", parameters)
        deadline = time.monotonic() + 120
        while answered(tmp_path) < 6 and time.monotonic() < deadline:
            time.sleep(0.1)
        state = {"type": "CANCELLING", "name": "Cancelling"}
        assert api.post(f"/flow_runs/{run}/set_state", json={"state": state}).status_code == 201
        assert ended(api, run)["state"]["type"] == "CANCELLED"
        time.sleep(1)
        told = sum(bool(request["answered"]) for request in teacher.requests())
        assert 6 <= answered(tmp_path) == told
        again = start(api, "build-dataset/demo", parameters)
        assert ended(api, again)["state"]["type"] == "COMPLETED"
        asked = Counter(str(request["key"]) for request in teacher.requests() if request["answered"])
    assert max(asked.values()) == 1
