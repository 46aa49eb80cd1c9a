"""README and docs: every kodforge command parses, every config they set is valid, every link leads somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from string import Template

import pytest
import typer

from docs.builder import commands as reference
from flows.cli import app
from flows.console.options import load_config
from tasks.models import Lineage, Metadata, ReleaseRow

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def commands() -> list[list[str]]:
    """The kodforge commands of all bash blocks, the examples of the reference too, as argument lists."""
    found = []
    for page in [*(page.read_text() for page in PAGES), *reference.pages().values()]:
        text = Template(page.replace("\\\n", " ")).safe_substitute(PROFILE="demo", RUN="demo")
        for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
            lines = re.findall(r"^\s*(?:[A-Z_0-9]+=\S* )*kodforge (.*)$", block, re.MULTILINE)
            found += [shlex.split(line, comments=True) for line in lines]
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
    assert len(commands()) > 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
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
    layout = re.search(r"## Layout\s+```\n(.*?)```", (ROOT / "docs/architecture.md").read_text(), re.DOTALL)
    assert layout
    folders, missing = {-1: ROOT}, []
    for line in layout[1].splitlines():
        leading = re.match(r"( *)([\w.]+(?:/|\.py)(?:, [\w.]+(?:/|\.py))*)", line)
        assert leading, line
        depth = len(leading[1]) // 2
        for name in leading[2].split(", "):
            found = folders[depth - 1] / name
            missing += [] if found.exists() else [str(found)]
            if name.endswith("/"):
                folders[depth] = found
    assert missing == []
    told = {path.name for path in (ROOT / "flows").rglob("*.py")} & set(re.findall(r"\w+\.py", layout[1]))
    here = [path for part in ("", "orchestration", "console") for path in (ROOT / "flows" / part).glob("*.py")]
    assert {path.name for path in here} - told == {"__init__.py"}


def test_readme_is_read_in_three_minutes():
    words = re.sub(r"```.*?```|\]\(.*?\)|<!--.*?-->|[|*#`\[]", " ", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert len(words.split()) < 3 * 220
