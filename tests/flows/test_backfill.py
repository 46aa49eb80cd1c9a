"""Runs of a day: each draws its own questions, and those that are missing can be made up for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from tests.flows.worker import LIGHT, cloned, ended, until

TODAY = datetime.now(UTC).date()
DAYS = [(TODAY - timedelta(days=number)).isoformat() for number in (3, 2, 1)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("nightly")


@pytest.fixture(scope="module")
def nightly(api, store):
    config = {
        "profile": "demo",
        "run": "night-{date}",
        "store": str(store),
        "only": ["Leetcode"],
        "subsets": {"Leetcode": {"count": 4}},
        **LIGHT,
    }
    with cloned(api, "nightly", parameters={"config": config}, tags=["kodforge"], concurrency_limit=1) as name:
        yield name


def flow_runs(api, name):
    query = {"deployments": {"name": {"any_": [name]}}, "sort": "EXPECTED_START_TIME_ASC"}
    return api.post("/flow_runs/filter", json=query).json()


def questions(store, day):
    (path,) = (store / f"night-{day}/questions").glob("part-00000*.parquet")
    table = pq.read_table(path, columns=["question"])
    return table["question"].to_pylist()


def test_run_is_for_the_day_that_it_was_scheduled_for(api, nightly, store):
    deployment = api.get(f"/deployments/name/{nightly}").json()
    moment = f"{DAYS[0]}T02:00:00+00:00"
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": moment}}
    made = api.post(f"/deployments/{deployment['id']}/create_flow_run", json={"state": state}).json()
    done = ended(api, made["id"])
    assert done["state"]["type"] == "COMPLETED", done["state"]["message"]
    assert done["name"] == f"build night-{DAYS[0]}"
    assert (store / f"night-{DAYS[0]}/release/release.json").exists()


@pytest.mark.slow
def test_backfill_makes_the_days_that_are_missing(api, kodforge, nightly, store):
    done = kodforge("backfill", nightly, "--from", DAYS[0], "--to", DAYS[2])
    assert done.returncode == 0, done.stderr
    assert f"{DAYS[0]}  night-{DAYS[0]}  has its release" in done.stdout
    assert "2 flow runs scheduled" in done.stdout
    again = kodforge("backfill", nightly, "--from", DAYS[0], "--to", DAYS[2], "--dry-run")
    assert "is under way, or waits for its turn" in again.stdout

    runs = [run for run in flow_runs(api, "nightly") if "backfill" in run["tags"]]
    assert len(runs) == 2
    for run in runs:
        assert until(api, run["id"], lambda now: now["state"]["type"] == "COMPLETED")
    names = {run["name"] for run in flow_runs(api, "nightly")}
    assert names == {f"build night-{DAYS[0]}", *(f"build night-{day} (backfill)" for day in DAYS[1:])}
    drawn = [questions(store, day) for day in DAYS]
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]

    nothing = kodforge("backfill", nightly, "--from", DAYS[0], "--to", DAYS[2])
    assert "0 flow runs scheduled" in nothing.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["demo", "--from", DAYS[0], "--to", DAYS[1]], "makes one run, 'demo', whatever the day"),
        (["none", "--from", DAYS[0], "--to", DAYS[1]], "no deployment 'build-dataset/none'"),
        (["nightly", "--from", DAYS[1], "--to", DAYS[0]], "must be in order"),
    ],
)
def test_backfill_that_cannot_be_says_why(kodforge, nightly, arguments, told):
    done = kodforge("backfill", *arguments)
    assert done.returncode == 1
    assert told in done.stderr
