"""`kodforge verify` over files: any of the two formats in and out, checked before anything runs."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.errors import BadInput
from tasks.execution.verify import verify_file, verify_one
from tasks.models import PairVerdict, Verdict
from tasks.settings import Sandbox

SETTINGS = Sandbox(backend="bubblewrap", slots=2, wall_s=3, memory_mb=256)
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
        ([{"id": "a", "solution": "x"}], r"row 1: column 'test': Field required"),
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


def test_one_pair_on_its_own(tmp_path):
    assert verify_one(write(tmp_path / "pair.jsonl", ROWS[:1]), SETTINGS).verdict is Verdict.PASSED
    with pytest.raises(BadInput, match="has 3 pairs"):
        verify_one(write(tmp_path / "pairs.jsonl", ROWS), SETTINGS)
