"""The reference of the documentation: every setting, command and column is in it, as the code has it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, Field

from docs.builder import commands, data, settings
from docs.builder.tables import code, table, told_bounds, told_default, told_type
from tasks.arrow import arrow_schema
from tasks.models import Reject, RejectReason, Verdict
from tasks.run import StageName
from tasks.settings import PROFILES, BuildConfig, EvaluationConfig, ExperimentConfig, Gate

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = {
    BuildConfig: settings.PAGE,
    EvaluationConfig: settings.EVALUATION_PAGE,
    ExperimentConfig: settings.EXPERIMENT_PAGE,
}
PAGES = {**settings.pages(), **commands.pages(), **data.pages()}


def rows_under(page: str, anchor: str) -> dict[str, list[str]]:
    """The rows of the first table under a heading that ends so, by what is in their first column."""
    section = re.split(rf"^#+ .*{re.escape(anchor)}$", PAGES[page], maxsplit=1, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][2:]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\) \| ", line[2:-2])] for line in lines]
    return {row[0].strip("`"): row for row in cells}


def place_of(model: type[BaseModel]) -> str:
    """The page that has a section: the first one that meets it."""
    return next(page for config, page in CONFIGS.items() if model in settings.sections(config))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_every_key_is_in_the_reference_with_what_it_means(config):
    for model, name, field in settings.keys(config):
        described = settings.described(field)
        assert described, f"{model.__name__}.{name} has no description: add one to its Field"
        row = rows_under(place_of(model), f"{{ #{model.__name__} }}")[name]
        assert " ".join(described.split()) == row[-1].replace("\\|", "|")


def test_a_key_shows_type_bounds_and_default():
    row = rows_under(settings.PAGE, "{ #Sandbox }")["wall_s"]
    assert row[1:] == ["number, > 0, ≤ 3,600", "`30`", "Wall time per pair, seconds."]
    row = rows_under(settings.PAGE, "{ #Verification }")["policy"]
    assert row[1:3] == ["one of `fixed`, `adaptive`", "`fixed`"]
    row = rows_under(settings.PAGE, "{ #Gates }")["mutation_score"]
    assert row[2] == '`{"reject_below": 0.3, "caution_below": 0.6}`'


def test_a_section_says_where_else_it_stands():
    text = PAGES[settings.PAGE]
    section = text[text.index("{ #Endpoint }") :]
    assert "`teachers.rater`, `teachers.solver`" in section[: section.index("|")]


class Undescribed(BaseModel):
    """A section."""

    silent: int = 1
    part: Gate = Gate()
    told: int = Field(1, description="It says.")


def test_a_key_without_a_description_is_noticed():
    assert [name for name, field in Undescribed.model_fields.items() if not settings.described(field)] == ["silent"]


class Odd(BaseModel):
    bounded: int | None = Field(None, gt=0, le=9)
    needed: str
    of: dict[str, list[Gate]] = {}


def test_types_and_values_are_told_in_words():
    fields = Odd.model_fields
    assert told_type(fields["bounded"].annotation, {}) == "integer or empty"
    assert told_bounds(fields["bounded"]) == "> 0, ≤ 9"
    assert told_default(fields["needed"]) == "must be given"
    assert told_type(fields["of"].annotation, {Gate: "#Gate"}) == "mapping of names to list of [Gate](#Gate)"
    assert told_default(fields["of"]) == "empty"


def test_cells_hold_bars_and_line_breaks():
    assert table(["a"], [[f"x | y\n{code('a|b')}"]]).splitlines()[-1] == "| x \\| y `a|b` |"


def test_every_command_is_in_the_reference_with_all_its_options():
    for name, command in commands.commands():
        shown = rows_under(commands.PAGE, name)
        for option in command.params:
            if "--help" not in option.opts:
                term = option.metavar if option.param_type_name == "argument" and option.metavar else option.opts[0]
                assert any(term in one for one in shown), (name, option.opts)


def test_every_command_has_an_example():
    for name, _ in commands.commands():
        section = PAGES[commands.PAGE].split(f"## {name}\n")[1].split("\n## ")[0]
        assert f"```bash\n{name}" in section


@pytest.mark.parametrize("profile", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_profiles_page_has_what_each_profile_sets(profile):
    shown = rows_under(settings.PROFILES_PAGE, "Profiles") | rows_under(settings.PROFILES_PAGE, "Subsets")
    column = sorted(path.stem for path in PROFILES.glob("*.yaml")).index(profile.stem) + 1
    for key, value in settings.flat(yaml.safe_load(profile.read_text())).items():
        cell = shown[key][column]
        assert cell == f"`{value}`" if isinstance(value, str | int | float) and len(str(value)) < 60 else cell, key


def written_by_the_code() -> set[tuple[str, str]]:
    """Stage and row model of every call that writes a shard of a stage."""
    found = set()
    for path in (ROOT / "tasks").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith((").run_shard", "_write")):
                text = ast.unparse(call)
                stage = re.match(r"(?:run\.stage|_write)\((?:run, )?StageName\.(\w+)", text)
                model = re.search(r", ([A-Z][a-z]\w+), ", text)
                if stage and model:
                    found.add((stage[1], model[1]))
    return found


def test_stages_have_the_rows_that_the_code_writes():
    written = written_by_the_code()
    written -= {("ROWS", "ReleaseRow"), ("CURATED", "CurationDecision")}  # of files given to convert and curate
    assert len(written) > 18
    assert {(stage, data.STAGES[StageName[stage]].__name__) for stage, _ in written} == written


def test_every_stage_and_column_is_in_the_reference():
    assert set(data.STAGES) == set(StageName)
    first = {model: stage for stage, model in reversed(data.STAGES.items())}
    for model, stage in first.items():
        assert list(rows_under(data.PAGE, f"{{ #stage-{stage} }}")) == arrow_schema(model).names
    assert list(rows_under(data.PAGE, "{ #Reject }")) == list(Reject.model_fields)
    for model in data.nested():
        assert list(rows_under(data.PAGE, f"{{ #{model.__name__} }}")) == list(model.model_fields)
    for model in [*first, *data.FILES.values(), *data.nested(), Reject]:
        silent = [name for name, field in model.model_fields.items() if not settings.described(field)]
        assert silent == [], f"{model.__name__} has columns without a description: {silent}"
    for value in [*RejectReason, *Verdict]:
        assert f"`{value}`" in PAGES[data.PAGE]
