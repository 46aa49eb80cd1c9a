"""What is exported, what is left out, and what is said where nothing fits."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from flows.cli import app
from tasks.errors import BadInput
from tasks.exports.examples import kinds
from tasks.exports.export import export
from tasks.sets import reasoning
from tasks.sets import rl as sets_rl
from tasks.sets import sft as sets_sft
from tasks.settings.exports import ExportFormat
from tests.exports.releases import SETS, TEST, assistant, preference, rl, sft, user, write_release

SFT, DPO, GRPO, VERL = ExportFormat.TRL_SFT, ExportFormat.TRL_DPO, ExportFormat.TRL_GRPO, ExportFormat.VERL


def rows_of(folder: Path, pattern: str = "*/*/*.parquet") -> list[dict]:
    return [row for file in sorted(folder.glob(pattern)) for row in pq.read_table(file).to_pylist()]


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


def test_shards_keep_their_names_and_rows_their_order(release, tmp_path):
    told = export(str(release), SFT, tmp_path / "out", ["sft"])
    assert told.parts[0].files == [f"sft/train/train-0000{n}-of-00002.parquet" for n in range(2)]
    assert [row["question_id"] for row in rows_of(tmp_path / "out")] == [
        sft(number)["question_id"] for number in range(10)
    ]


def test_files_of_one_name_do_not_replace_each_other(tmp_path):
    release = tmp_path / "release"
    names = ["a/y.parquet", "b/y.parquet", "b/y.1.parquet"]
    for number, name in enumerate(names):
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([sft(number)]), release / name)
    configs = [{"config_name": "sft", "data_files": [{"split": "train", "path": ["*/*.parquet"]}]}]
    (release / "README.md").write_text(f"---\n{json.dumps({'configs': configs})}\n---\n")
    assert export(str(release), SFT, tmp_path / "out").rows == len(rows_of(tmp_path / "out")) == 3


def test_only_what_was_asked_for_is_exported(release, tmp_path):
    told = export(str(release), SFT, tmp_path / "out", splits=["train", "incorrect"])
    assert {(part.config, part.split): part.rows for part in told.parts} == {
        ("sft", "train"): 10,
        ("sft_reasoning", "train"): 5,
        ("sft_reasoning", "incorrect"): 3,
    }


@pytest.mark.parametrize("ending", [".parquet", ".jsonl", ".jsonl.gz"])
def test_one_file_is_told_by_its_columns(tmp_path, ending):
    path = tmp_path / f"rows{ending}"
    rows = [rl(number) for number in range(3)]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    if ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_bytes(gzip.compress(lines.encode()) if ending.endswith("gz") else lines.encode())
    assert export(str(path), GRPO, tmp_path / "out").rows == 3
    assert [row["question_id"] for row in rows_of(tmp_path / "out", "rl/train/rows.parquet")] == [
        row["question_id"] for row in rows
    ]


@pytest.mark.parametrize(("to", "column"), [(SFT, "completion"), (GRPO, "test")])
def test_rows_of_the_dataset_itself_do_as_well(release, tmp_path, to, column):
    """Those of KodCode-V1 have the same columns."""
    assert export(str(release), to, tmp_path / "out", ["default"]).rows == 4
    row = rows_of(tmp_path / "out")[0]
    assert row[column] and row["prompt"][0]["role"] == "user"
    assert row.get("entry_points", ["double"]) == ["double"]


@pytest.mark.parametrize("test", [TEST, TEST.partition("\n\n\n")[2]])
def test_rows_of_kodcode_whose_tests_import_nothing_and_whose_helpers_are_listed_do_too(tmp_path, test):
    info = [{"function_name": "helper"}, {"function_name": "double"}]
    row = {"question_id": "a", "question": "Write double(x).", "test": test, "test_info": info}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row))
    assert export(str(path), GRPO, tmp_path / "out").left_out == 0
    assert [row["entry_points"] for row in rows_of(tmp_path / "out")] == [["double"]]


def test_code_that_holds_a_fence_is_fenced_by_a_longer_one(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"question": "q", "solution": 'def f():\n    return "```"\n'}))
    export(str(path), SFT, tmp_path / "out")
    assert rows_of(tmp_path / "out")[0]["completion"][0]["content"].startswith("````python\n")


@pytest.mark.parametrize(
    ("to", "row", "reason"),
    [
        (SFT, sft(0) | {"messages": [], "conversations": None, "solution": " "}, "solution is empty"),
        (SFT, sft(0) | {"messages": [user("q")]}, "its turns are none"),
        (SFT, sft(0) | {"messages": [user("\ud800"), assistant("a")]}, "it holds half a surrogate pair"),
        (VERL, rl(0) | {"test": f"{TEST}# \ud800"}, "it holds half a surrogate pair"),
        (SFT, sft(0) | {"messages": [user("q"), user("q")]}, "conversation does not end with the assistant's turn"),
        (SFT, sft(0) | {"messages": [assistant("a"), user("q"), assistant("a")]}, "its turns are assistant, user"),
        (SFT, sft(0) | {"messages": [user("q"), assistant(" ")]}, "messages has an empty message"),
        (SFT, sft(0) | {"messages": [{"role": "tool", "content": "x"}]}, "messages has a message with the role 'tool'"),
        (SFT, sft(0) | {"messages": ["text"]}, "messages holds what is no message"),
        (DPO, preference(0) | {"rejected": []}, "rejected is empty"),
        (DPO, preference(0) | {"rejected": preference(0)["chosen"]}, "chosen and rejected are the same"),
        (GRPO, rl(0) | {"test": ""}, "it has neither test nor io"),
        (GRPO, rl(0) | {"test": "def test_(:"}, "its tests do not parse"),
        (GRPO, rl(0) | {"test": "from solution import double"}, "its tests define no test function"),
        (GRPO, rl(0) | {"entry_points": ["triple"]}, "its tests do not use the entry point triple"),
        (GRPO, rl(1) | {"io": [{"in": "4"}]}, "io holds what is no pair of stdin and stdout"),
        (VERL, rl(0) | {"prompt": None, "question": None}, "question is empty"),
    ],
)
def test_rows_that_cannot_be_used_are_told_of(tmp_path, to, row, reason):
    good = {SFT: sft, DPO: preference, GRPO: rl, VERL: rl}[to](0)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in (row, good)) + "not json\n")
    told = export(str(path), to, tmp_path / "out")
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert (told.rows, told.left_out) == (1, 2)
    assert rejects[0]["id"] == row["question_id"] and rejects[0]["reason"].startswith(reason)
    assert "not valid JSON" in rejects[1]["reason"] and rejects[1]["row"] == 3


def test_rows_whose_tests_an_answer_could_forge_are_taken_only_if_asked_for(tmp_path):
    test = "from solution import double\n\n\ndef test_it(monkeypatch):\n    assert double(4) == 8\n"
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in (rl(0) | {"test": test}, rl(0))))
    assert export(str(path), GRPO, tmp_path / "out").rows == 1
    (reject,) = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    assert "its tests cannot be isolated from the answer: line 4: uses the fixture monkeypatch" in reject
    assert export(str(path), GRPO, tmp_path / "out", any_tier=True).rows == 2
    assert not (tmp_path / "out" / "rejects.jsonl").exists()


def test_prompts_with_a_system_message_and_several_turns_are_kept(tmp_path):
    turns = [{"role": "system", "content": "Be brief."}, user("a"), assistant("b"), user("c"), assistant("d")]
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"id": "x", "messages": turns}))
    export(str(path), SFT, tmp_path / "out")
    (row,) = rows_of(tmp_path / "out")
    assert (row["question_id"], row["prompt"], row["completion"]) == ("x", turns[:-1], turns[-1:])


@pytest.mark.parametrize(
    ("sets", "to", "options", "message"),
    [
        (["default"], GRPO, {}, "trl-grpo is made of rl, and release .* has none of them, but default"),
        (["sft"], DPO, {}, "trl-dpo is made of preference"),
        (["sft"], SFT, {"configs": ["rl"]}, "has no configuration 'rl'. It has sft"),
        (["sft", "rl"], DPO, {"configs": ["rl"]}, "trl-dpo needs chosen and rejected; .*'rl' .* has entry_points, io"),
        (["sft"], SFT, {"splits": ["test"]}, "configuration 'sft' .* has no split 'test'. It has train"),
        (["sft", "sft_reasoning"], SFT, {"splits": ["test"]}, "no configuration .* has a split 'test'"),
        (["sft"], SFT, {"splits": []}, "no split is named"),
    ],
)
def test_a_release_without_what_is_needed_says_what_there_is(tmp_path, sets, to, options, message):
    release = write_release(tmp_path / "release", *sets)
    with pytest.raises(BadInput, match=message):
        export(str(release), to, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_nothing_is_left_where_no_row_can_be_used(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(sft(0) | {"messages": [user("q")]}))
    with pytest.raises(BadInput, match=r"no row of .* can be exported to trl-sft: its turns are none.* \(1\)"):
        export(str(path), SFT, tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "is no release: it has no README.md"),
        ({"README.md": "# A page\n"}, "lists no configs"),
        ({"README.md": "---\nconfigs: [\n---\n"}, "is not valid YAML"),
        ({"README.md": "---\nconfigs:\n- config_name: '$(rm -rf ~)'\n---\n"}, "with the name '"),
        (
            {"README.md": "---\nconfigs:\n- config_name: sft\n  data_files: ../*.parquet\n---\n"},
            "names files outside the release",
        ),
        ({"README.md": "---\n---\n", "unfinished.json": "{}"}, "is unfinished"),
    ],
)
def test_a_folder_that_is_no_release_is_refused(tmp_path, files, message):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        export(str(folder), SFT, tmp_path / "out")


@pytest.mark.parametrize(("name", "message"), [("none", "does not exist"), ("notes.txt", "Give one of .parquet")])
def test_what_is_not_there_or_no_table_is_refused(tmp_path, name, message):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(BadInput, match=message):
        export(str(tmp_path / name), SFT, tmp_path / "out")


@pytest.mark.parametrize("name", ["2nd", "verifiers", "class", "a b"])
def test_an_environment_needs_a_folder_that_a_package_can_be_named_after(release, tmp_path, name):
    with pytest.raises(BadInput, match="the package of the environment is called as its folder"):
        export(str(release), ExportFormat.VERIFIERS, tmp_path / name)


def test_a_second_export_replaces_its_own_files_and_no_other(release, tmp_path):
    out = tmp_path / "out"
    export(str(release), SFT, out)
    (out / "sft-model").mkdir()
    (out / "sft-model" / "model.safetensors").write_bytes(b"weights")
    told = export(str(release), SFT, out, ["sft_reasoning"])
    assert sorted(path.name for path in out.iterdir()) == [
        "ATTRIBUTION.md", "README.md", "export.json", "licences", "sft-model", "sft_reasoning", "sft_reasoning.yaml",
    ]  # fmt: skip
    assert json.loads((out / "export.json").read_text()) == told.model_dump()
    assert told.complete


def test_an_export_that_was_killed_is_done_again(release, tmp_path):
    out = tmp_path / "out"
    export(str(release), SFT, out)
    told = json.loads((out / "export.json").read_text())
    (out / "export.json").write_text(json.dumps(told | {"complete": False}))
    (out / "sft.yaml").unlink()
    assert export(str(release), SFT, out).complete
    assert (out / "sft.yaml").exists()


def test_a_folder_with_files_of_ones_own_is_left_alone(release, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match="holds files and is no export of kodforge"):
        export(str(release), SFT, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]


def test_equal_releases_make_equal_exports(release, tmp_path):
    one, other = (export(str(release), VERL, tmp_path / name) for name in ("a", "b"))
    assert one == other


def test_the_command_says_what_it_did(release, tmp_path):
    done = CliRunner().invoke(app, ["export", str(release), "--to", "trl-dpo", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert f"preference/train: {len(SETS['preference']['train'][0])} rows" in done.output


def test_the_command_refuses_a_trainer_that_it_does_not_know(release, tmp_path):
    done = CliRunner().invoke(app, ["export", str(release), "--to", "gym", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2 and "'trl-grpo'" in done.output


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        (sets_sft.SCHEMA, "sft"),
        (reasoning.REASONING_SCHEMA, "sft"),
        (reasoning.PREFERENCE_SCHEMA, "preference"),
        (sets_rl.SCHEMA, "rl"),
    ],
)
def test_every_set_has_what_its_trainers_read(schema, kind):
    assert kind in kinds(set(schema.names))
    assert schema.names.count("question_id") == 1
