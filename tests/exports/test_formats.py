"""What trainers document that they read is what is written, and ``datasets`` loads it."""

from __future__ import annotations

import json
import py_compile
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset

from tasks.exports.export import export
from tasks.settings.exports import ExportFormat
from tests.exports.releases import QUESTION, SETS, SOLUTION, TEST, assistant, fenced, user, write_release

ROW = f"{QUESTION} (0)"


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def exported(release, tmp_path):
    def one(to: ExportFormat, **options) -> Path:
        export(str(release), to, tmp_path / "kodforge_code", **options)
        return tmp_path / "kodforge_code"

    return one


def loaded(folder: Path, config: str, split: str = "train") -> list[dict]:
    return load_dataset(str(folder), config, split=split, cache_dir=str(folder.parent / "cache")).to_list()


def is_conversation(turns: list[dict]) -> bool:
    return bool(turns) and all(set(turn) == {"role", "content"} and turn["content"] for turn in turns)


def test_trl_sft_has_prompt_and_completion_as_conversations(exported):
    """TRL 1.16, "Dataset formats and types": conversational prompt-completion."""
    folder = exported(ExportFormat.TRL_SFT)
    rows = loaded(folder, "sft")
    assert [len(loaded(folder, name)) for name in ("sft", "sft_reasoning")] == [10, 5]
    assert rows[0] == {
        "question_id": "Prefill_00000000_I",
        "prompt": [user(ROW)],
        "completion": [assistant(fenced(SOLUTION))],
    }
    assert loaded(folder, "sft_reasoning")[0]["completion"][0]["content"].startswith("<think>\n")


def test_trl_dpo_has_a_prompt_and_two_answers(exported):
    """TRL 1.16, "Dataset formats and types": conversational preference with an explicit prompt."""
    for row in loaded(exported(ExportFormat.TRL_DPO), "preference"):
        assert all(is_conversation(row[name]) for name in ("prompt", "chosen", "rejected"))
        assert [turn["role"] for name in ("prompt", "chosen", "rejected") for turn in row[name]] == [
            "user",
            "assistant",
            "assistant",
        ]


def test_trl_grpo_has_beside_the_prompt_what_judges_the_answer(exported):
    """TRL 1.16, ``GRPOTrainer``: a column ``prompt``; all others go to the reward functions."""
    rows = loaded(exported(ExportFormat.TRL_GRPO), "rl")
    assert len(rows) == 8 and all(is_conversation(row["prompt"]) for row in rows)
    assert (rows[0]["test"], rows[0]["entry_points"], rows[0]["question"]) == (TEST, ["double"], "")
    assert rows[1]["io"] == [{"stdin": "4\n", "stdout": "8\n"}, {"stdin": "-1\n", "stdout": "-2\n"}]
    assert rows[2]["question"] == rows[2]["prompt"][0]["content"]  # the stub that the answer completes


def test_verl_has_its_five_columns(exported):
    """verl 0.9.1, "Prepare Data for Post-Training" and ``verl/utils/dataset/rl_dataset.py``."""
    rows = loaded(exported(ExportFormat.VERL), "rl")
    for number, row in enumerate(rows):
        assert set(row) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
        assert row["data_source"] == "kodforge/Prefill" and is_conversation(row["prompt"])
        assert row["reward_model"]["style"] == "rule"
        assert row["extra_info"]["index"] == number and row["extra_info"]["split"] == "train"
    assert json.loads(rows[0]["reward_model"]["ground_truth"])["test"] == TEST


def test_llama_factory_finds_each_set_in_dataset_info(exported):
    """LLaMA-Factory 0.9.5, ``data/README.md``: sharegpt, and sharegpt with ``ranking``."""
    folder = exported(ExportFormat.LLAMA_FACTORY)
    info = json.loads((folder / "dataset_info.json").read_text())
    assert set(info) == {"kodforge_sft", "kodforge_sft_reasoning", "kodforge_preference"}
    for name, told in info.items():
        files = sorted((folder / told["file_name"]).iterdir())  # it loads every file of a folder
        assert files and {path.suffix for path in files} == {".parquet"}
        rows = load_dataset("parquet", data_files=list(map(str, files)), split="train", cache_dir=str(folder / "c"))
        for row in rows.to_list():
            turns = row[told["columns"]["messages"]]
            assert [turn["from"] for turn in turns] == ["human", "gpt"][: len(turns)]
            assert len(turns) % 2 == (1 if told.get("ranking") else 0)
            if told.get("ranking"):
                assert row["chosen"]["from"] == row["rejected"]["from"] == "gpt"
        assert (name == "kodforge_preference") == told.get("ranking", False)
        config = yaml.safe_load((folder / f"{name.removeprefix('kodforge_')}.yaml").read_text())
        assert config["dataset"] == name and config["stage"] == ("dpo" if told.get("ranking") else "sft")


def test_axolotl_names_the_files_and_fields_that_it_reads(exported):
    """Axolotl 0.19.0, "Dataset Formats": ``chat_template``, and ``chat_template.default`` with ``rl: dpo``."""
    folder = exported(ExportFormat.AXOLOTL)
    for name, fields in {"sft": ["messages"], "preference": ["messages", "chosen", "rejected"]}.items():
        config = yaml.safe_load((folder / f"{name}.yaml").read_text())
        datasets = config["datasets"]
        files = [str(folder / dataset["path"]) for dataset in datasets]  # its ending says what it is
        rows = load_dataset("parquet", data_files=files, split="train", cache_dir=str(folder / "c")).to_list()
        assert len(rows) == sum(map(len, SETS[name]["train"]))
        assert set(rows[0]) == {"question_id", *fields} and is_conversation(rows[0]["messages"])
        assert {(config.get("rl"), dataset["type"]) for dataset in datasets} == (
            {(None, "chat_template")} if name == "sft" else {("dpo", "chat_template.default")}
        )


def test_verifiers_gets_a_package(exported):
    """verifiers 0.4.0, ``vf-init``: a package that exports one ``Taskset``, its rows inside."""
    folder = exported(ExportFormat.VERIFIERS)
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "kodforge-code"
    (package,) = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    for file in (folder / package).glob("*.py"):
        py_compile.compile(str(file), cfile=str(folder / "compiled"), doraise=True)
    lines = [line for file in sorted((folder / package).rglob("*.jsonl")) for line in file.read_text().splitlines()]
    assert len(lines) == 8 and json.loads(lines[0])["test"] == TEST
    assert tomllib.loads((folder / "eval.toml").read_text())["env"]["taskset"]["id"] == "kodforge-code"


@pytest.mark.parametrize("to", [ExportFormat.TRL_SFT, ExportFormat.TRL_DPO, ExportFormat.TRL_GRPO])
def test_configs_of_trl_name_the_rows(exported, to, monkeypatch):
    folder = exported(to)
    monkeypatch.chdir(folder)
    for file in folder.glob("*.yaml"):
        (dataset,) = yaml.safe_load(file.read_text())["datasets"]
        assert len(load_dataset(**dataset, split="train", cache_dir=str(folder / "c"))) == sum(
            map(len, SETS[file.stem]["train"])
        )


def test_shell_script_of_verl_names_all_files(exported, tmp_path):
    """The script runs; in verl's place is a program that tells its arguments."""
    folder = exported(ExportFormat.VERL)
    (folder / "python3").write_text(
        f'#!/bin/sh\nshift 2\nexec {sys.executable} -c "import sys; print(sys.argv)" "$@"\n'
    )
    (folder / "python3").chmod(0o755)
    done = subprocess.run(
        ["bash", str(folder / "rl.sh"), "trainer.nnodes=2"],
        env={"PATH": f"{folder}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (
        "data.train_files=[rl/train/train-00000-of-00002.parquet,rl/train/train-00001-of-00002.parquet]" in done.stdout
    )
    assert done.stdout.rstrip().endswith("'trainer.nnodes=2']")


@pytest.mark.parametrize("to", list(ExportFormat))
def test_the_card_says_how_to_start_and_what_is_owed(exported, to):
    folder = exported(to)
    text = (folder / "README.md").read_text()
    assert yaml.safe_load(text.split("---\n")[1])["license"] == "mit"
    assert "```bash" in text and (folder / "ATTRIBUTION.md").exists()
    assert (folder / "licences" / "a-1.0" / "LICENSE").read_bytes() == b"MIT \xa9\n"
    assert ("serve-rewards" in text) == (to in (ExportFormat.TRL_GRPO, ExportFormat.VERL, ExportFormat.VERIFIERS))
