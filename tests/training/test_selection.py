"""Which rows of a release a recipe takes."""

from __future__ import annotations

import json

import pytest

from tasks.errors import BadInput
from tasks.settings import Recipe
from tasks.training.selection import open_set, select, write_rows
from tests.training.releases import sft_row, write_release

ROWS = [sft_row(number) for number in range(60)]


@pytest.fixture
def table(tmp_path):
    return open_set(write_release(tmp_path, ROWS), "sft")


def test_a_smaller_draw_is_part_of_a_larger_one_and_another_seed_draws_others(table):
    small, large = (select(table, Recipe(rows=rows), 0).keys for rows in (10, 40))
    assert len(small) == 10
    assert small < large
    assert select(table, Recipe(rows=10), 1).keys != small
    assert select(table, Recipe(rows=10), 0).keys == small


def test_the_order_of_the_files_rows_changes_no_draw(tmp_path, table):
    other = open_set(write_release(tmp_path / "other", ROWS[::-1]), "sft")
    assert select(other, Recipe(rows=10), 0) == select(table, Recipe(rows=10), 0)


def test_a_mix_is_met_to_the_row_and_nested_too(table):
    mix = {"hard": 0.5, "medium": 0.3, "easy": 0.2}
    assert select(table, Recipe(rows=31, mix=mix), 0).counts == {"easy": 6, "hard": 16, "medium": 9}
    assert select(table, Recipe(rows=10, mix=mix), 0).keys < select(table, Recipe(rows=30, mix=mix), 0).keys
    assert sum(select(table, Recipe(mix=mix), 0).counts.values()) == 40, "all that a mix can have: 20 of them hard"


def test_filters_leave_others_out(table):
    chosen = select(table, Recipe(subsets=("Docs",), styles=("instruct",), difficulties=("hard",)), 0)
    assert {int(name.split("_")[1]) for name, _ in chosen.keys} == {n for n in range(60) if n % 2 and n % 3 == 2}


def test_answers_of_one_reasoner_are_taken_alone(tmp_path):
    rows = [sft_row(number, reasoner=name) for number in range(5) for name in ("r1", "qwq")]
    table = open_set(write_release(tmp_path, rows, "sft_reasoning"), "sft_reasoning")
    chosen = select(table, Recipe(set="sft_reasoning", reasoners=("r1",)), 0)
    assert {reasoner for _, reasoner in chosen.keys} == {"r1"}
    assert select(table, Recipe(set="sft_reasoning"), 0).fitting == 10


def test_written_rows_are_conversations_and_their_digest_tells_them_apart(table, tmp_path):
    chosen = select(table, Recipe(rows=7), 0)
    digest = write_rows(table, chosen, tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert {(line["question_id"], "") for line in lines} == chosen.keys
    assert all([one["role"] for one in line["messages"]] == ["user", "assistant"] for line in lines)
    assert write_rows(table, chosen, tmp_path / "b.jsonl") == digest
    assert write_rows(table, select(table, Recipe(rows=7), 1), tmp_path / "c.jsonl") != digest


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"rows": 61}, "asks for 61 rows of sft, and 60 fit"),
        ({"subsets": ["Nowhere"]}, "asks for all rows of sft, and 0 fit"),
        ({"rows": 50, "mix": {"hard": 0.6, "easy": 0.4}}, "30 hard rows of sft, and there are 20. Ask for at most 33"),
    ],
)
def test_a_recipe_that_a_release_cannot_serve_says_what_there_is(table, recipe, message):
    with pytest.raises(BadInput, match=message):
        select(table, Recipe(**recipe), 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"messages": [{"role": "user", "content": "q"}]}, "row 1: column 'messages' is no conversation"),
        ({"messages": [{"role": "user", "content": "q"}] * 2}, "ends with 'user'"),
        ({"messages": None}, "column 'messages' is no conversation"),
        ({"question_id": None}, "column 'question_id' is missing"),
    ],
)
def test_rows_that_are_no_conversations_are_named(tmp_path, values, message):
    table = open_set(write_release(tmp_path, [sft_row(1, **values)]), "sft")
    with pytest.raises(BadInput, match=message):
        write_rows(table, select(table, Recipe(), 0), tmp_path / "rows.jsonl")


def test_the_same_id_twice_is_an_error(tmp_path):
    table = open_set(write_release(tmp_path, [sft_row(1), sft_row(2), sft_row(1)]), "sft")
    with pytest.raises(BadInput, match="'Docs_00000001_I' twice"):
        select(table, Recipe(), 0)


def test_what_is_no_release_says_what_to_give(tmp_path):
    for release, name, message in (
        ("", "sft", "release is empty"),
        (str(tmp_path / "nowhere"), "sft", "has no set 'sft'"),
        (write_release(tmp_path, ROWS), "sft_reasoning", "has no set 'sft_reasoning'.*teachers.reasoners"),
        (write_release(tmp_path / "b", ROWS, split="incorrect"), "sft", "has no train split"),
    ):
        with pytest.raises(BadInput, match=message):
            open_set(release, name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mix": {"hard": 0.5, "easy": 0.4}}, "add up to 1, got 0.9"),
        ({"mix": {"hard": 1.0}, "difficulties": ["hard"]}, "both given"),
        ({"reasoners": ["r1"]}, "Set it to sft_reasoning"),
        ({"rows": 0}, "greater than or equal to 1"),
    ],
)
def test_a_recipe_that_contradicts_itself_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**values)


def test_unicode_survives_and_lone_surrogates_do_no_harm(tmp_path):
    messages = [{"role": "user", "content": "Schreibe „größer“ 🐍"}, {"role": "assistant", "content": "x = '\\ud800'"}]
    table = open_set(write_release(tmp_path, [sft_row(1, messages=messages)]), "sft")
    write_rows(table, select(table, Recipe(), 0), tmp_path / "rows.jsonl")
    assert json.loads((tmp_path / "rows.jsonl").read_text())["messages"] == messages
