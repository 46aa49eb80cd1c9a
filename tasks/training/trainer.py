"""The process that trains: ``python trainer.py JOB.json``.

It imports nothing of kodforge, so that any interpreter that has trl, peft, transformers, datasets and torch can run it.

It reads ``base``, ``gguf_file``, ``data`` (JSONL with ``messages``), ``out``, ``seed`` and ``settings`` (the fields of
``tasks.settings.Training``) from the job, and writes below ``out``:

- ``log.jsonl``: a line per optimiser step, with step, loss, learning rate, gradient norm and seconds since the start;
- ``adapter/`` (LoRA only) and ``model/``: the weights, and with them the tokenizer;
- ``training.json``: what was done and with which versions, last.

A job without ``data`` only writes ``model/``: the base in a form that servers load.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, TrainerCallback, set_seed
from transformers.trainer_utils import get_last_checkpoint
from trl import SFTConfig, SFTTrainer

LIBRARIES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


def is_main() -> bool:
    """Whether this is the first of the processes that a launcher started."""
    return os.environ.get("RANK", "0") == "0"


def write(path: Path, value: dict[str, Any]) -> None:
    """A whole JSON file or none."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value, indent=1))
    os.replace(temporary, path)


def load(job: dict[str, Any], dtype: Any) -> Any:
    """The base model; weights of a GGUF file are unpacked."""
    extra: dict[str, Any] = {}
    if job["gguf_file"]:
        extra = {"gguf_file": job["gguf_file"], "quantization_config": GgufConfig(dequantize=True)}
    if job["settings"]["attention"]:
        extra["attn_implementation"] = job["settings"]["attention"]
    return AutoModelForCausalLM.from_pretrained(job["base"], dtype=dtype, **extra)


def load_tokenizer(job: dict[str, Any]) -> Any:
    extra = {"gguf_file": job["gguf_file"]} if job["gguf_file"] else {}
    tokenizer = AutoTokenizer.from_pretrained(job["base"], **extra)
    if not tokenizer.chat_template:
        sys.exit(f"the tokenizer of {job['base']} has no chat template, by which messages are written. Take an "
                 f"instruct model, or put a chat_template into its tokenizer_config.json")  # fmt: skip
    return tokenizer


def rows_that_fit(job: dict[str, Any], tokenizer: Any) -> tuple[Any, int, int]:
    """Prompts and completions of the rows that are not too long; how many were, and the tokens of the others."""
    rows, too_long, tokens = [], 0, 0
    with open(job["data"], encoding="utf-8") as lines:
        for line in lines:
            messages = json.loads(line)["messages"]
            length = len(tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False))
            if length > job["settings"]["tokens"]:
                too_long += 1
                continue
            tokens += length
            rows.append({"prompt": messages[:-1], "completion": messages[-1:]})
    if not rows:
        sys.exit(f"all {too_long} rows are longer than {job['settings']['tokens']} tokens. Raise training.tokens")
    return Dataset.from_list(rows), too_long, tokens


def arguments(job: dict[str, Any], out: Path) -> Any:
    """The settings in TRL's words."""
    settings = job["settings"]
    devices = int(os.environ.get("WORLD_SIZE", "1"))
    at_once = devices * settings["device_batch"]
    if settings["batch"] % at_once:
        sys.exit(f"training.batch is {settings['batch']}, which {devices} devices with {settings['device_batch']} rows "
                 f"each do not divide. Set training.batch to a multiple of {at_once}")  # fmt: skip
    return SFTConfig(
        output_dir=str(out / "states"),
        seed=job["seed"],
        data_seed=job["seed"],
        learning_rate=settings["learning_rate"],
        lr_scheduler_type=settings["schedule"],
        warmup_steps=settings["warmup"],  # a share where it is below 1
        weight_decay=settings["weight_decay"],
        num_train_epochs=settings["epochs"],
        max_steps=settings["steps"] or -1,
        per_device_train_batch_size=settings["device_batch"],
        gradient_accumulation_steps=settings["batch"] // at_once,
        max_length=settings["tokens"],
        packing=settings["packing"],
        completion_only_loss=True,
        bf16=settings["precision"] == "bfloat16",
        fp16=False,
        gradient_checkpointing=settings["gradient_checkpointing"],
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=1,
        logging_first_step=True,
        save_strategy="steps",
        save_steps=settings["save_every"],
        save_total_limit=1,
        report_to=[],
        disable_tqdm=True,
    )


class Log(TrainerCallback):  # type: ignore[misc]
    """Writes a line per optimiser step."""

    def __init__(self, path: Path) -> None:
        self._path, self._started = path, time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        line = {
            "step": state.global_step,
            "steps": state.max_steps,
            "loss": float(logs["loss"]),
            "learning_rate": float(logs["learning_rate"]),
            "grad_norm": float(logs["grad_norm"]),
            "seconds": round(time.monotonic() - self._started, 3),
        }
        with self._path.open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def train(job: dict[str, Any], out: Path, tokenizer: Any) -> dict[str, Any]:
    """Train, save the weights, and say what was done."""
    started, settings = time.monotonic(), job["settings"]
    set_seed(job["seed"])  # an adapter is drawn before TRL sets it
    half = torch.bfloat16 if settings["precision"] == "bfloat16" else torch.float32
    lora = settings["method"] == "lora"
    rows, too_long, tokens = rows_that_fit(job, tokenizer)
    targets = settings["lora"]["targets"]
    trainer = SFTTrainer(
        model=load(job, half if lora else torch.float32),  # all of the weights need more than 8 bits to move by a step
        args=arguments(job, out),
        train_dataset=rows,
        processing_class=tokenizer,
        callbacks=[Log(out / "log.jsonl")],
        peft_config=LoraConfig(
            task_type="CAUSAL_LM",
            r=settings["lora"]["rank"],
            lora_alpha=settings["lora"]["alpha"],
            lora_dropout=settings["lora"]["dropout"],
            target_modules=targets[0] if targets == ["all-linear"] else targets,
        )
        if lora
        else None,
    )
    trained = sum(one.numel() for one in trainer.model.parameters() if one.requires_grad)
    states = out / "states"  # of a training that broke off
    done = trainer.train(resume_from_checkpoint=get_last_checkpoint(str(states)) if states.is_dir() else None)
    trainer.save_model(str(out / ("adapter" if lora else "model")))
    told = {
        "steps": done.global_step,
        "loss": done.training_loss,
        "rows": len(rows),
        "too_long": too_long,
        "tokens": tokens,
        "trained_parameters": trained,
        "devices": int(os.environ.get("WORLD_SIZE", "1")),
        "device": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "cpu",
        "seconds": round(time.monotonic() - started, 1),
    }
    if lora and is_main():
        del trainer
        gc.collect()
        merged = PeftModel.from_pretrained(load(job, half), str(out / "adapter")).merge_and_unload()
        merged.save_pretrained(str(out / "model"))
    return told


def main(path: str) -> None:
    job = json.loads(Path(path).read_text())
    out = Path(job["out"])
    if job["settings"]["threads"]:
        torch.set_num_threads(job["settings"]["threads"])
    tokenizer = load_tokenizer(job)
    told = train(job, out, tokenizer) if job["data"] else {}
    if not is_main():
        return
    if not job["data"]:
        load(job, torch.float32 if job["settings"]["precision"] == "float32" else torch.bfloat16).save_pretrained(
            str(out / "model")
        )
    tokenizer.save_pretrained(str(out / "model"))
    versions = {name: metadata.version(name) for name in LIBRARIES}
    write(out / "training.json", {**told, "versions": {"python": sys.version.split()[0], **versions}})


if __name__ == "__main__":
    main(sys.argv[1])
