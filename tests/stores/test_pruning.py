"""Old runs lose their stages, and nothing else."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.artifacts import Outcome, Stage
from tasks.models import Reject, RejectReason
from tasks.pruning import ENDED, old_runs, prune_run
from tasks.store import Store
from tests.commands import invoked
from tests.writing import written_by_another

STAYS = sorted([ENDED, "report.html", "release/data/train.parquet"])


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "s3":
        return Store(f"s3://{request.getfixturevalue('bucket')}/store")
    return Store(str(tmp_path / "store"))


def made(store: Store, run: str, ended: bool = True) -> None:
    """A run with two stages, its release and its report."""
    rejects = [Reject(id="a", subset="Docs", reason=RejectReason.TOO_SHORT, evidence="e")]
    for name in ("questions", "attempts"):
        stage = Stage(store, run, name)
        stage.finish([stage.run_shard("part-00000", Reject, [], lambda: Outcome(1, [], rejects))], "config")
    for place in ("report.html", "release/data/train.parquet"):
        store.write(b"1234", run, *place.split("/"))
    if ended:
        store.write(b"{}", run, ENDED)


def files(store: Store, run: str) -> list[str]:
    root = store.path(run)
    return sorted(str(name)[len(root) + 1 :] for name in store.fs.find(root))


def test_stages_of_finished_runs_go_and_the_rest_stays(store):
    made(store, "done")
    made(store, "under-way", ended=False)
    store.write(b"of no run", "answers.sqlite")
    time.sleep(1.1)  # a store tells whole seconds
    (found,) = old_runs(store, timedelta(0))
    assert (found.name, found.stages) == ("done", ("attempts", "questions"))
    assert found.size > 1000
    assert prune_run(store, found, print)
    assert [name for name in files(store, "done") if name != "writer.json"] == STAYS
    assert len(files(store, "under-way")) == 10
    assert store.read("answers.sqlite") == b"of no run"
    assert list(old_runs(store, timedelta(0))) == []


def test_a_run_that_ended_lately_keeps_its_stages(store):
    made(store, "done")
    assert list(old_runs(store, timedelta(days=1))) == []


def test_a_run_that_somebody_writes_is_left_alone(tmp_path):
    store = Store(str(tmp_path))
    made(store, "done")
    (found,) = old_runs(store, timedelta(0))
    before, told = files(store, "done"), []
    with written_by_another(tmp_path, "done"):
        assert not prune_run(store, found, told.append)
    assert {*before, "writer.json"} == set(files(store, "done"))
    assert "is being written by" in told[0]


def test_the_command_tells_first_and_then_does_it(prefect_server, tmp_path):
    store = Store(str(tmp_path))
    for run, days in (("old", 31), ("young", 29)):
        made(store, run)
        at = time.time() - days * 86_400
        os.utime(tmp_path / run / ENDED, (at, at))
    options = ("prune", "--older-than", "30", "--set", f"store={tmp_path}")
    told = invoked(prefect_server.url, *options, "--dry-run")
    assert "would be removed" in told.output and "old" in told.output and "young" not in told.output
    assert (tmp_path / "old/questions").exists()
    done = invoked(prefect_server.url, *options)
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "old/questions").exists()
    assert (tmp_path / "young/questions").exists()
    assert invoked(prefect_server.url, "prune", "--older-than", "0").exit_code == 2
