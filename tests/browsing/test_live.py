"""Whether a run has ended, and re-runs where several are asked for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tasks.browsing import rerun
from tasks.browsing.rerun import Rerunner
from tasks.errors import SandboxUnavailable
from tasks.lease import FILE, Writer, one_writer
from tasks.models import Pair
from tasks.publishing.folder import Manifest, release_store
from tasks.settings import Sandbox
from tests.browsing.serving import served
from tests.kpis.runs import ALL, finished
from tests.labeling.rows import verdict


@pytest.mark.parametrize("place", ["", "elsewhere"])
def test_a_run_has_ended_when_its_own_release_is_there_and_nobody_writes_it(tmp_path, place):
    release = {"path": str(tmp_path / place)} if place else {}
    run = finished(tmp_path / "store", release=release)
    with served(run, tmp_path) as site, site.client() as client:

        def ended() -> bool:
            return bool(client.get("/live.json").json()["ended"])

        assert not ended()
        folder = release_store(run.config)
        folder.write(Manifest(run="another").model_dump_json().encode(), "release.json")
        assert not ended()
        folder.write(Manifest(run="r").model_dump_json().encode(), "release.json")
        assert ended()
        with one_writer(run.store, "r", 0, print):
            assert not ended()
        assert ended()
        killed = Writer.here().model_copy(update={"host": "another/1"})
        run.store.write(killed.model_dump_json().encode(), "r", FILE)
        assert ended()
        run.store.remove("r", "triplets", "manifest.json")
        assert not ended()


class _Slow:
    """A box in which pairs take as long as the test wants."""

    made = 0
    go = threading.Event()
    running = threading.Event()

    def __init__(self, settings: Sandbox) -> None:
        type(self).made += 1

    def run(self, pair: Pair, look: object) -> object:
        self.running.set()
        assert self.go.wait(30)
        return verdict(1).pair

    def close(self) -> None:
        pass


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> type[_Slow]:
    made = type("Slow", (_Slow,), {"made": 0, "go": threading.Event(), "running": threading.Event()})
    monkeypatch.setattr(rerun, "SandboxPool", made)
    return made


def waits(rerunner: Rerunner) -> None:
    """Until a second one waits."""
    for _ in range(300):
        if rerunner._room._value == 0:
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_one_row_is_run_at_a_time_another_waits_and_a_third_is_turned_away(tmp_path, slow):
    with served(finished(tmp_path / "store"), tmp_path) as site, site.client() as client:

        def run(row: str) -> int:
            return client.post("/rerun", json={"id": row}, headers=site.writes).status_code

        with ThreadPoolExecutor(2) as threads:
            others = [threads.submit(run, row) for row in ALL[:2]]
            waits(site.desk.rerunner)
            third = client.post("/rerun", json={"id": ALL[2]}, headers=site.writes)
            slow.go.set()
            assert [one.result() for one in others] == [200, 200]
        assert third.status_code == 429 and "one row is run at a time" in third.text
        assert run(ALL[2]) == 200


def test_a_server_that_stops_starts_no_other_box(slow):
    rerunner = Rerunner(Sandbox())
    pair = Pair(id="p", solution="", test="def test(): pass")
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(rerunner.run, pair)
        assert slow.running.wait(30)
        second = threads.submit(rerunner.run, pair)
        waits(rerunner)
        closing = threads.submit(rerunner.close)
        while not rerunner._closed:
            time.sleep(0.01)
        slow.go.set()
        closing.result()
        assert first.result()
        with pytest.raises(SandboxUnavailable, match="being stopped"):
            second.result()
    with pytest.raises(SandboxUnavailable, match="Start it again"):
        rerunner.run(pair)
    assert slow.made == 1
