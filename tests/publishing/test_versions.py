"""Versions of a release: how the number rises, what is kept of the one before, and what becomes of a kill."""

from __future__ import annotations

import json
import os

import pyarrow.parquet as pq
import pytest

from tasks.artifacts import Store
from tasks.errors import BadInput
from tasks.models import Split, Style
from tasks.publishing import folder, release
from tasks.publishing.folder import check_release_free, read_manifest, release_store, set_aside
from tests.publishing.rows import only_rows, row, told_as

ROWS = [row(f"q{number}") for number in range(4)]


def versions(folder):
    return sorted(path.name for path in folder.glob("release*"))


@pytest.mark.parametrize(
    ("rows", "options", "version"),
    [
        (ROWS, {}, "1.0.0"),
        (ROWS, {"title": "Other"}, "1.0.1"),
        (ROWS, {"rows_per_file": 1}, "1.0.1"),
        ([*ROWS, row("q9")], {}, "1.1.0"),
        (ROWS, {"sets": ["sft"]}, "1.1.0"),
        (ROWS, {"converted": [told_as(Style.COMPLETE, ROWS[0])]}, "1.1.0"),
        (ROWS[1:], {}, "2.0.0"),
        ([*ROWS[1:], row("q0", question="Other?")], {}, "2.0.0"),
        ([*ROWS[1:], row("q0", split=Split.EVALUATION)], {}, "2.0.0"),
    ],
    ids=["same", "title", "files", "more rows", "a set", "a style", "fewer rows", "changed row", "moved row"],
)
def test_the_version_rises_by_what_changed(publishing, tmp_path, rows, options, version):
    publishing(ROWS)
    found = publishing(rows, **options)
    assert found.version == version
    assert versions(tmp_path) == (["release"] if version == "1.0.0" else ["release", "release-1.0.0"])
    assert found.previous == ("" if version == "1.0.0" else "1.0.0")


def test_the_release_before_is_kept_whole_and_the_changelog_grows(publishing, tmp_path):
    publishing(ROWS)
    before = {path.name: path.read_bytes() for path in (tmp_path / "release").iterdir() if path.is_file()}
    publishing([*ROWS, row("q4")])
    kept = {path.name: path.read_bytes() for path in (tmp_path / "release-1.0.0").iterdir() if path.is_file()}
    assert kept == before
    assert pq.read_table(tmp_path / "release-1.0.0/data").num_rows == 4
    publishing(ROWS)
    told = (tmp_path / "release/CHANGELOG.md").read_text()
    assert [line.split()[1] for line in told.splitlines() if line.startswith("## ")] == ["2.0.0", "1.1.0", "1.0.0"]
    assert "| q4 |" in told
    assert (
        "From 1.1.0 to 2.0.0: 5 rows before, 4 now; 0 added, 1 removed" in (tmp_path / "release/README.md").read_text()
    )


@pytest.mark.parametrize(("keep", "left"), [(0, []), (1, ["release-1.2.0"]), (9, ["release-1.0.0", "release-1.1.0"])])
def test_no_more_versions_are_kept_than_asked_for(publishing, tmp_path, keep, left):
    for number in range(1, 5):
        publishing(ROWS[:number], keep=keep)
    assert read_manifest(Store(str(tmp_path / "release"))).version == "1.3.0"
    assert versions(tmp_path) == ["release", *left, *(["release-1.2.0"] if keep == 9 else [])]


def test_files_of_others_in_a_version_that_goes_are_left(publishing, tmp_path):
    publishing(ROWS[:1], keep=0)
    (tmp_path / "release/notes.txt").write_text("mine")
    publishing(ROWS[:2], keep=1)
    (tmp_path / "release-1.0.0/notes.txt").write_text("mine too")
    publishing(ROWS[:3], keep=1)
    assert [path.name for path in (tmp_path / "release-1.0.0").iterdir()] == ["notes.txt"]
    assert (tmp_path / "release/notes.txt").read_text() == "mine"


def test_a_version_of_ones_own_must_be_higher(publishing, tmp_path):
    publishing(ROWS, version="2.1.0")
    publishing(ROWS, version="2.1.0")
    before = sorted(path.name for path in (tmp_path / "release").rglob("*"))
    with pytest.raises(BadInput, match=r"release.version is 2.1.0, and .* has 2.1.0, which holds something else"):
        publishing(ROWS[1:], version="2.1.0")
    assert sorted(path.name for path in (tmp_path / "release").rglob("*")) == before
    lower = only_rows(tmp_path, "r", {"path": str(tmp_path / "release"), "version": "2.0.9"})
    with pytest.raises(BadInput, match=r"release.version is 2.0.9, and .* holds 2.1.0"):
        check_release_free(lower)
    assert publishing(ROWS[1:], version="2.2.0").version == "2.2.0"
    assert publishing(ROWS).version == "2.3.0"


@pytest.mark.parametrize("version", ["1", "v1.0.0", "1.0", "01.0.0", "1.0.0-rc1", "1.0.0\n"])
def test_a_version_that_is_none_is_refused(tmp_path, version):
    with pytest.raises(ValueError, match="version"):
        only_rows(tmp_path, "r", {"version": version})


def test_the_folder_beside_must_be_free_before_any_work(publishing, tmp_path):
    publishing(ROWS)
    (tmp_path / "release-1.0.0").mkdir()
    (tmp_path / "release-1.0.0/thesis.tex").write_text("x")
    with pytest.raises(BadInput, match=r"release-1.0.0' holds files that are no release"):
        check_release_free(only_rows(tmp_path, "r", {"path": str(tmp_path / "release")}))


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moves", [0, 1, 6])
def test_a_kill_while_the_release_before_is_set_aside_loses_nothing(publishing, tmp_path, monkeypatch, moves):
    publishing(ROWS)
    whole = sorted(json.loads((tmp_path / "release/release.json").read_text())["sha256"])
    left, real = [moves], os.replace

    def replace(source, target):
        if "release-1.0.0" in str(target) and not str(source).endswith(".tmp"):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
        real(source, target)

    monkeypatch.setattr(folder.os, "replace", replace)
    with pytest.raises(Killed):
        publishing(ROWS[1:])
    monkeypatch.setattr(folder.os, "replace", real)
    found = publishing(ROWS[1:])
    assert (found.version, found.previous) == ("2.0.0", "1.0.0")
    for name in (*whole, "release.json"):
        assert (tmp_path / "release-1.0.0" / name).is_file()
    assert not (tmp_path / "release-1.0.0/unfinished.json").exists()


def test_going_back_after_a_kill_makes_the_release_whole_again(publishing, tmp_path, monkeypatch):
    publishing(ROWS)
    monkeypatch.setattr(release, "Folder", _raises)
    with pytest.raises(Killed):
        publishing(ROWS[1:])
    monkeypatch.undo()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    assert publishing(ROWS).rows == {"train": 4}
    assert pq.read_table(tmp_path / "release/data").num_rows == 4


def _raises(*_):
    raise Killed


def test_a_release_that_lost_a_file_is_published_again(publishing, tmp_path):
    publishing(ROWS)
    (tmp_path / "release/data/train-00000-of-00001.parquet").unlink()
    found = publishing(ROWS)
    assert found.version == "2.0.0"
    told = (tmp_path / "release/CHANGELOG.md").read_text()
    assert "Version 1.0.0 can no longer be read" in told and str(tmp_path) not in told
    assert pq.read_table(tmp_path / "release/data").num_rows == 4


def test_a_release_on_an_object_store(publishing):
    publishing(ROWS, folder="memory://bucket/set")
    found = publishing(ROWS[1:], folder="memory://bucket/set/")
    assert found.version == "2.0.0"
    for url, rows in (("memory://bucket/set", 3), ("memory://bucket/set-1.0.0", 4)):
        store = Store(url)
        assert sum(read_manifest(store).rows.values()) == rows
        with store.fs.open(store.path("data", "train-00000-of-00001.parquet")) as file:
            assert pq.read_table(file).num_rows == rows


def test_the_folder_is_named_by_run_or_config(tmp_path):
    assert release_store(only_rows(tmp_path, "r", {})).url == f"{tmp_path}/store/r/release"
    assert release_store(only_rows(tmp_path, "r", {"path": "/data/set/"})).url == "/data/set"
    set_aside(Store(str(tmp_path / "nothing")), "r")
    assert not (tmp_path / "nothing").exists()
