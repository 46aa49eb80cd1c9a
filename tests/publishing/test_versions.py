"""Versions of a release: how the number rises, and what is kept of those before."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import BadInput
from tasks.models import Split, Style
from tasks.publishing.folder import check_release_free, opened, read_manifest, release_store
from tasks.store import Store
from tests.publishing.rows import only_rows, row, told_as

ROWS = [row(f"q{number}") for number in range(4)]


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def versions(folder):
    return sorted(path.name for path in (folder / "release").iterdir() if path.is_dir())


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
    assert versions(tmp_path) == sorted({"1.0.0", version})
    assert found.previous == ("" if version == "1.0.0" else "1.0.0")


def test_the_release_before_is_kept_whole_and_the_changelog_grows(publishing, tmp_path):
    publishing(ROWS)
    before = files(tmp_path / "release/1.0.0")
    publishing([*ROWS, row("q4")])
    assert files(tmp_path / "release/1.0.0") == before
    assert pq.read_table(tmp_path / "release/1.0.0/data").num_rows == 4
    publishing(ROWS)
    told = (tmp_path / "release/2.0.0/CHANGELOG.md").read_text()
    assert [line.split()[1] for line in told.splitlines() if line.startswith("## ")] == ["2.0.0", "1.1.0", "1.0.0"]
    assert "| q4 |" in told
    assert (
        "From 1.1.0 to 2.0.0: 5 rows before, 4 now; 0 added, 1 removed" in (tmp_path / "release/README.md").read_text()
    )


@pytest.mark.parametrize(("keep", "left"), [(0, []), (1, ["1.2.0"]), (9, ["1.0.0", "1.1.0", "1.2.0"])])
def test_no_more_versions_are_kept_than_asked_for(publishing, tmp_path, keep, left):
    for number in range(1, 5):
        publishing(ROWS[:number], keep=keep)
    assert read_manifest(Store(str(tmp_path / "release"))).version == "1.3.0"
    assert versions(tmp_path) == [*left, "1.3.0"]


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


def test_the_folder_of_a_version_must_be_free_before_any_work(tmp_path):
    (tmp_path / "release/1.0.0").mkdir(parents=True)
    (tmp_path / "release/1.0.0/thesis.tex").write_text("x")
    with pytest.raises(BadInput, match=r"1.0.0' holds files that are no release"):
        check_release_free(only_rows(tmp_path, "r", {"path": str(tmp_path / "release")}))


def test_a_release_that_lost_a_file_is_published_again(publishing, tmp_path):
    publishing(ROWS)
    (tmp_path / "release/1.0.0/data/train-00000-of-00001.parquet").unlink()
    found = publishing(ROWS)
    assert found.version == "2.0.0"
    told = (tmp_path / "release/2.0.0/CHANGELOG.md").read_text()
    assert "Version 1.0.0 can no longer be read" in told and str(tmp_path) not in told
    assert pq.read_table(tmp_path / "release/2.0.0/data").num_rows == 4


def test_a_release_on_an_object_store(publishing):
    publishing(ROWS, folder="memory://bucket/set")
    found = publishing(ROWS[1:], folder="memory://bucket/set/")
    assert found.version == "2.0.0"
    for url, rows in (("memory://bucket/set", 3), ("memory://bucket/set/1.0.0", 4)):
        store, manifest = opened(url)
        assert sum(manifest.rows.values()) == rows
        assert pq.read_table(pa.BufferReader(store.read("data", "train-00000-of-00001.parquet"))).num_rows == rows


def test_the_folder_is_named_by_run_or_config(tmp_path):
    assert release_store(only_rows(tmp_path, "r", {})).url == f"{tmp_path}/store/r/release"
    assert release_store(only_rows(tmp_path, "r", {"path": "/data/set/"})).url == "/data/set"
