"""The Parquet files of a release: sorted, and read in part by a reader with a filter."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from tasks.models import Split, Style
from tasks.publishing.parquet import SORT_KEY, Order, ParquetFiles
from tests.publishing.rows import current, row, told_as

SPLITS = ["train", "evaluation"]
SUBSETS = ("Docs", "Apps", "Taco")


@pytest.fixture
def released(publishing, tmp_path):
    rows = [row(f"q{number:03}", number % 9 + 1, subset=SUBSETS[number % 3]) for number in range(60)]
    random.Random(0).shuffle(rows)
    converted = [told_as(Style.COMPLETE, one) for one in rows[:20]]
    publishing(rows, converted, rows_per_file=50, rows_per_group=8)
    return current(tmp_path / "release")


def test_rows_are_sorted_over_all_files_in_bounded_row_groups(released):
    files = sorted((released / "data").glob("*.parquet"))
    assert [file.name for file in files] == ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]
    keys = [key for file in files for key in pq.read_table(file, columns=list(SORT_KEY)).to_pylist()]
    told = [tuple(key[name] for name in SORT_KEY) for key in keys]
    assert told == sorted(told) and len(told) == 80
    for file in files:
        metadata = pq.read_metadata(file)
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        assert max(group.num_rows for group in groups) == 8
        names = [metadata.schema.column(one.column_index).name for one in groups[0].sorting_columns]
        assert names == list(SORT_KEY)
        chunk = groups[0].column(metadata.schema.names.index("question_id"))
        assert chunk.compression == "ZSTD" and chunk.statistics.has_min_max
        assert chunk.has_column_index and chunk.bloom_filter_length


@pytest.mark.parametrize(
    ("which", "most"),
    [
        (pc.field("subset") == "Taco", 5),
        ((pc.field("subset") == "Docs") & (pc.field("style") == "complete"), 2),
        ((pc.field("subset") == "Docs") & (pc.field("gpt_difficulty") == "hard"), 4),
        (pc.field("style") == "none of these", 0),
    ],
)
def test_a_filter_reads_only_row_groups_that_may_match(released, which, most):
    fragments = list(pads.dataset(released / "data").get_fragments())
    every = sum(fragment.num_row_groups for fragment in fragments)
    read = sum(len(fragment.split_by_row_group(which)) for fragment in fragments)
    assert every == 11
    assert read <= most
    rows = pads.dataset(released / "data").to_table(filter=which)
    assert rows.num_rows == pads.dataset(released / "data").to_table().filter(which).num_rows


def test_a_row_in_another_style_lies_in_the_split_of_its_origin(publishing, tmp_path):
    held = row("q1", split=Split.EVALUATION)
    publishing([row("q0"), held], [told_as(Style.COMPLETE, held)])
    (file,) = (current(tmp_path / "release") / "data").glob("evaluation-*.parquet")
    table = pq.read_table(file)
    assert table["question_id"].to_pylist() == ["q1_C", "q1"]
    assert table["group"].to_pylist() == ["q1", "q1"]


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_do_not_fit_into_one_pile_are_sorted_as_well(seed):
    random_ = np.random.default_rng(seed)
    rows = 3500
    table = pa.table(
        {
            "split": random_.choice(SPLITS, rows, p=[0.9, 0.1]),
            "subset": random_.choice(SUBSETS, rows),
            "style": ["instruct"] * rows,
            "gpt_difficulty": random_.choice(["easy", "hard"], rows),
            "question_id": [f"é{number}" for number in random_.permutation(rows)],
            "io": [[{"stdin": str(number)}] for number in range(rows)],
        }
    )
    order = Order(table.select(["split", *SORT_KEY]), [*SPLITS, "use_with_caution"])
    parts = [table.slice(start, 300) for start in range(0, rows, 300)]
    columns = [*SORT_KEY, "io"]
    found = {split: pa.concat_tables(tables) for split, tables in order.split_tables(lambda: parts, columns)}
    assert found.keys() == set(SPLITS)
    for split, sorted_ in found.items():
        expected = table.filter(pc.field("split") == split).sort_by([(name, "ascending") for name in SORT_KEY])
        assert sorted_.equals(expected.select(columns))
        assert order.counts[split] == sorted_.num_rows


@pytest.mark.parametrize(
    ("rows", "file", "group", "sizes"),
    [
        (0, 10, 4, []),
        (7, 10, 4, [[4, 3]]),
        (20, 10, 4, [[4, 4, 2], [4, 4, 2]]),
        (21, 10, 10, [[10], [10], [1]]),
        (5, 2, 1000, [[2], [2], [1]]),
    ],
)
def test_files_and_row_groups_have_the_sizes_asked_for(rows, file, group, sizes, tmp_path):
    files = ParquetFiles(tmp_path, "train", file, group)
    for start in range(0, rows, 3):
        files.add(pa.table({"n": list(range(start, min(start + 3, rows)))}))
    files.close()
    found = [pq.read_metadata(path) for path in files.paths]
    assert [[one.row_group(n).num_rows for n in range(one.num_row_groups)] for one in found] == sizes
    assert [n for path in files.paths for n in pq.read_table(path)["n"].to_pylist()] == list(range(rows))
    assert files.rows == rows
