"""The card, the checksums and the Croissant metadata, as the tools that read them see them."""

from __future__ import annotations

import json
import logging
import re
import subprocess

import mlcroissant
import pytest
import yaml
from huggingface_hub import DatasetCard

from tasks.models import Call, Grade, Response, Split, Style, Verdict
from tasks.publishing.summary import summarise
from tasks.run import Run, StageName
from tasks.teachers.cache import Use, open_cache
from tests.publishing.rows import current, finish, only_rows, row, shards, told_as

ALL = ("sft", "curriculum", "evaluation")


@pytest.fixture
def rows():
    made = [row(f"q{number}", number % 9 + 1, subset=("Docs", "Apps")[number % 2]) for number in range(30)]
    return [*made, row("held", split=Split.EVALUATION), row("doubt", split=Split.USE_WITH_CAUTION)]


@pytest.fixture
def release(publishing, rows, tmp_path):
    publishing(rows, [told_as(Style.COMPLETE, one) for one in rows[:4]], ALL, rows_per_file=20)
    return current(tmp_path / "release")


@pytest.fixture
def datasets(monkeypatch, tmp_path):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return datasets


def test_every_configuration_loads_with_the_splits_and_sizes_of_the_card(release, datasets):
    card = DatasetCard.load(release / "README.md")
    infos = {one["config_name"]: one for one in card.data.to_dict()["dataset_info"]}
    assert datasets.get_dataset_config_names(str(release)) == ["default", *ALL]
    for name, info in infos.items():
        loaded = datasets.load_dataset(str(release), name)  # which compares the number of rows itself
        assert {split: len(rows) for split, rows in loaded.items()} == {
            one["name"]: one["num_examples"] for one in info["splits"]
        }
        assert datasets.Features._from_yaml_list(info["features"]) == next(iter(loaded.values())).features
    for split, rows in datasets.load_dataset(str(release.parent)).items():  # the card beside the versions
        assert len(rows) == len(datasets.load_dataset(str(release), split=split))
    assert infos["default"]["download_size"] == sum(file.stat().st_size for file in (release / "data").iterdir())


def test_the_code_of_the_card_runs(release, datasets):
    blocks = re.findall(r"```python\n(.*?)```", (release / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    found: dict[str, object] = {}
    exec("\n".join(blocks).replace("PATH_OF_THIS_FOLDER", str(release)), found)
    assert {name for name in ("default", *ALL) if len(found[name])} == {"default", *ALL}
    assert {one["gpt_difficulty"] for one in found["hard"]} == {"hard"}


def test_front_matter_is_what_the_hub_knows(release):
    text = (release / "README.md").read_text()
    values = yaml.safe_load(text.split("---\n")[1])
    assert values["license"] == "bsd-3-clause"
    assert values["size_categories"] == ["n<1K"]
    assert values["configs"][0]["data_files"] == [
        {"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "use_with_caution", "evaluation")
    ]
    assert [one["split"] for one in values["configs"][2]["data_files"]] == ["easy", "medium", "hard"]
    assert DatasetCard(text).data.pretty_name == "Small"


@pytest.mark.parametrize(
    "line",
    [
        "| `evaluation` | 1 | held out: no row of another split is about the same task, or one of its near relatives |",
        "| Docs | 17 | 1 | 1 |",
        "| complete | 4 | 0 | 1 | 3 | 1.00 |  |",
        "Version 1.0.0 of 2026-01-01; what changed is in [CHANGELOG.md](CHANGELOG.md).",
        "  note = {Version 1.0.0, made with kodforge}",
        "No teacher was asked.",
    ],
)
def test_the_card_tells(release, line):
    assert line in [told.rstrip() for told in (release / "README.md").read_text().splitlines()]


def test_sha256sum_finds_every_file_as_it_was_released(release):
    check = ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=release, check=False).returncode == 0
    listed = {line[66:] for line in (release / "SHA256SUMS").read_text().splitlines()}
    files = {str(path.relative_to(release)) for path in release.rglob("*") if path.is_file()}
    assert files - listed == {"SHA256SUMS", "release.json"}
    (release / "README.md").write_text("other")
    assert subprocess.run(check, cwd=release, check=False, capture_output=True).returncode == 1


def test_croissant_metadata_is_valid_and_loads_the_rows(release, caplog):
    with caplog.at_level(logging.WARNING):
        found = mlcroissant.Dataset(str(release / "croissant.json"))
    assert found.metadata.ctx.issues.errors == set()
    # The address is known once the data set is on a hub.
    assert all("url" in one for one in found.metadata.ctx.issues.warnings)
    records = list(found.records("default"))
    assert len(records) == 36
    assert {one["default/split"] for one in records} == {b"train", b"use_with_caution", b"evaluation"}
    one = next(one for one in records if one["default/question_id"] == b"q3")
    assert one["default/gpt_pass_sequence"] == [1]
    assert one["default/metadata"]["default/metadata/row_id"] == 1
    assert one["default/test_info"][0]["default/test_info/function_name"] == b"double"
    (held,) = found.records("evaluation")
    assert held["evaluation/split"] == b"test"


def test_croissant_names_licence_version_checksums_and_limits(release):
    told = json.loads((release / "croissant.json").read_text())
    manifest = json.loads((release / "release.json").read_text())
    assert told["license"] == ["https://spdx.org/licenses/BSD-3-Clause.html"]
    assert (told["version"], told["datePublished"]) == (manifest["version"], manifest["date"])
    files = {one["@id"]: one for one in told["distribution"] if one["@type"] == "cr:FileObject"}
    assert {name: one["sha256"] for name, one in files.items()} == {
        name: digest for name, digest in manifest["sha256"].items() if name.endswith(".parquet")
    }
    assert any("humaneval" in one for one in told["rai:dataLimitations"])


@pytest.mark.parametrize("title", ['Quote " and \\ back', "---\nlicense: mit", "日本語 🦀", "{{ config }} {% raw %}"])
def test_any_title_leaves_card_and_metadata_whole(publishing, tmp_path, title):
    publishing([row("q0")], title=title, creator=title)
    text = (current(tmp_path / "release") / "README.md").read_text()
    assert DatasetCard(text).data.pretty_name == title
    assert DatasetCard(text).data.license == "bsd-3-clause"
    assert json.loads((current(tmp_path / "release") / "croissant.json").read_text())["name"] == title


def test_the_address_is_told_where_the_release_is_pushed(publishing, tmp_path):
    publishing([row("q0")], push="lab/set")
    assert 'load_dataset("lab/set", "default"' in (current(tmp_path / "release") / "README.md").read_text()
    told = json.loads((current(tmp_path / "release") / "croissant.json").read_text())
    assert told["url"] == "https://huggingface.co/datasets/lab/set"
    assert (
        mlcroissant.Dataset(str(current(tmp_path / "release") / "croissant.json")).metadata.ctx.issues.warnings == set()
    )


def test_cost_is_told_by_stage_and_subset_and_for_each_row(publishing, tmp_path):
    def use(key, stage, subset, usd, paid=1):
        return Use(f"{tmp_path}/store/r", stage, key, subset, "m", 600, 400, usd, paid, 0)

    uses = [use("a", "questions", "Docs", 0.5), use("b", "attempts", "Docs", 1.5), use("c", "attempts", "Apps", None)]
    cache = open_cache(str(tmp_path / "store/answers.sqlite"))
    cache.record([], [*uses, use("d", "attempts", "Docs", 1.0, paid=0)])
    publishing([row("q0"), row("q1"), row("q2", subset="Apps")])
    told = (current(tmp_path / "release") / "README.md").read_text()
    assert "| attempts | Docs | 1 | 1 | 600 | 400 | $1.50 |" in told
    assert "| **total** | | 3 | 1 | 1800 | 1200 | unknown |" in told
    assert "| Docs | 2 | 2 | 2000 | $2.00 | 1,000 | $1.00 |" in told
    assert "| Apps | 1 | 1 | 1000 | unknown | 1,000 | unknown |" in told
    assert "release: 1,000 tokens, prompts and completions, cost unknown" in told


def _answer(of, reasoner, number, passed):
    call = Call(response_id="r", model="thinker", template="t@0", sampling="{}", prompt_tokens=5, completion_tokens=40)
    name = f"{of.question_id}/{reasoner}/{number}"
    response = Response(
        response_id=name, question_id=of.question_id, subset=of.subset, style=of.style, reasoner=reasoner,
        number=number, text="", reasoning="", finish_reason="stop", code="", call=call,
    )  # fmt: skip
    grade = Grade(
        response_id=name, question_id=of.question_id, passed=passed, verdict=Verdict.PASSED if passed else None,
        reason="", integrity_tier=None, alias="", alias_verdict=None, tests=[], wall_s=0, sandbox_s=0,
    )  # fmt: skip
    return response, grade


def test_reasoning_models_are_told_by_style(tmp_path):
    config = only_rows(tmp_path, "r", {})
    run = Run(config=config, teachers=config.teachers)
    rows = [row("q0"), row("q1")]
    run.finish(StageName.TRIPLETS, shards(run, StageName.TRIPLETS, rows))
    run.finish(StageName.VERDICTS, [])
    finish(run, rows)
    answers = [_answer(of, "r1", number, of is rows[0] and number == 2) for of in rows for number in (1, 2)]
    run.finish(StageName.RESPONSES, shards(run, StageName.RESPONSES, [one for one, _ in answers]))
    run.finish(StageName.GRADES, shards(run, StageName.GRADES, [one for _, one in answers]))
    (found,) = summarise(run).reasoners
    assert (found.reasoner, found.model, found.style) == ("r1", "thinker", "instruct")
    assert (found.rows, found.solved, found.responses, found.passed, found.tokens) == (2, 1, 4, 1, 160)
