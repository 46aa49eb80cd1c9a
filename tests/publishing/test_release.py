"""The release folder: whose it is, what is replaced in it, and what its licences are judged by."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time

import pandas as pd
import pyarrow.parquet as pq
import pytest

from tasks.curation.diversity.measures import Accumulator
from tasks.curation.report import NAME, CurationReport
from tasks.errors import BadInput
from tasks.licences.decision import check_prompts
from tasks.models import Labels, SeedGroup, Split, Triplet
from tasks.publishing.folder import check_release_free, opened
from tasks.publishing.release import publish
from tasks.publishing.summary import summarise
from tasks.run import Run, StageName
from tasks.sets.catalogue import sets_of
from tests.labeling.rows import question
from tests.publishing.rows import current, finish, only_rows, release_row, shards


@pytest.fixture
def made(tmp_path):
    """A run whose stages hold these rows: the licences of its triplets, and of those that curation kept."""

    def make(triplets, kept=None, split=Split.TRAIN, name="r", sets=(), **settings):
        release = {"path": str(tmp_path / "release"), "rows_per_file": 1000, **settings}
        config = only_rows(tmp_path, name, release, sets)
        run = Run(config=config, teachers=config.teachers)
        rows = [
            release_row(f"q{number}", 9, split=split).model_copy(update={"licence": licence})
            for number, licence in enumerate(triplets)
        ]
        plain = [Triplet(**{name: getattr(row, name) for name in Triplet.model_fields}) for row in rows]
        curated = [row for row, stays in zip(rows, kept or [True] * len(rows), strict=True) if stays]
        run.finish(StageName.TRIPLETS, shards(run, StageName.TRIPLETS, plain))
        run.finish(StageName.VERDICTS, [])
        finish(run, curated)
        return run

    return make


def released(run):
    return publish(run, summarise(run), sets_of).rows


def test_a_set_that_cannot_be_made_leaves_the_release_before_as_it_is(made, tmp_path):
    def stops(_):
        raise BadInput("the mix cannot be met")
        yield

    released(made(["MIT"]))
    before, run = files(tmp_path / "release"), made(["MIT", "MIT"])
    with pytest.raises(BadInput, match="the mix cannot be met"):
        publish(run, summarise(run), stops)
    assert files(tmp_path / "release") == before


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_project_that_looks_like_a_release_is_left_alone(made, tmp_path):
    run, folder = made(["MIT"]), tmp_path / "release"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("my project")
    (folder / "data/measured.csv").write_text("1")
    before = files(folder)
    for attempt in (lambda: check_release_free(run.config), lambda: released(run)):
        with pytest.raises(BadInput, match=r"no release of kodforge \(README.md"):
            attempt()
    assert files(folder) == before


def test_versions_that_are_no_longer_kept_go_and_files_of_others_stay(made, tmp_path):
    folder = tmp_path / "release"
    released(made(["MIT"] * 4, rows_per_file=1, sets=["curriculum"], keep=0))
    (folder / "1.0.0/data/own.csv").write_text("1")
    (folder / "1.0.0/licences/mine").mkdir(parents=True)
    (folder / "1.0.0/licences/mine/note.txt").write_text("2")
    (folder / "notes.txt").write_text("3")
    released(made(["MIT"] * 4, rows_per_file=2, keep=0))
    told = json.loads((folder / "release.json").read_text())
    assert set(files(folder)) == {
        *("notes.txt", "1.0.0/data/own.csv", "1.0.0/licences/mine/note.txt", "release.json", "README.md"),
        *(f"{told['folder']}/{name}" for name in (*told["sha256"], "release.json")),
    }
    assert {name for name in told["sha256"] if name.startswith("data/")} == {
        "data/train-00000-of-00002.parquet",
        "data/train-00001-of-00002.parquet",
    }


def test_a_release_that_was_killed_is_taken_up_by_its_run_only(made, tmp_path):
    folder = tmp_path / "release"
    run = made(["MIT"] * 60, rows_per_file=1)
    child = multiprocessing.get_context("fork").Process(target=released, args=(run,))
    child.start()
    deadline = time.monotonic() + 60
    while not list(folder.glob("1.0.0/data/*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.001)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert list(folder.glob("1.0.0/data/*.parquet"))
    assert not (folder / "release.json").exists()
    left_over = [folder / f"1.0.0/{name}.{'0' * 32}.tmp" for name in ("README.md", "data/train-00000-of-00060.parquet")]
    for path in left_over:
        path.write_text("half")
    with pytest.raises(BadInput, match="already holds the release of run 'r', this run is 'other'"):
        check_release_free(made(["MIT"], name="other").config)
    run = made(["MIT"] * 60, rows_per_file=1)
    check_release_free(run.config)
    assert released(run) == {"train": 60}
    told = json.loads((folder / "1.0.0/release.json").read_text())["sha256"]
    assert set(files(folder / "1.0.0")) == {"release.json", *told}
    assert sum(pq.read_table(path).num_rows for path in folder.glob("1.0.0/data/*.parquet")) == 60


def test_a_first_write_that_was_killed_leaves_the_folder_free(made, tmp_path):
    for name in (f"1.0.0/unfinished.json.{'0' * 32}.tmp", f"README.md.{'0' * 32}.tmp"):
        (tmp_path / "release" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "release" / name).write_text("{")
    assert released(made(["MIT"])) == {"train": 1}
    assert not list((tmp_path / "release").rglob("*.tmp"))


def test_a_manifest_cannot_name_files_outside_the_release(made, tmp_path):
    outside = tmp_path / "precious"
    outside.write_text("x")
    (tmp_path / "release/0.1.0/data").mkdir(parents=True)
    (tmp_path / "release/0.1.0/data/own.csv").write_text("1")
    names = {"../precious": "", str(outside): "", "data": "", "": ""}
    manifest = json.dumps({"run": "r", "version": "0.1.0", "sha256": names})
    (tmp_path / "release/0.1.0/release.json").write_text(manifest)
    released(made(["MIT"], keep=0))
    assert outside.exists() and (tmp_path / "release/0.1.0/data/own.csv").exists()


@pytest.mark.parametrize("folder", ["..", "/etc", "data", "1.0.0/../.."])
def test_a_manifest_cannot_point_outside_the_release(made, tmp_path, folder):
    (tmp_path / "release").mkdir()
    (tmp_path / "release/release.json").write_text(json.dumps({"run": "r", "version": "1.0.0", "folder": folder}))
    with pytest.raises(BadInput, match="is not a release manifest"):
        opened(str(tmp_path / "release"))


def test_the_folder_of_one_version_is_no_place_for_releases(made, tmp_path):
    released(made(["MIT"]))
    with pytest.raises(BadInput, match=r"is one version of a release. Give the folder that its versions are in"):
        check_release_free(made(["MIT"], path=str(tmp_path / "release/1.0.0")).config)


def _report(rows):
    table = pd.DataFrame({"id": ["q0"], "subset": "Docs", "style": "", "difficulty": "", "text": "Write it."})
    labels = Labels(topics=["other"], skills=[], libraries=[], language="en", words=3, structure="")
    measured = Accumulator()
    measured.add(table.assign(**{name: [value] for name, value in labels.model_dump().items()}), None)
    nothing = {name: [] for name in ("duplicates", "largest", "overlaps", "content")}
    found = CurationReport(rows=rows, kept=1, **nothing, diversity=measured.report(), drift=None, mix="")
    return found.model_dump_json(indent=1)


def test_an_equal_release_is_left_and_a_changed_report_is_published(made, tmp_path):
    run, manifest = made(["MIT"]), tmp_path / "release/release.json"
    released(run)
    before = manifest.stat().st_mtime_ns
    released(run)
    assert manifest.stat().st_mtime_ns == before
    report = _report(rows=7)
    run.store.write(report.encode(), run.config.run, NAME)
    released(run)
    assert json.loads((current(tmp_path / "release") / NAME).read_text())["rows"] == 7
    run.store.write(_report(rows=8).encode(), run.config.run, NAME)
    released(run)
    assert json.loads((current(tmp_path / "release") / NAME).read_text())["rows"] == 8
    assert "of 8 rows stay" in (tmp_path / "release/README.md").read_text()


def test_rows_put_aside_are_owed_for_as_well(made, tmp_path):
    policy = {"deny": ["CC-BY-4.0"], "on_violation": "caution"}
    released(made(["MIT", "CC-BY-4.0"], split=Split.USE_WITH_CAUTION, licensing=policy))
    owed = (current(tmp_path / "release") / "ATTRIBUTION.md").read_text()
    assert "**attribution** (CC-BY-4.0)" in owed and "**notice** (MIT)" in owed


@pytest.mark.parametrize("on_violation", ["caution", "exclude"])
def test_what_was_decided_on_all_triplets_stays_decided(made, tmp_path, on_violation):
    choice = "Apache-2.0 OR GPL-2.0-only"
    licences = [*["GPL-2.0-only"] * 3, choice, choice]
    released(made(licences, [True, False, False, True, True], licensing={"on_violation": on_violation}))
    assert f"Of {choice}, GPL-2.0-only was taken." in (current(tmp_path / "release") / "ATTRIBUTION.md").read_text()


def test_refusal_at_publication_looks_at_the_rows_that_are_left(made):
    refused = [*["GPL-2.0-only"] * 3, "Apache-2.0"]
    with pytest.raises(BadInput, match=r"Apache-2.0, 1 rows \(such as q3\)"):
        released(made(refused))
    assert released(made(refused, [True, True, True, False])) == {"train": 3}


def _prompts(run, *licences):
    groups = []
    for number, group in enumerate(licences):
        seed = question().seeds[0]
        seeds = [seed.model_copy(update={"source": seed.source.model_copy(update={"licence": one})}) for one in group]
        groups.append(SeedGroup(question_id=f"q{number}", subset="Docs", number=number, seeds=seeds))
    return shards(run, StageName.PROMPTS, groups)


def test_seeds_that_may_not_be_published_stop_a_run_before_its_teachers(made):
    run = made(["MIT"])
    prompts = _prompts(run, ["MIT", "CC-BY-ND-4.0", "CC-BY-ND-4.0"], ["MIT"], ["MIT", "CC-BY-ND-4.0"])
    with pytest.raises(BadInput, match=r"CC-BY-ND-4.0, 2 rows to be made \(such as q0, q2\).*on_violation=exclude"):
        check_prompts(run, prompts)


@pytest.mark.parametrize(
    ("licensing", "why"),
    [
        ({"release": "Apache-2.0"}, "GPL-2.0-only does not go into Apache-2.0"),
        ({"allow": ["permissive"]}, "GPL-2.0-only is not allowed"),
    ],
)
def test_seeds_stop_a_run_for_what_they_are_by_themselves(made, licensing, why):
    run = made(["MIT"], licensing=licensing)
    with pytest.raises(BadInput, match=why):
        check_prompts(run, _prompts(run, ["Apache-2.0"], ["GPL-2.0-only"]))


@pytest.mark.parametrize(
    "licensing", [{}, *({"deny": ["GPL-2.0-only"], "on_violation": how} for how in ("exclude", "caution"))]
)
def test_seeds_stop_no_run_that_may_still_publish(made, licensing):
    run = made(["MIT"], licensing=licensing)
    check_prompts(run, _prompts(run, ["Apache-2.0"], ["GPL-2.0-only"]))
