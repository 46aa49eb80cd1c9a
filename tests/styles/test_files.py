"""Files of one's own: what is wrong with one is told before anything is asked."""

from __future__ import annotations

import json

import pytest

from tasks.errors import BadInput
from tasks.models import Style
from tasks.styles.files import check_file, rejects_beside, rows_to_convert

GOOD = {"id": "a", "question": "q", "solution": "s", "test": "t"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"id": "a", "question": "q", "solution": "s"}\n', "row 1: column 'test'"),
        ('{"id": "a", "question": "q", "solution": "s", "test": 3}\n', "row 1: column 'test'"),
        ('{"id": "a", "question": "", "solution": "s", "test": "t"}\n', "row 1: column 'question'"),
        ('{"question": "q", "solution": "s", "test": "t"}\n', "row 1: column 'id'"),
        ('{"id": "a", "question": "q\\ud800", "solution": "s", "test": "t"}\n', "unicode"),
        (json.dumps({**GOOD, "style": "sonnet"}), "got 'sonnet'"),
        (json.dumps({**GOOD, "entry_points": "f"}), "column 'entry_points'"),
        (f"{json.dumps(GOOD)}\n" * 2, "occurs twice"),
        (f"{json.dumps(GOOD)}\n{json.dumps({**GOOD, 'id': 'a_I'})}\n", "id 'a_I' and id 'a' .* would have the same id"),
        ("", "has no rows"),
        ("nonsense\n", "line 1"),
    ],
)
def test_bad_files_are_refused_with_row_and_column(tmp_path, text, told):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(BadInput, match=told):
        check_file(path, tmp_path / "out.parquet")


def test_the_rows_are_not_overwritten_by_what_becomes_of_them(tmp_path):
    path = tmp_path / "x.rejects.jsonl"
    path.write_text(json.dumps(GOOD))
    for out in (path, tmp_path / "x.jsonl"):
        with pytest.raises(BadInput, match="overwrite"):
            check_file(path, out)
    with pytest.raises(BadInput, match="ends in"):
        check_file(path, tmp_path / "x.csv")
    check_file(path, tmp_path / "y.jsonl")
    assert rejects_beside(tmp_path / "y.jsonl").name == "y.rejects.jsonl"


def test_a_row_that_is_not_told_may_have_an_id_that_is_like_another(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [GOOD, {**GOOD, "id": "a_I", "style": "complete"}, {**GOOD, "id": "a_C"}, {**GOOD, "id": "b_I"}]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert [row.id for row in rows_to_convert(path)] == ["a", "a_I", "a_C", "b_I"]


def test_columns_of_kodcode_are_read_and_others_ignored(tmp_path):
    path = tmp_path / "rows.jsonl"
    row = {"question_id": "Docs_1_I", "question": "q", "solution": None, "test": "t", "style": "complete", "trials": {}}
    path.write_text(json.dumps({**row, "subset": None, "test_info": [{"function_name": "f"}]}))
    (found,) = rows_to_convert(path)
    assert (found.id, found.solution, found.style, found.entry_points) == ("Docs_1_I", "", Style.COMPLETE, [])
