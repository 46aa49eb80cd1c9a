"""Cells of an experiment: which there are, when one is trained again, what may be overwritten, what a failure says."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from tasks.errors import BadInput
from tasks.settings import ExperimentConfig
from tasks.training.bases import find_base
from tasks.training.cells import RECEIPT, Cell, check_cells, losses, plan, train_cell
from tasks.training.process import Step, TrainingFailed, check_interpreter, check_program
from tests.training.releases import sft_row, write_release

PROGRAM = """
import json, pathlib, sys
job = json.loads(pathlib.Path(sys.argv[2]).read_text())
out = pathlib.Path(job["out"])
rows = pathlib.Path(job["data"]).read_text().splitlines()
calls = out.parent / "calls"
calls.write_text(calls.read_text() + "x" if calls.exists() else "x")
with (out / "log.jsonl").open("a") as log:
    for step in range(1, 5):
        line = {"step": step, "steps": 4, "loss": 4.0 / step, "learning_rate": 0, "grad_norm": 0, "seconds": step}
        log.write(json.dumps(line) + "\\n")
(out / "model").mkdir(exist_ok=True)
told = {"steps": 4, "loss": 1, "rows": len(rows), "too_long": 0, "tokens": 9, "trained_parameters": 1, "devices": 1,
        "device": "cpu", "seconds": 1.0, "versions": {"python": "3"}}
(out / "training.json").write_text(json.dumps(told))
"""
CELL = Cell("tiny", "few", 0)


@pytest.fixture
def config(tmp_path: Path) -> ExperimentConfig:
    """What trains is a launcher that keeps the trainer's files, and does not start it."""
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    (tmp_path / "launcher.py").write_text(PROGRAM)
    values = {
        "models": {"tiny": str(base)},
        "recipes": {"few": {"rows": 4}, "more": {"rows": 8}},
        "training": {"launcher": ["{python}", str(tmp_path / "launcher.py")]},
    }
    (tmp_path / "mine.yaml").write_text(json.dumps(values))
    return ExperimentConfig(
        profile=str(tmp_path / "mine.yaml"),
        release=write_release(tmp_path, [sft_row(number) for number in range(20)]),
        folder=str(tmp_path / "out"),
    )


def changed(config: ExperimentConfig, **training: object) -> ExperimentConfig:
    return config.model_copy(update={"training": config.training.model_copy(update=training)})


def calls(tmp_path: Path) -> int:
    return len((tmp_path / "calls").read_text())


def test_a_matrix_is_every_model_recipe_and_seed_after_the_base_models(config):
    cells = plan(config.model_copy(update={"seeds": (0, 1)}))
    assert [cell.title for cell in cells] == [
        "tiny / base",
        "tiny / few / seed 0",
        "tiny / few / seed 1",
        "tiny / more / seed 0",
        "tiny / more / seed 1",
    ]
    assert len({cell.place for cell in cells}) == 5


def test_a_trained_cell_is_left_as_it_is_and_says_all_that_it_was_made_of(config, tmp_path):
    steps: list[Step] = []
    trained = train_cell(config, CELL, tmp_path / "cell", steps.append)
    assert [step.step for step in steps] == [1, 2, 3, 4]
    assert (trained.first_loss, trained.last_loss) == (4.0, 1.0)
    assert (trained.rows, trained.fitting, sum(trained.difficulties.values())) == (4, 20, 4)
    assert train_cell(config, CELL, tmp_path / "cell") == trained
    assert calls(tmp_path) == 1
    job = json.loads((tmp_path / "cell" / "job.json").read_text())
    assert (job["seed"], job["settings"]["learning_rate"]) == (0, 1e-5)


def test_what_changes_what_is_learnt_trains_again_and_what_does_not_does_not(config, tmp_path):
    first = train_cell(config, CELL, tmp_path / "cell")
    assert train_cell(changed(config, threads=1, device_batch=4, save_every=7), CELL, tmp_path / "cell") == first
    assert calls(tmp_path) == 1
    second = train_cell(changed(config, learning_rate=0.5), CELL, tmp_path / "cell")
    assert second.fingerprint != first.fingerprint
    assert second.name != first.name, "answers of the one must not be taken for those of the other"
    write_release(tmp_path, [sft_row(number, subset="Other", messages=[
        {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]) for number in range(20)])  # fmt: skip
    assert train_cell(config, CELL, tmp_path / "cell").data_sha256 != first.data_sha256
    assert calls(tmp_path) == 3


def test_a_training_that_broke_off_goes_on_from_its_states(config, tmp_path):
    cell = tmp_path / "cell"
    train_cell(config, CELL, cell)
    (cell / RECEIPT).unlink()
    (cell / "states").mkdir()
    train_cell(config, CELL, cell)
    assert len((cell / "log.jsonl").read_text().splitlines()) == 8, "its log goes on"
    (cell / RECEIPT).unlink()
    trained = train_cell(changed(config, learning_rate=0.5), CELL, cell)
    assert len((cell / "log.jsonl").read_text().splitlines()) == 4, "nothing is left of another training"
    assert trained.first_loss == 4.0


def test_a_folder_with_other_files_is_not_touched(config, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(BadInput, match=r"holds files that are no training of kodforge \(thesis\.tex"):
        train_cell(config, CELL, tmp_path / "mine")


def test_a_trainer_that_fails_is_told_with_its_last_words_and_leaves_no_receipt(config, tmp_path):
    (tmp_path / "launcher.py").write_text("raise SystemExit('the loss is nan')")
    with pytest.raises(TrainingFailed, match=r"ended with status 1(.|\n)*the loss is nan"):
        train_cell(config, CELL, tmp_path / "cell")
    (tmp_path / "launcher.py").write_text("import os; os.kill(os.getpid(), 9)")
    with pytest.raises(TrainingFailed, match="want of memory"):
        train_cell(config, CELL, tmp_path / "cell")
    assert not (tmp_path / "cell" / RECEIPT).exists()
    (tmp_path / "launcher.py").write_text(PROGRAM)
    assert train_cell(config, CELL, tmp_path / "cell").steps == 4


def test_children_of_a_trainer_do_not_outlive_it(config, tmp_path):
    program = """
import pathlib, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[0]).with_name("pid").write_text(str(child.pid))
sys.exit(3)
"""
    (tmp_path / "launcher.py").write_text(program)
    with pytest.raises(TrainingFailed):
        train_cell(config, CELL, tmp_path / "cell")
    status = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    while status.exists() and status.read_text().split()[2] != "Z":  # it was killed, and may still be ending
        time.sleep(0.05)


def test_keys_of_the_environment_do_not_reach_the_trainer(config, tmp_path, monkeypatch):
    monkeypatch.setenv("KODFORGE_API_KEY", "secret")
    program = "import os; raise SystemExit(sorted(name for name in os.environ if 'KODFORGE' in name))"
    (tmp_path / "launcher.py").write_text(program)
    with pytest.raises(TrainingFailed, match=r"\[\]"):
        train_cell(config, CELL, tmp_path / "cell")


def test_an_interpreter_without_the_libraries_says_what_to_install():
    with pytest.raises(BadInput, match=r"training needs no_such_library.*pip install 'kodforge\[train\]'"):
        check_interpreter(sys.executable, ("json", "no_such_library"))
    with pytest.raises(BadInput, match=r"training\.python is '/nowhere/python', which cannot be started"):
        check_interpreter("/nowhere/python")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("embedded:gpt-9", "no packaged base model 'embedded:gpt-9'"),
        ("/nowhere", "base model '/nowhere' does not exist"),
        ("./owner/name", "does not exist"),
        ("file.bin", "is a file, but no .gguf"),
        ("folder", "has no config.json"),
    ],
)
def test_a_base_model_that_is_none_says_what_to_give(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.bin").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadInput, match=message):
        find_base(name)


def test_another_model_at_the_same_place_is_told_apart(config, tmp_path):
    before = find_base(config.models["tiny"]).identity
    (tmp_path / "base" / "model.safetensors").write_bytes(b"weights")
    assert find_base(config.models["tiny"]).identity != before
    assert find_base("Qwen/Qwen2.5-Coder-32B-Instruct").path == "Qwen/Qwen2.5-Coder-32B-Instruct"


def test_a_recipe_that_cannot_be_served_is_found_before_anything_is_trained(config):
    wrong = config.model_copy(update={"recipes": {"few": config.recipes["few"].model_copy(update={"rows": 21})}})
    with pytest.raises(BadInput, match=r"recipes\.few: the recipe asks for 21 rows"):
        check_cells(wrong)


def test_a_launcher_that_is_not_installed_is_found_before_anything_is_trained():
    check_program(("{python}", "-m", "accelerate.commands.launch"), "training.launcher")
    with pytest.raises(BadInput, match=r"training\.launcher begins with 'no-such-launcher', which is not installed"):
        check_program(("no-such-launcher",), "training.launcher")


def test_losses_are_means_over_the_first_and_last_tenth_and_of_a_repeated_step_the_last_counts():
    steps = [Step(number, 20, float(number), 0, 0, 0) for number in range(1, 21)]
    assert losses(steps) == (1.5, 19.5)
    assert losses([*steps, Step(20, 20, 0.5, 0, 0, 0)]) == (1.5, 9.75)
    assert losses(steps[:1]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"recipes": {"base": {}}}, "called 'base'"),
        ({"seeds": [1, 1]}, "has one twice"),
        ({"models": {"../up": "x"}}, "should match pattern"),
        ({"training": {"batch": 3, "device_batch": 2}}, "does not divide"),
        ({"training": {"packing": True}}, "would see each other"),
        ({"serving": {"command": ["serve", "{weights}"]}}, r"command names \{weights\}"),
        ({"serving": {"command": ["serve", "{model}"]}}, r"where \{port\} goes"),
        ({"evaluations": {"h": {"model": {"base_url": "http://h/v1", "model": "m"}}}}, "fills in the model"),
        ({"profile": "nope"}, "Known: paper, smoke"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ExperimentConfig(**values)


def test_a_file_without_models_has_nothing_to_train(tmp_path):
    (tmp_path / "mine.yaml").write_text("recipes: {all: {}}")
    with pytest.raises(ValueError, match="models is empty"):
        ExperimentConfig(profile=str(tmp_path / "mine.yaml"))


def test_profiles_are_valid_and_the_papers_settings_are_the_papers():
    paper = ExperimentConfig(profile="paper").training
    assert (paper.learning_rate, paper.schedule, paper.batch, paper.tokens) == (1e-5, "cosine", 128, 16384)
    assert 2 <= paper.epochs <= 3
    assert ExperimentConfig(profile="smoke").evaluations
