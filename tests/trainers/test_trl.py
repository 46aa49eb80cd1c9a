"""TRL's own commands, with the configs as exported: supervised, preference and reinforcement learning."""

from __future__ import annotations

import re

from tasks.settings.exports import ExportFormat

TRAINER = "trl"
SMALL = (
    "--use_cpu", "true", "--bf16", "false", "--gradient_checkpointing", "false", "--report_to", "none",
    "--gradient_accumulation_steps", "1", "--logging_steps", "1", "--save_strategy", "no",
)  # fmt: skip


def logged(output: str, name: str) -> list[float]:
    """The values of a measure in what a trainer printed, step by step."""
    return [float(found) for found in re.findall(rf"'{re.escape(name)}': '?(-?[\d.e+-]+)", output)]


def test_sft_learns_from_the_rows_and_grpo_rewards_what_it_learned(exported, run, tiny_model):
    sft, grpo = exported(ExportFormat.TRL_SFT), exported(ExportFormat.TRL_GRPO)
    output = run(
        "trl", "sft", "--config", "sft.yaml", "--model_name_or_path", tiny_model, *SMALL, "--max_length", "512",
        "--per_device_train_batch_size", "2", "--learning_rate", "5e-3", "--max_steps", "60", cwd=sft,
    )  # fmt: skip
    losses = logged(output, "loss")
    assert losses[-1] < losses[0] / 4, output[-3000:]
    output = run(
        "trl", "grpo", "--config", "rl.yaml", "--model_name_or_path", sft / "sft-model", *SMALL,
        "--per_device_train_batch_size", "8", "--num_generations", "4", "--max_completion_length", "64",
        "--max_steps", "2", cwd=grpo,
    )  # fmt: skip
    rewards = logged(output, "rewards/kodforge_reward/mean")
    assert len(rewards) == 2 and max(rewards) > 0, output[-3000:]


def test_dpo_prefers_what_passed(exported, run, tiny_model):
    folder = exported(ExportFormat.TRL_DPO)
    output = run(
        "trl", "dpo", "--config", "preference.yaml", "--model_name_or_path", tiny_model, *SMALL, "--max_length", "512",
        "--per_device_train_batch_size", "2", "--learning_rate", "1e-3", "--max_steps", "3", cwd=folder,
    )  # fmt: skip
    assert len(logged(output, "rewards/margins")) == 3
    assert (folder / "preference-model" / "model.safetensors").exists()
