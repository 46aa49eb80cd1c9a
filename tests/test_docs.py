"""README and docs: every kodforge command parses, every config they set is valid, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from flows.cli import app
from flows.options import load_config
from tasks.models import Lineage, Metadata, ReleaseRow

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def commands() -> list[list[str]]:
    """The kodforge commands of all bash blocks, as argument lists."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                while words and re.match(r"^[A-Z_0-9]+=", words[0]):
                    words = words[1:]
                if words and words[0] == "kodforge":
                    found.append(words[1:])
    return found


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_command_of_the_docs_parses_and_its_config_is_valid(arguments, tmp_path, monkeypatch):
    command, rest = typer.main.get_command(app), list(arguments)
    while hasattr(command, "commands"):
        command = command.commands[rest.pop(0)]
    context = command.make_context("kodforge", rest)
    profile = context.params.get("profile")
    if profile and not profile.endswith(".yaml"):
        load_config(profile, list(context.params["set_"]))


def test_there_are_commands_to_check():
    assert len(commands()) > 15


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_every_column_of_the_release_is_described():
    text = (ROOT / "docs" / "dataset.md").read_text()
    columns = [*ReleaseRow.model_fields, *Metadata.model_fields]
    assert [name for name in columns if f"`{name}`" not in text and name != "split"] == []
    assert Lineage.model_fields


def test_layout_in_the_architecture_page_is_the_tree():
    text = (ROOT / "docs" / "architecture.md").read_text()
    for name in re.findall(r"^  ([a-z_]+(?:\.py|/))", text, re.MULTILINE):
        assert (ROOT / "flows" / name).exists() or (ROOT / "tasks" / name).exists(), name
