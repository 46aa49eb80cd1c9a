"""The commands: what the docs show of them is valid, and what is wrong is told before anything is started."""

from __future__ import annotations

import pytest
import typer
import yaml

from flows.cli import app
from flows.experiment import experiment_config, the_cell
from tasks.errors import BadInput
from tests.test_docs import ROOT, commands


def shown() -> list[typer.Context]:
    """The training commands of all docs."""
    every = typer.main.get_command(app)
    ours = [words for words in commands() if words[0] in ("train", "experiment")]
    return [every.commands[name].make_context(name, list(rest)) for name, *rest in ours]


def test_commands_of_the_docs_name_profiles_recipes_and_settings_that_there_are():
    assert len(shown()) >= 4
    for context in shown():
        config = experiment_config(context.params["named"], list(context.params["set_"]))
        if context.info_name == "train":
            the_cell(config, None, context.params["recipe"])


def test_the_file_of_the_docs_is_a_config(tmp_path):
    page = (ROOT / "docs" / "training.md").read_text()
    (text,) = (block.split("```")[0] for block in page.split("```yaml\n")[1:])
    assert yaml.safe_load(text)
    (tmp_path / "mine.yaml").write_text(text)
    assert len(experiment_config(str(tmp_path / "mine.yaml"), []).recipes) == 4


def test_what_there_is_one_of_need_not_be_named_and_what_there_are_several_of_must():
    paper = experiment_config("paper", [])
    for recipe, message in ((None, "several recipes"), ("nope", "no recipe 'nope'. There are r1_10k")):
        with pytest.raises(BadInput, match=message):
            the_cell(paper, None, recipe)
    assert the_cell(paper, None, "r1_18k").model == "qwen2.5-coder-32b"
    with pytest.raises(BadInput, match=r"training: .*does not divide"):
        experiment_config("smoke", ["training.batch=3"])
