"""What stands behind a release: rows of all styles where their group is."""

from __future__ import annotations

import pytest

from tasks.arrow import arrow_schema
from tasks.errors import BadInput
from tasks.models import ReleaseRow, Split, Style
from tasks.released import Released
from tests.sets.runs import answer, answered, curated, placed, retold, triplet, without_post_training

ALL = {"held_out": {"share": 0.99, "largest": 1}}


@pytest.fixture
def released(tmp_path):
    rows = [triplet("a", "Count the words of a text."), triplet("b", "Merge two sorted lists of numbers.")]
    post_training = {**ALL, "sets": {"rl": {"enabled": False}}}
    run = retold(placed(curated(tmp_path, [rows], post_training=post_training)))
    return Released(answered(run, [answer("a", 1, True), answer("a_C", 1, False)]))


def test_a_row_in_another_style_is_where_the_row_is_that_it_was_made_of(released):
    (table,) = released.tables()
    rows = [ReleaseRow.model_validate(row) for row in table.to_pylist()]
    assert [(row.question_id, row.style, row.split, row.group) for row in rows] == [
        ("a", Style.INSTRUCT, Split.EVALUATION, "a"),
        ("b", Style.INSTRUCT, Split.EVALUATION, "b"),
        ("a_C", Style.COMPLETE, Split.EVALUATION, "a"),
        ("b_C", Style.COMPLETE, Split.EVALUATION, "b"),
    ]


@pytest.mark.parametrize(
    "columns", [["question"], ["lineage", "split"], ["group", "question_id"], arrow_schema(ReleaseRow).names[::-1]]
)
def test_some_columns_are_those_of_the_whole(released, columns):
    (part,) = released.parts
    table = released.rows(part, columns)
    assert table.column_names == columns
    assert table.equals(released.rows(part).select(columns))


def test_answers_come_with_their_grades(released):
    found = [(one.response_id, grade.passed) for one, grade in released.answers(released.parts[0])]
    assert found == [("a/r1/1", True), ("a_C/r1/1", False)]


def test_a_release_depends_on_what_was_made_of_its_rows(tmp_path, released):
    told = {receipt.content for part in released.parts for receipt in released.sources(part)}
    plain = without_post_training(released.run)
    assert {receipt.content for part in Released(plain).parts for receipt in Released(plain).sources(part)} < told


def test_a_release_depends_on_what_was_answered_and_not_only_on_its_grades(released):
    """Of an answer without code every grade is the same, whatever it says."""
    told = [
        set(Released(answered(released.run, [answer("a", 1, False, code="", text=text)])).inputs)
        for text in ("I pass.", "No idea.")
    ]
    assert told[0] != told[1]


def test_a_run_that_was_not_post_trained_says_so(tmp_path):
    run = curated(tmp_path, [[triplet("a", "Count the words of a text.")]])
    with pytest.raises(BadInput, match="no finished stage 'placings'"):
        Released(run)
