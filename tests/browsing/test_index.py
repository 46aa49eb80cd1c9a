"""The index outlives interruptions, other options, full disks and servers that were killed."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.artifacts import Outcome
from tasks.browsing.index import Index
from tasks.browsing.queries import one
from tasks.errors import BadInput, StoreUnavailable
from tasks.models import Attempt, AttemptVerdict, Triplet
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tests.browsing.serving import replaced, served
from tests.kpis.runs import ALL, finished, write
from tests.labeling.rows import attempt, question, verdict
from tests.small_disk import mount, mounted_disk

FIRST, SECOND, TWIN, FAILED = ALL


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, error: type[BaseException]):
    """A start that ends when everything is read and the list is not made yet."""

    def end(*_: object) -> None:
        raise error("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(Index, "_make_rows", end)
        yield


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoreUnavailable])
def test_a_first_start_that_was_interrupted_is_made_up_for_by_the_next(tmp_path, monkeypatch, error):
    run = finished(tmp_path / "store")
    index = Index(run, tmp_path / "index")
    with interrupted(monkeypatch, error), pytest.raises(error):
        index.refresh()
    index.close()
    with served(run, tmp_path) as site, site.client() as client:
        assert 'data-total="4"' in client.get("/").text
        assert 'data-total="3"' in client.get("/rows", params={"q": "return 2"}).text


def test_what_was_removed_while_a_start_was_interrupted_is_gone(tmp_path, monkeypatch):
    run = finished(tmp_path / "store")
    index = Index(run, tmp_path / "index")
    index.refresh()
    run.finish(StageName.TRIPLETS, [])
    with interrupted(monkeypatch, KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        index.refresh()
    index.close()
    with served(run, tmp_path) as site, site.client() as client:
        assert 'data-total="0"' in client.get("/rows", params={"q": "return 2"}).text
        assert 'data-total="4"' in client.get("/rows", params={"q": "write"}).text


def test_with_other_options_the_rows_are_those_of_the_other_stage(tmp_path):
    run = finished(tmp_path / "store")
    with served(run, tmp_path) as site, site.client() as client:
        assert "fate=train" in client.get("/?fate=train").text and released(client) == 2
    mixed = run.config.model_copy(update={"curation": BuildConfig(curation={"mix": {"size": 1}}).curation})
    with served(Run(config=mixed, teachers=mixed.teachers), tmp_path) as site, site.client() as client:
        assert released(client) == 0
    with served(run, tmp_path) as site, site.client() as client:
        assert released(client) == 2


def released(client) -> int:
    return int(client.get("/live.json").json()["released"])


def test_rows_under_way_wait_for_what_they_lack(tmp_path):
    config = BuildConfig(store=str(tmp_path / "store"), run="r")
    run = Run(config=config, teachers=config.teachers)
    write(run, StageName.QUESTIONS, [question().model_copy(update={"question_id": name}) for name in ALL[:3]])
    tries = {name: attempt(1).model_copy(update={"question_id": name, "attempt_id": f"{name}/1"}) for name in ALL[:2]}
    replaced(run, StageName.ATTEMPTS, Attempt, list(tries.values()))
    judged = verdict(1).model_copy(update={"question_id": FIRST, "attempt_id": f"{FIRST}/1"})
    replaced(run, StageName.VERDICTS, AttemptVerdict, [judged])
    with served(run, tmp_path) as site, site.client() as client:
        for name, lacks in ((FIRST, "triplets"), (SECOND, "verdicts"), (TWIN, "attempts")):
            assert f"It waits for {lacks}." in client.get(f"/row?id={name}").text


def test_a_row_is_found_by_its_text_while_the_text_is_read_anew(tmp_path, monkeypatch):
    run = finished(tmp_path / "store")
    with served(run, tmp_path) as site, site.client() as client:
        rows = run.stage(StageName.TRIPLETS).rows("part-00000", Triplet)
        receipt = run.stage(StageName.TRIPLETS).run_shard("part-00000", Triplet, ["anew"], lambda: Outcome.of(rows))
        run.finish(StageName.TRIPLETS, [receipt])
        seen, make = [], Index._make_rows

        def looked(index: Index, cursor: object) -> None:
            seen.append(client.get("/rows", params={"q": "return 2"}).text)
            make(index, cursor)

        monkeypatch.setattr(Index, "_make_rows", looked)
        assert site.desk.index.refresh()
        (page,) = seen
        assert 'data-total="3"' in page


def test_who_reads_sees_the_rows_of_one_moment(tmp_path):
    run = finished(tmp_path / "store")
    index = Index(run, tmp_path / "index")
    index.refresh()
    with index.cursor() as cursor:
        query = "SELECT count(*) FILTER (WHERE stage = 'released'), (SELECT count(*) FROM kept) FROM rows"
        assert one(cursor, query) == (2, 2)
        run.finish(StageName.CURATED, [])
        assert index.refresh()
        assert one(cursor, query) == (2, 2)
    with index.cursor() as cursor:
        assert one(cursor, query) == (0, 0)
    index.close()


def test_receipts_that_were_only_touched_are_read_once(tmp_path, monkeypatch):
    run = finished(tmp_path / "store")
    index = Index(run, tmp_path / "index")
    index.refresh()
    run.store.remove("r", "questions", "manifest.json")  # a run that goes on with shards it has
    read: list[str] = []
    done = type(run.stage(StageName.QUESTIONS)).done

    def counted(stage, shard):
        read.append(f"{stage.name}/{shard}")
        return done(stage, shard)

    monkeypatch.setattr("tasks.artifacts.Stage.done", counted)
    assert not index.refresh() and not index.refresh()
    assert read == ["questions/part-00000"]
    index.close()


def test_a_folder_that_may_not_be_written_is_told_and_the_index_stays(tmp_path):
    run = finished(tmp_path / "store")
    with mounted_disk(tmp_path / "cache", 64) as folder:
        index = Index(run, folder / "browse")
        index.refresh()
        index.close()
        mount(folder, "-o", "remount,ro")
        with pytest.raises(BadInput, match=r"browse'.*Read-only.*XDG_CACHE_HOME"):
            Index(run, folder / "browse")
        with pytest.raises(BadInput, match=r"elsewhere'.*Read-only.*XDG_CACHE_HOME"):
            Index(run, folder / "elsewhere")
        mount(folder, "-o", "remount,rw")
        again = Index(run, folder / "browse")
        assert not again.refresh()
        again.close()


def test_a_full_disk_is_told(tmp_path):
    run = finished(tmp_path / "store")
    full = pytest.raises(BadInput, match=r"No space left.*XDG_CACHE_HOME")
    with mounted_disk(tmp_path / "cache", 1) as folder, full:
        Index(run, folder).refresh()


def test_a_broken_index_whose_path_speaks_of_locks_is_made_anew(tmp_path):
    run = finished(tmp_path / "store")
    folder = tmp_path / "clocks, Could not set lock"
    first = Index(run, folder)
    first.close()
    first.path.write_bytes(b"no database" * 1000)
    (spill := Path(f"{first.path}.tmp")).mkdir()
    (spill / "duckdb_temp_storage-0.tmp").touch()
    again = Index(run, folder)
    assert again.refresh() and not spill.exists() and again.path == first.path
    again.close()


def test_left_overs_of_servers_that_were_killed_are_removed(tmp_path):
    run = finished(tmp_path / "store")
    index = Index(run, tmp_path)
    index.close()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    own = index.path.with_suffix(f".{ended.pid}.duckdb")
    own.touch()
    for path in (index.path, own):
        (spill := Path(f"{path}.tmp")).mkdir()
        (spill / "duckdb_temp_storage-0.tmp").touch()
    of_another = index.path.with_suffix(".1.duckdb")
    of_another.touch()
    Index(run, tmp_path).close()
    assert {file.name for file in tmp_path.glob("*.duckdb*")} == {index.path.name, of_another.name}
