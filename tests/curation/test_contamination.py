"""Benchmark overlap: found verbatim and in part, with item and span; clean rows stay clean."""

import json

import pytest

from tasks.curation.contamination import NO_OVERLAP, human_eval, human_eval_index, tokens
from tasks.curation.files import curate_file
from tasks.errors import BadInput
from tasks.settings import Curation


def test_human_eval_has_its_164_items():
    items = human_eval()
    assert len(items) == 164
    assert items[0].item_id == "HumanEval/0"


def test_verbatim_copy_is_found_with_item_and_span():
    item = human_eval()[10]
    overlap = human_eval_index(10).overlap([item.texts[0]])
    assert overlap.item_id == item.item_id
    assert overlap.share > 0.5
    assert overlap.span in " ".join(tokens(item.texts[0]))


def test_solution_alone_gives_it_away():
    item = max(human_eval(), key=lambda one: len(tokens(one.texts[1])))
    assert human_eval_index(10).overlap(["An innocent question.", item.texts[1]]).item_id == item.item_id


def test_short_quotation_is_a_small_share():
    item = human_eval()[1]
    quoted = " ".join(tokens(item.texts[0])[8:22])
    overlap = human_eval_index(10).overlap([f"Something of our own. {quoted}. And more of our own."])
    assert 0 < overlap.share < 0.5


def test_clean_text_has_no_overlap():
    assert human_eval_index(10).overlap(["Simulate a lift that serves requests in the order of floors."]) == NO_OVERLAP


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_file_of_rows_gets_a_decision_each(tmp_path, suffix):
    rows = [
        {"id": "a", "question": "Simulate a lift that serves requests in order."},
        {"id": "b", "question": "simulate a lift that serves requests in order", "quality": 1},
        {"id": "c", "question": human_eval()[0].texts[0]},
    ]
    source, out = tmp_path / "rows.jsonl", tmp_path / f"out.{suffix}"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert curate_file(source, out, Curation()) == {"reject": 2, "train": 1}
    if suffix == "jsonl":
        found = {row["id"]: row for row in map(json.loads, out.read_text().splitlines())}
        assert (found["a"]["reason"], found["a"]["representative"]) == ("exact_duplicate", "b")
        assert found["b"]["duplicates"] == ["a"]
        assert found["c"]["benchmark_item"] == "HumanEval/0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "a"}\n', r"row 1: column 'question' must be a text that is not empty, got None"),
        ('{"id": "a", "question": "x"}\n{"id": "a", "question": "y"}\n', r"row 2: id 'a' occurs twice"),
        ("", "has no rows"),
    ],
)
def test_bad_rows_are_named_and_nothing_is_written(tmp_path, content, message):
    source, out = tmp_path / "rows.jsonl", tmp_path / "out.jsonl"
    source.write_text(content)
    with pytest.raises(BadInput, match=message):
        curate_file(source, out, Curation())
    assert not out.exists()
