"""`kodforge convert` over a file of one's own, with the demo teacher as the converter."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tasks.files import read_rows
from tests.corpus import transcript_entries
from tests.processes import Kodforge, sets

WANTED = ("arbiter", "unstutter", "misprinted", "loop_mix", "coin_ways", "final_pile")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows with KodCode's columns: one has no import in its tests, one is told in another style already."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    found = []
    for entry in transcript_entries():
        attempts = [one for one in entry.get("attempts") or [] if "test" in one]
        first = next((one for one in attempts if one.get("expect") == "passed"), None)
        name = next((name for name in WANTED if first and f"import {name}\n" in first["test"]), None)
        if first and name:
            texts = {"question": entry["question"], "solution": first["solution"], "test": first["test"]}
            found.append({"question_id": f"{name}_I", **texts, "style": "instruct", "subset": "Mine", "trials": {}})
    assert len(found) == len(WANTED)
    by_id = {row["question_id"]: row for row in found}
    by_id["arbiter_I"]["test"] = by_id["arbiter_I"]["test"].replace("from solution import arbiter\n", "")
    found.append({**by_id["arbiter_I"], "question_id": "arbiter_C", "style": "complete"})
    path.write_text("".join(f"{json.dumps(row)}\n" for row in found))
    return path


def outcomes(path: Path) -> dict[str, str]:
    return {row["id"]: row["reason"] for row in read_rows(path)}


def test_rows_are_told_as_stubs_and_every_other_row_has_its_reason(kodforge: Kodforge, rows, tmp_path):
    out, options = tmp_path / "stubs.parquet", sets(store=tmp_path / "store")
    done = kodforge("convert", str(rows), "--out", str(out), "--style", "complete", *options)
    assert done.returncode == 0, done.stderr[-3000:]
    told = {row["id"]: row for row in pq.read_table(out).to_pylist()}
    assert set(told) == {"arbiter_C", "loop_mix_C", "final_pile_C"}
    assert outcomes(tmp_path / "stubs.rejects.parquet") == {
        "unstutter_C": "leaks_tests",
        "misprinted_C": "wrong_examples",
        "coin_ways_C": "unchanged",
        "arbiter_C_C": "not_convertible",
    }
    row = told["arbiter_C"]
    assert (row["style"], row["converted_from"], row["subset"]) == ("complete", "arbiter_I", "Mine")
    assert row["test"].startswith("import pytest\nfrom solution import *\n") or "from solution import *" in row["test"]
    assert row["question"].startswith("Complete the following Python code.")
    assert "_upwards(manager_of" in row["solution"]
    assert row["tests_passed"] and row["response_id"] and row["io"] == []
    assert not (tmp_path / ".stubs.parquet.work").exists()


def test_rows_are_told_as_programs(kodforge: Kodforge, rows, tmp_path):
    out, options = tmp_path / "programs.jsonl", sets(store=tmp_path / "store", post_training__styles__least_inputs=6)
    done = kodforge("convert", str(rows), "--out", str(out), "--style", "online_judge", *options)
    assert done.returncode == 0, done.stderr[-3000:]
    told = {row["id"]: row for row in read_rows(out)}
    assert set(told) == {"arbiter_O", "loop_mix_O"}
    assert {run["stdout"] for run in told["arbiter_O"]["io"]} == {
        f"{name}\n" for name in ("amy", "bea", "cal", "nobody", "unknown")
    }
    assert outcomes(tmp_path / "programs.rejects.jsonl") == {
        "unstutter_O": "wrong_examples",
        "misprinted_O": "abstained",
        "coin_ways_O": "few_tests",
        "final_pile_O": "failed",
        "arbiter_C_O": "not_convertible",
    }
