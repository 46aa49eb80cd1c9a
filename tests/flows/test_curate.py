"""`kodforge curate` over files, and that its result does not depend on what it ran on."""

import json
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from tasks.curation.contamination import read_benchmarks
from tasks.settings import Benchmark
from tests.commands import refusal
from tests.processes import ROOT
from tests.writing import written_by_another

LIFT = "Simulate a lift that serves requests in the order of floors, and return the floors that it stops at."
RUN = (
    "Write a function that takes a list of sensor readings and returns the longest run of consecutive values that "
    "never fall by more than the given tolerance, as a pair of start index and length."
)
RETOLD = (
    "Given sensor readings in a list, write a function that finds the longest run of consecutive values that never "
    "fall by more than a tolerance that is given too. Return the start index and the length of it as a pair."
)
KEY = "AKIA" + "QWERTZUIOPLKJHGF"


def human_eval(number):
    return read_benchmarks([Benchmark(name="humaneval")])[number].prompts[0]


ROWS = [
    {"id": "lift", "question": LIFT, "subset": "A"},
    {"id": "lift again", "question": LIFT.upper().rstrip("."), "subset": "B", "quality": 1},
    {"id": "run", "question": RUN, "subset": "A", "solution": f"KEY = '{KEY}'\n", "quality": 9},
    {"id": "run edited", "question": RUN.replace("sensor", "meter"), "subset": "A"},
    {"id": "shortest", "question": RUN.replace("longest", "shortest"), "subset": "A"},
    {"id": "told anew", "question": RETOLD, "subset": "A"},
    {"id": "copied", "question": human_eval(10), "subset": "A"},
    {"id": "other", "question": "Parse a date such as 2024-02-30; raise ValueError for no such day.", "subset": "B"},
]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def decisions(path):
    return {row["id"]: row for row in map(json.loads, path.read_text().splitlines())}


@pytest.fixture(scope="module")
def decided(kodforge, tmp_path_factory):
    folder = tmp_path_factory.mktemp("curate")
    done = kodforge("curate", str(written(folder / "rows.jsonl", ROWS)), "--out", str(folder / "out.jsonl"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["out.jsonl", "rows.jsonl"]
    return done, decisions(folder / "out.jsonl")


def test_every_row_gets_a_decision_in_the_order_of_the_file(decided):
    done, rows = decided
    assert list(rows) == [row["id"] for row in ROWS]
    counts = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("  ")}
    assert counts == {"reject": 4, "train": 4}


def test_best_of_a_cluster_stays_and_the_other_names_it(decided):
    rows = decided[1]
    assert (rows["lift"]["decision"], rows["lift"]["reason"]) == ("reject", "exact_duplicate")
    assert rows["lift"]["representative"] == "lift again"
    assert rows["lift again"]["duplicates"] == ["lift"]


def test_row_that_is_rejected_for_its_content_stands_for_no_other(decided):
    rows = decided[1]
    assert (rows["run"]["decision"], rows["run"]["representative"]) == ("reject", "run edited")
    assert rows["run edited"]["decision"] == "train"
    assert [(one["rule"], one["part"], one["line"]) for one in rows["run"]["content"]] == [("secret", "solution", 1)]
    assert KEY not in json.dumps(rows)


def test_same_task_told_anew_is_a_semantic_duplicate(decided):
    row = decided[1]["told anew"]
    assert (row["reason"], row["representative"]) == ("semantic_duplicate", "run edited")
    assert 0.8 < row["similarity"] < 1


def test_one_word_that_changes_the_task_makes_another_question(decided):
    assert (decided[1]["shortest"]["decision"], decided[1]["shortest"]["cluster_size"]) == ("train", 1)


def test_copy_of_a_benchmark_item_is_rejected_with_item_and_span(decided):
    row = decided[1]["copied"]
    assert (row["decision"], row["reason"]) == ("reject", "contaminated")
    assert row["benchmark_item"] == "humaneval/HumanEval/10"
    assert row["benchmark_span"] in human_eval(10)


def test_parquet_and_subsets_apart(kodforge, tmp_path):
    rows, out = written(tmp_path / "rows.jsonl", ROWS), tmp_path / "out.parquet"
    done = kodforge("curate", str(rows), "--out", str(out), "--set", "curation.dedup.across_subsets=false")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {row["id"]: row for row in pq.read_table(out).to_pylist()}
    assert (found["lift"]["decision"], found["lift again"]["decision"]) == ("train", "train")
    assert found["run"]["representative"] == "run edited"


def test_mix_leaves_out_what_there_is_too_much_of_and_says_why(kodforge, tmp_path):
    rows, out = written(tmp_path / "rows.jsonl", ROWS), tmp_path / "out.jsonl"
    targets = "curation.mix.targets={subset: {A: 0.5, B: 0.5}}"
    done = kodforge("curate", str(rows), "--out", str(out), "--set", targets, "--set", "curation.mix.size=2")
    assert done.returncode == 0, done.stdout + done.stderr
    found = decisions(out)
    kept = [row for row in found.values() if row["decision"] == "train"]
    assert sorted(row["subset"] for row in kept) == ["A", "B"]
    gone = [row for row in found.values() if row["reason"] == "over_target"]
    assert len(gone) == 2
    assert all(row["evidence"] for row in gone)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "a"}\n', "row 1: column 'question' must be a text that is not empty, got None"),
        ('{"id": "a", "question": "x"}\n{"id": "a", "question": "y"}\n', "row 2: id 'a' occurs twice"),
        ('{"id": "a", "question": "x", "quality": "good"}\n', "row 1: column 'quality' must be a finite number"),
        ('{"id": "a", "question": "half \\ud800"}\n', "row 1: column 'question' has half of a surrogate pair"),
        ("", "has no rows"),
    ],
)
def test_bad_rows_are_named_and_nothing_is_written(prefect_server, tmp_path, content, message):
    rows, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    rows.write_text(content)
    assert message in refusal(prefect_server, "curate", str(rows), "--out", str(out))
    assert not out.exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("curation.decontamination.benchmarks=[{name: mine}]", "benchmark 'mine' is none of the known ones"),
        ("curation.embedder.kind=endpoint", "teachers.embedder is not set"),
        ("curation.mix.targets={topic: {pottery: 0.5}}", "pottery"),
        ("curation.drift.against=nightly", "'nightly'"),
    ],
)
def test_wrong_settings_are_told_before_any_work(prefect_server, tmp_path, setting, message):
    rows, out = written(tmp_path / "rows.jsonl", ROWS), tmp_path / "out.jsonl"
    assert message in refusal(prefect_server, "curate", str(rows), "--out", str(out), "--set", setting)
    assert not (tmp_path / ".out.jsonl.work").exists()


def test_a_file_that_somebody_else_is_writing_is_left_alone(prefect_server, tmp_path):
    rows, out = written(tmp_path / "rows.jsonl", ROWS), tmp_path / "out.jsonl"
    with written_by_another(tmp_path / ".out.jsonl.work", "curate"):
        told = refusal(prefect_server, "curate", str(rows), "--out", str(out), "--set", "busy_wait_s=0")
    assert "is being written by" in told
    assert not out.exists()


MANY = [
    {
        "id": f"{n}",
        "question": f"{opening} {RUN if n % 3 else LIFT} Handle {n % 40} readings of kind {chr(97 + n % 7)}.",
    }
    for n, opening in enumerate(["Please:", "Task:", "As follows."] * 60)
]


def curated(kodforge, folder, name, *options):
    out = folder / f"{name}.jsonl"
    done = kodforge("curate", str(folder / "rows.jsonl"), "--out", str(out), *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return out.read_bytes()


@pytest.fixture(scope="module")
def in_one_block(kodforge, tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    written(folder / "rows.jsonl", MANY)
    return folder, curated(kodforge, folder, "whole")


@pytest.mark.parametrize(
    "engine", ["threads", "processes", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("dask", "ray"))]
)
def test_same_decisions_in_blocks_on_any_engine(kodforge, in_one_block, engine):
    folder, whole = in_one_block
    options = ("--engine", engine, "--jobs", "2", "--set", "curation.dedup.block_rows=100")
    assert curated(kodforge, folder, engine, *options) == whole
    assert 1 < len({row["representative"] for row in decisions(folder / f"{engine}.jsonl").values()}) < len(MANY)


def test_what_was_killed_goes_on_with_what_was_done(kodforge, prefect_server, in_one_block):
    folder, whole = in_one_block
    out = folder / "killed.jsonl"
    command = ["curate", str(folder / "rows.jsonl"), "--out", str(out), "--set", "curation.dedup.block_rows=100"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *command],
        cwd=ROOT,
        env=prefect_server.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    signed = folder / ".killed.jsonl.work" / "curate" / "signatures" / "receipts"
    deadline = time.monotonic() + 120
    while not list(signed.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    before = {path.name: path.stat().st_mtime_ns for path in signed.glob("*.json")}
    assert before
    again = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *command],
        cwd=ROOT,
        env=prefect_server.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    kept: dict[str, int] = {}
    while again.poll() is None:
        if signed.exists():
            kept |= {name: (signed / name).stat().st_mtime_ns for name in before if (signed / name).exists()}
        time.sleep(0.05)
    assert again.returncode == 0, again.stdout.read() if again.stdout else ""
    assert kept == before
    assert out.read_bytes() == whole
