"""`kodforge verify` over files: any of the two formats in and out, checked before anything runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from prefect.utilities.callables import parameter_schema

from flows.verify_pairs import verify_pairs
from tasks.errors import BadInput, RunBusy
from tasks.execution.verify import verify_file, verify_one
from tasks.models import PairVerdict, Verdict
from tasks.settings import Sandbox
from tests.writing import written_by_another

SETTINGS = Sandbox(backend="bubblewrap", slots=2, wall_s=3, memory_mb=256)
ROOT = Path(__file__).resolve().parents[2]
TEST = "from solution import f\n\n\ndef test_f():\n    assert f(1) == 2\n"
ROWS = [
    {"id": "good", "solution": "def f(x):\n    return x + 1\n", "test": TEST, "note": "ignored"},
    {"id": "bad", "solution": "def f(x):\n    return x\n", "test": TEST, "entry_points": ["f"]},
    {"id": "files", "solution": "def f(x):\n    return int(open('n').read())\n", "test": TEST, "files": {"n": "2"}},
]


def write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        names = dict.fromkeys(name for row in rows for name in row)
        rows = [{**row, "files": [{"name": n, "content": c} for n, c in row.get("files", {}).items()]} for row in rows]
        pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]), path)
    return path


@pytest.mark.parametrize("source", ["pairs.jsonl", "pairs.parquet"])
@pytest.mark.parametrize("out", ["verdicts.jsonl", "verdicts.parquet"])
def test_a_verdict_per_pair_in_order(tmp_path, source, out):
    done = []
    counts = verify_file(write(tmp_path / source, ROWS), tmp_path / out, SETTINGS, done.append)
    assert counts == {Verdict.PASSED: 2, Verdict.FAILED: 1}
    if out.endswith("jsonl"):
        found = [json.loads(line) for line in (tmp_path / out).read_text().splitlines()]
    else:
        found = pq.read_table(tmp_path / out).to_pylist()
    assert [(row["id"], row["verdict"]) for row in found] == [
        ("good", "passed"),
        ("bad", "failed"),
        ("files", "passed"),
    ]
    assert set(found[0]) == set(PairVerdict.model_fields)
    assert found[0]["coverage"]["statements"] == 2
    assert done[-1] == 3


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": "a", "solution": "x"}], r"row 1: .*give tests or io"),
        ([{**ROWS[0], "solution": 3}], r"row 1: column 'solution': .*string"),
        ([ROWS[0], ROWS[0]], r"row 2: id 'good' occurs twice"),
        ([{**ROWS[0], "files": {"../up": "x"}}], r"row 1: column 'files\.0\.name'"),
        ([], "has no rows"),
    ],
)
def test_bad_files_are_named_by_row_and_column_and_nothing_is_written(tmp_path, rows, message):
    path = write(tmp_path / "pairs.jsonl", rows)
    with pytest.raises(BadInput, match=message):
        verify_file(path, tmp_path / "out.parquet", SETTINGS)
    assert [file.name for file in tmp_path.iterdir()] == ["pairs.jsonl"]


def test_bad_row_at_the_end_is_found_before_anything_runs(tmp_path):
    path = write(tmp_path / "pairs.jsonl", [*ROWS, {"id": "last"}])
    done = []
    with pytest.raises(BadInput, match="row 4"):
        verify_file(path, tmp_path / "out.jsonl", SETTINGS, done.append)
    assert done == []


def test_other_endings_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"ends in '\.csv'"):
        verify_file(write(tmp_path / "pairs.jsonl", ROWS), tmp_path / "out.csv", SETTINGS)


def test_a_file_that_somebody_else_is_writing_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.execution.verify.WAIT_S", 0)
    pairs, out = write(tmp_path / "pairs.jsonl", ROWS), tmp_path / "out.jsonl"
    with written_by_another(Path(f"{out}.parts"), "verify"), pytest.raises(RunBusy, match="is being written by"):
        verify_file(pairs, out, SETTINGS)
    assert not out.exists()
    assert verify_file(pairs, out, SETTINGS).total() == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "pairs.jsonl"]


def test_one_pair_on_its_own(tmp_path):
    assert verify_one(write(tmp_path / "pair.jsonl", ROWS[:1]), SETTINGS).verdict is Verdict.PASSED
    with pytest.raises(BadInput, match="has 3 pairs"):
        verify_one(write(tmp_path / "pairs.jsonl", ROWS), SETTINGS)


KILLED = """
import sys
from pathlib import Path
from tasks.execution import verify
from tasks.settings import Sandbox
verify.PART = 10
verify.verify_file(Path(sys.argv[1]), Path(sys.argv[2]), Sandbox.model_validate_json(sys.argv[3]))
"""


def test_killed_run_goes_on_from_its_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.execution.verify.PART", 10)
    slow = "import time\ndef f(x):\n    time.sleep(0.05)\n    return x + 1\n"
    rows = [{"id": str(n), "solution": slow, "test": TEST} for n in range(60)]
    path, out = write(tmp_path / "pairs.jsonl", rows), tmp_path / "out.parquet"
    parts = tmp_path / "out.parquet.parts/verify/verdicts"
    first = subprocess.Popen([sys.executable, "-c", KILLED, str(path), str(out), SETTINGS.model_dump_json()], cwd=ROOT)
    while len(list(parts.glob("receipts/*.json"))) < 2:
        assert first.poll() is None
        time.sleep(0.01)
    first.kill()
    first.wait()
    finished = {file: file.stat().st_mtime_ns for file in parts.glob("receipts/*.json")}
    assert not out.exists()
    kept: dict = {}

    def look(done):
        kept.update({file: file.stat().st_mtime_ns for file in finished} if not kept else {})

    assert verify_file(path, out, SETTINGS, look) == {Verdict.PASSED: 60}
    assert kept == finished
    assert [row["id"] for row in pq.read_table(out).to_pylist()] == [row["id"] for row in rows]
    assert not parts.exists()


def test_reruns_find_flaky_pairs_and_judge_unfinished_parts_anew(tmp_path):
    solution = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)\n"
    test = "from solution import f\ndef test_a():\n    assert f(0) == 1\ndef test_b():\n    assert f(0) == 2\n"
    rows = [{"id": "order", "solution": solution, "test": test}, ROWS[0]]
    path, out = write(tmp_path / "pairs.jsonl", rows), tmp_path / "out.parquet"

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_file(path, out, SETTINGS, stop)
    assert verify_file(path, out, SETTINGS, reruns=1) == {Verdict.FLAKY: 1, Verdict.PASSED: 1}
    flaky, good = pq.read_table(out).to_pylist()
    assert (flaky["flaky_over"], good["flaky_over"]) == (["order"], [])
    assert flaky["reason"].startswith("passed, but under another order of tests failed: 2 of 2 tests failed")
    assert flaky["sandbox_s"] > good["sandbox_s"] > good["wall_s"] > 0
    assert verify_one(write(tmp_path / "pair.jsonl", rows[:1]), SETTINGS, reruns=1).verdict is Verdict.FLAKY


def test_the_form_of_the_flow_shows_the_bounds_of_reruns():
    shown = parameter_schema(verify_pairs).properties["reruns"]
    assert (shown["default"], shown["minimum"], shown["maximum"]) == (0, 0, 20)


def test_programs_are_judged_by_their_output(tmp_path):
    double = "print(2 * int(input()))\n"
    io = [{"stdin": "4\n", "stdout": "8\n"}, {"stdin": "5\n", "stdout": "10"}]
    rows = [
        {"id": "good", "solution": double, "io": io},
        {"id": "bad", "solution": double, "io": [*io, {"stdin": "1", "stdout": "3"}]},
        {"id": "crash", "solution": "1 / 0", "io": io},
        {"id": "exits", "solution": "import sys\nprint(2 * int(input()))\nsys.exit()", "io": io},
    ]
    path, out = tmp_path / "pairs.jsonl", tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    verify_file(path, out, SETTINGS)
    found = {row["id"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert [row["verdict"] for row in found.values()] == ["passed", "failed", "failed", "passed"]
    assert [test["outcome"] for test in found["bad"]["tests"]] == ["passed", "passed", "failed"]
    assert found["bad"]["reason"] == "input 2: line 1 of the output is '2', expected is '3'"
    assert "ZeroDivisionError" in found["crash"]["reason"]
    assert {row["integrity_tier"] for row in found.values()} == {"isolated"}
