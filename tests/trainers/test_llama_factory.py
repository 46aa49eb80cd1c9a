"""LLaMA-Factory's own command, with the configs as exported: supervised and preference learning."""

from __future__ import annotations

import json
from pathlib import Path

from tasks.settings.exports import ExportFormat

TRAINER = "llama-factory"
SMALL = (
    "template=default", "cutoff_len=512", "bf16=false", "gradient_checkpointing=false", "gradient_accumulation_steps=1",
    "max_steps=3", "logging_steps=1", "report_to=none", "use_cpu=true",
)  # fmt: skip


def trained(folder: Path) -> list[dict[str, float]]:
    """What was logged, step by step."""
    (file,) = folder.glob("*-model/trainer_log.jsonl")
    return [row for line in file.read_text().splitlines() if "loss" in (row := json.loads(line))]


def test_it_trains_on_conversations(exported, run, tiny_model):
    folder = exported(ExportFormat.LLAMA_FACTORY)
    model = f"model_name_or_path={tiny_model}"
    output = run("llamafactory-cli", "train", "sft.yaml", model, *SMALL, "learning_rate=1e-3", cwd=folder)
    assert "Num examples = 10" in output and "return 2 * x" in output
    assert len(trained(folder)) == 3


def test_it_trains_on_preferences(exported, run, tiny_model):
    folder = exported(ExportFormat.LLAMA_FACTORY)
    model = f"model_name_or_path={tiny_model}"
    output = run("llamafactory-cli", "train", "preference.yaml", model, *SMALL, cwd=folder)
    assert "Num examples = 6" in output
    assert len(trained(folder)) == 3
