"""Axolotl's own command tokenises the rows by the configs as exported; what only a GPU can do is switched off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tasks.settings.exports import ExportFormat

TRAINER = "axolotl"
ON_A_CPU = {
    "flash_attention": False,
    "bf16": False,
    "optimizer": "adamw_torch",
    "sample_packing": False,
    "sequence_len": 512,
    "dataset_prepared_path": "prepared",
    "dataset_num_proc": 1,
}
READ = """
import json, pathlib, sys
from datasets import load_from_disk
from transformers import AutoTokenizer
(folder,) = {path.parent for path in pathlib.Path("prepared").rglob("dataset_info.json")}
rows, tokenizer = load_from_disk(str(folder)).to_list(), AutoTokenizer.from_pretrained(sys.argv[1])
for row in rows:
    if "labels" in row:
        row["learned"] = tokenizer.decode([one for one in row["labels"] if one >= 0])
print(json.dumps(rows))
"""


@pytest.fixture
def prepared(exported, run, tiny_model):
    def one(config: str) -> list[dict]:
        folder: Path = exported(ExportFormat.AXOLOTL)
        settings = yaml.safe_load((folder / config).read_text()) | ON_A_CPU | {"base_model": str(tiny_model)}
        (folder / config).write_text(yaml.safe_dump(settings))
        run("axolotl", "preprocess", config, cwd=folder, AXOLOTL_DO_NOT_TRACK="1", TRL_EXPERIMENTAL_SILENCE="1")
        return json.loads(run("python", "-c", READ, tiny_model, cwd=folder).splitlines()[-1])

    return one


def test_conversations_are_learned_from_their_answers_alone(prepared):
    rows = prepared("sft.yaml")
    assert len(rows) == 10
    assert {row["learned"].strip() for row in rows} == {
        "```python\ndef double(x):\n    return 2 * x\n```<|im_end|>",
    }


def test_preferences_keep_prompt_and_answers_apart(prepared):
    rows = prepared("preference.yaml")
    assert len(rows) == 6
    for row in rows:
        assert row["prompt"].startswith("<|im_start|>user\n") and row["prompt"].endswith("<|im_start|>assistant\n")
        assert "return 2 * x" in row["chosen"] and "return x" in row["rejected"]
