"""Fine-tuning for real: a tiny model learns from a release, goes on where it was stopped, and is served."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tasks.settings import ExperimentConfig, Method, Precision
from tasks.training.cells import MODEL, RECEIPT, Cell, check_cells, train_cell
from tasks.training.process import TrainingFailed
from tasks.training.serving import served
from tests.trainers.conftest import TRAINERS
from tests.training.releases import sft_row, write_release

TRAINER = "trl"
CELL = Cell("tiny", "all", 0)


@pytest.fixture
def config(tiny_model: Path, tmp_path: Path) -> ExperimentConfig:
    training = {
        "python": str(Path(TRAINERS).absolute() / TRAINER / "bin" / "python"),
        "learning_rate": 1e-2,
        "epochs": 4,
        "batch": 4,
        "device_batch": 2,
        "tokens": 256,
        "precision": "float32",
        "gradient_checkpointing": False,
        "threads": 1,
        "save_every": 3,
    }
    values = {"models": {"tiny": str(tiny_model)}, "recipes": {"all": {"rows": 12}}, "training": training}
    (tmp_path / "mine.yaml").write_text(json.dumps(values))
    long = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "word " * 2000}]
    rows = [sft_row(number) for number in range(11)] + [sft_row(11, messages=long)]
    return ExperimentConfig(profile=str(tmp_path / "mine.yaml"), release=write_release(tmp_path, rows))


def changed(config: ExperimentConfig, **training: object) -> ExperimentConfig:
    return config.model_copy(update={"training": config.training.model_copy(update=training)})


@pytest.mark.parametrize("method", Method)
def test_a_model_learns_and_is_saved_whole(config, tmp_path, method):
    config = changed(config, method=method, gradient_checkpointing=method is Method.FULL, precision=Precision.BFLOAT16)
    check_cells(config)
    steps: list[float] = []
    trained = train_cell(config, CELL, tmp_path / "cell", lambda step: steps.append(step.loss))
    assert (trained.rows, trained.too_long, trained.steps, len(steps)) == (11, 1, 12, 12)
    assert trained.last_loss < trained.first_loss
    assert (tmp_path / "cell" / MODEL / "model.safetensors").is_file()
    assert (tmp_path / "cell" / "adapter").is_dir() is (method is Method.LORA)
    assert {"torch", "trl", "transformers", "peft"} < set(trained.versions)
    assert not (tmp_path / "cell" / "states").exists()


def test_the_same_seed_learns_the_same_and_goes_on_after_a_crash(config, tmp_path):
    whole = train_cell(config, CELL, tmp_path / "whole")
    (tmp_path / "cell").mkdir()

    class Stopped(Exception):
        pass

    def stop(step: object) -> None:
        if list((tmp_path / "cell" / "states").glob("checkpoint-*/trainer_state.json")):
            raise Stopped

    with pytest.raises(Stopped):
        train_cell(config, CELL, tmp_path / "cell", stop)
    assert not (tmp_path / "cell" / RECEIPT).exists()
    again = train_cell(config, CELL, tmp_path / "cell")
    assert again.steps == whole.steps
    assert again.last_loss == pytest.approx(whole.last_loss, abs=1e-4)


def test_what_cannot_be_trained_says_why(config, tmp_path):
    with pytest.raises(TrainingFailed, match="rows are longer than 16 tokens"):
        train_cell(changed(config, tokens=16), CELL, tmp_path / "cell")


def test_a_checkpoint_is_served_by_transformers(config, tmp_path):
    train_cell(config, CELL, tmp_path / "cell")
    asked = {"model": "tiny-1", "messages": [{"role": "user", "content": "Write `add_1(x)`."}], "max_tokens": 8}
    with served(tmp_path / "cell" / MODEL, "tiny-1", tmp_path / "log", config.serving, config.training) as url:
        answer = httpx.post(f"{url}/chat/completions", json={**asked, "temperature": 0}, timeout=120)
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["role"] == "assistant"
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/models", timeout=2)
