"""What two releases are said to differ by."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.errors import BadInput
from tasks.models import Split, Style
from tasks.publishing.diff import diff
from tasks.publishing.folder import Manifest, Table, opened
from tasks.publishing.hashing import column_hashes, row_hashes
from tasks.store import Store
from tests.publishing.rows import row, told_as


@pytest.fixture
def compared(publishing, tmp_path):
    """The diff between the releases of two lists of rows."""

    def compare(before, now, converted=((), ()), sets=((), ())):
        releases = []
        for number, rows in enumerate((before, now)):
            folder = tmp_path / str(number)
            publishing(rows, converted[number], sets[number], folder)
            releases.append(opened(str(folder)))
        return diff(*releases)

    return compare


def test_equal_releases_do_not_differ(compared):
    found = compared([row("q0")], [row("q0")])
    assert found.change == "none"
    assert (found.rows.before, found.rows.after) == (1, 1)
    assert found.to_markdown().count("\n") == 1


def test_rows_are_told_by_what_became_of_them(compared):
    before = [row(f"q{number}", subset=("Docs", "Apps")[number % 2]) for number in range(8)]
    now = [
        row("q0", question="Other?", subset="Docs"),
        row("q1", subset="Apps", split=Split.USE_WITH_CAUTION, filter_reason="doubt"),
        *before[2:7],
        row("q9", passes=9, subset="Taco", licence="MIT"),
        row("qé\n|", passes=9, subset="Taco", licence="MIT"),
    ]
    found = compared(before, now, converted=((), [told_as(Style.COMPLETE, now[2])]))
    rows = found.rows
    assert (rows.added, rows.removed, rows.changed, rows.moved) == (3, 1, 2, 1)
    assert found.columns == {"question": 1, "filter_reason": 1}
    assert [(one.source, one.target, one.rows) for one in found.moves] == [("train", "use_with_caution", 1)]
    groups = {(one.subset, one.style): one for one in found.groups}
    assert (groups["Apps", "instruct"].removed, groups["Apps", "instruct"].moved) == (1, 1)
    assert (groups["Taco", "instruct"].before, groups["Taco", "instruct"].added) == (0, 2)
    assert groups["Docs", "complete"].added == 1
    assert found.examples["removed"] == ["q7"]
    assert found.licences == {"BSD-3-Clause": (8, 8), "MIT": (0, 2)} or found.licences == {"MIT": (0, 2)}
    assert {one.axis: one.distance > 0 for one in found.shifts}["subset"]
    caution = next(one for one in found.tables if one.split == "use_with_caution")
    assert (caution.before, caution.after, caution.added) == (None, 1, 1)
    assert found.change == "major"
    assert "| removed |" in found.to_markdown() and "qé \\|" in found.to_markdown()


def test_sets_are_compared_by_their_rows_whatever_the_order(compared):
    rows = [row(f"q{number}", number % 9 + 1) for number in range(6)]
    found = compared(rows, [*reversed(rows), row("q9")], sets=(["sft"], ["sft", "curriculum"]))
    sets = {(one.config, one.split): (one.before, one.after, one.added, one.removed) for one in found.tables}
    assert sets["sft", "train"] == (6, 7, 1, 0)
    assert sets["curriculum", "hard"][0] is None
    assert found.change == "minor"


def _written(folder, tables, version="1.0.0"):
    folder.mkdir()
    told = []
    for split, table in tables.items():
        pq.write_table(table, folder / f"{split}.parquet")
        told.append(Table(config="default", split=split, rows=len(table), bytes=0, files=[f"{split}.parquet"]))
    manifest = Manifest(run="r", version=version, tables=told, sha256={f"{split}.parquet": "" for split in tables})
    (folder / "release.json").write_text(manifest.model_dump_json())
    return opened(str(folder))


def test_columns_that_came_went_or_changed_their_type_are_told(tmp_path):
    left = pa.table({"question_id": ["a"], "gone": [1], "retyped": [1]})
    right = pa.table({"question_id": ["a"], "retyped": ["1"], "fresh": [0.5]})
    found = diff(_written(tmp_path / "a", {"train": left}), _written(tmp_path / "b", {"train": right}))
    assert [(one.column, one.before, one.after) for one in found.schema_changes] == [
        ("gone", "int64", ""),
        ("retyped", "int64", "string"),
        ("fresh", "", "double"),
    ]
    assert found.rows.changed == 0 and found.change == "major"


def test_empty_releases_compare(tmp_path):
    rows = pa.table({"question_id": ["a", "b"], "subset": ["Docs", "Docs"]})
    empty, full = _written(tmp_path / "a", {}), _written(tmp_path / "b", {"train": rows})
    assert diff(empty, full).rows.added == 2
    assert diff(full, empty).rows.removed == 2
    assert diff(empty, empty).change == "none"


def test_an_id_that_is_there_twice_is_named(tmp_path):
    twice = _written(tmp_path / "a", {"train": pa.table({"question_id": ["a", "a"]})})
    with pytest.raises(BadInput, match="has question_id 'a' twice"):
        diff(twice, twice)


def test_a_file_that_is_torn_is_named(tmp_path):
    release = _written(tmp_path / "a", {"train": pa.table({"question_id": ["a"]})})
    (tmp_path / "a/train.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(BadInput, match=r"train.parquet cannot be read.*sha256sum -c"):
        diff(release, release)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no release: there is no release.json in it. Give the folder"),
        ({"unfinished.json": "{}"}, "one is being written there"),
        ({"release.json": "[]"}, "is not a release manifest"),
        ({"release.json": json.dumps({"run": "r", "version": "two"})}, "is not a release manifest"),
    ],
)
def test_a_folder_that_is_no_release_is_refused(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=message):
        opened(str(tmp_path))


ROW = st.fixed_dictionaries(
    {
        "text": st.none() | st.text(max_size=3),
        "number": st.none() | st.integers(-3, 3),
        "share": st.none() | st.sampled_from([0.0, 0.5]),
        "flag": st.none() | st.booleans(),
        "list": st.none() | st.lists(st.none() | st.text(max_size=2), max_size=3),
        "deep": st.none()
        | st.fixed_dictionaries(
            {
                "a": st.none() | st.text(max_size=2),
                "b": st.none() | st.lists(st.fixed_dictionaries({"c": st.none() | st.integers(0, 2)}), max_size=2),
            }
        ),
    }
)
SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("number", pa.int64()),
        ("share", pa.float64()),
        ("flag", pa.bool_()),
        ("list", pa.list_(pa.string())),
        ("deep", pa.struct([("a", pa.string()), ("b", pa.list_(pa.struct([("c", pa.int64())])))])),
    ]
)


@given(st.lists(ROW, min_size=1, max_size=6), st.integers(0, 5))
def test_rows_have_equal_hashes_where_their_values_are_equal_and_only_there(rows, cut):
    table = pa.Table.from_pylist(rows, SCHEMA)
    hashes = column_hashes(table)
    cut = min(cut, len(rows))
    apart = pa.concat_tables([table.slice(cut), table.slice(0, cut)])
    assert (column_hashes(apart) == hashes[[*range(cut, len(rows)), *range(cut)]]).all()
    for name, column in zip(SCHEMA.names, hashes.T, strict=True):
        for i, left in enumerate(rows):
            for j, right in enumerate(rows):
                assert (column[i] == column[j]) == (left[name] == right[name])
    whole = row_hashes(hashes)
    assert len(set(whole.tolist())) == len({json.dumps(one, sort_keys=True) for one in rows})


def test_the_command_prints_markdown_or_json(publishing, tmp_path, capsys):
    from rich.console import Console

    from flows.console.releases import show_diff

    publishing([row("q0")])
    publishing([row("q0"), row("q1")])
    folders = [str(tmp_path / "release/1.0.0"), str(tmp_path / "release")]
    show_diff(*folders, True, Console())
    assert json.loads(capsys.readouterr().out)["rows"]["added"] == 1
    show_diff(*folders, False, Console(width=150))
    printed = capsys.readouterr().out
    assert "1 added" in printed and "a minor change" in printed
    assert Store(folders[0]).exists("release.json")
