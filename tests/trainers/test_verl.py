"""verl reads the rows by its own data set, rewards answers through its own manager, and knows every setting."""

from __future__ import annotations

import json

from tasks.settings.exports import ExportFormat
from tests.exports.releases import SETS
from tests.trainers.conftest import PROGRAMS

TRAINER = "verl"


def test_answers_are_rewarded_by_the_tests_of_their_rows(exported, run, tiny_model):
    folder = exported(ExportFormat.VERL)
    files = sorted(folder.glob("rl/train/*.parquet"))
    output = run("python", PROGRAMS / "verl_rows.py", tiny_model, folder / "kodforge_reward.py", *files, cwd=folder)
    found = json.loads(output.splitlines()[-1])
    rows = [row for file in SETS["rl"]["train"] for row in file]
    assert found["rows"] == len(rows) and found["prompt"] == rows[0]["prompt"]
    assert found["rewards"] == [[0, 1, 0] if row["io"] else [1, 0, 0] for row in rows]


def test_verl_knows_every_setting_of_the_script(exported, run):
    folder = exported(ExportFormat.VERL)
    output = run("bash", "rl.sh", "--cfg", "job", cwd=folder)
    assert "train-00001-of-00002.parquet" in output and f"path: {folder}/kodforge_reward.py" in output
