"""Benchmarks in their published columns: the canonical solution passes, a wrong one fails, and bad rows are named."""

from __future__ import annotations

import base64
import datetime
import json
import pickle
import zlib

import pytest

from tasks.errors import BadInput
from tasks.evaluation.asking import answered
from tasks.evaluation.checking import check
from tasks.evaluation.formats.live_code_bench import pickled_text
from tasks.evaluation.items import left_out, missing_libraries, read_items
from tasks.evaluation.judging import pair
from tasks.execution.pool import Look
from tasks.models import Asking, RejectReason, Style, Verdict
from tasks.settings import Evaluation
from tests.evaluation import benchmarks as rows
from tests.evaluation.benchmarks import written

FORMATS = {
    "humaneval": (rows.HUMAN_EVAL, rows.WHOLE, rows.WRONG),
    "mbpp": (rows.MBPP, rows.WHOLE, rows.WRONG),
    "mbpp sanitized": (rows.MBPP_SANITIZED, rows.WHOLE, rows.WRONG),
    "mbpp+ on the hub": (rows.MBPP_PLUS_ON_HUB, rows.WHOLE, rows.WRONG),
    "humaneval+": (rows.HUMAN_EVAL_PLUS, rows.WHOLE, rows.WRONG),
    "mbpp+": (
        rows.MBPP_PLUS,
        "def shared_points(one, other):\n    return {point for point in one if point in other}\n",
        "def shared_points(one, other):\n    return set(one[:1])\n",
    ),
    "bigcodebench": (
        rows.BIG_CODE_BENCH,
        "def task_func(text):\n    return Counter(re.findall(LETTERS, text.lower()))\n",
        "def task_func(text):\n    return Counter(text)\n",
    ),
    "livecodebench, programs": (rows.LIVE_STDIN, rows.LIVE_PROGRAM, "print(2)\n"),
    "livecodebench, methods": (rows.LIVE_FUNCTIONAL, rows.LIVE_METHOD, rows.LIVE_METHOD.replace(">=", "<")),
    "our own": (rows.OWN, rows.WHOLE, rows.WRONG),
    "our own, programs": (rows.OWN_PROGRAM, rows.LIVE_PROGRAM, "print(3)\n"),
    "a release's evaluation set": (rows.HELD_OUT, rows.WHOLE, rows.WRONG),
    "rows of a release": (rows.RELEASED, rows.WHOLE, rows.WRONG),
}


CASE = {"input": "1", "output": "1", "testtype": "stdin"}


def items(path, **options):
    return list(read_items(Evaluation(benchmark=path, **options)))


@pytest.mark.parametrize("name", FORMATS)
def test_right_answers_pass_and_wrong_ones_fail(pool, tmp_path, name):
    row, right, wrong = FORMATS[name]
    [item] = items(written(tmp_path / "items.jsonl", row))
    codes = [answered(item, f"```python\n{code}```") for code in (right, wrong)]
    verdicts = pool.run_all([pair(item, str(n), code) for n, code in enumerate(codes)], Look())
    assert [one.verdict for one in verdicts] == [Verdict.PASSED, Verdict.FAILED], verdicts


@pytest.mark.parametrize("name", [name for name in FORMATS if not name.startswith("livecodebench")])
def test_canonical_solutions_pass_however_the_item_is_asked(pool, tmp_path, name):
    [item] = items(written(tmp_path / "items.jsonl", FORMATS[name][0]))
    for asking in Asking:
        [found] = check([item], asking, pool)
        assert (found.verdict, found.passing_stubs) == (Verdict.PASSED, []), found


def test_both_prompts_of_bigcodebench_can_be_asked_by(pool, tmp_path):
    path = written(tmp_path / "items.jsonl", rows.BIG_CODE_BENCH)
    for style in (Style.COMPLETE, Style.INSTRUCT):
        [item] = items(path, prompt=style.value)
        assert (item.style, item.prompt) == (style, rows.BIG_CODE_BENCH[f"{style}_prompt"])
        [verdict] = pool.run_all([pair(item, "x", answered(item, f"```python\n{FORMATS['bigcodebench'][1]}```"))])
        assert verdict.verdict is Verdict.PASSED


@pytest.mark.parametrize("name", ["items.jsonl.gz", "items.parquet", "items.jsonl"])
def test_any_kind_of_file_is_read(tmp_path, name):
    assert [one.id for one in items(written(tmp_path / name, rows.HUMAN_EVAL))] == ["Ours/1"]


def test_of_a_folder_the_split_is_read(tmp_path):
    written(tmp_path / "train-0.jsonl", rows.MBPP | {"task_id": 1})
    written(tmp_path / "test-0.jsonl", rows.MBPP | {"task_id": 2})
    assert [one.id for one in items(str(tmp_path), split="test")] == ["2"]
    assert [one.id for one in items(str(tmp_path))] == ["2", "1"]


def test_inputs_have_the_types_that_the_item_shows(tmp_path):
    [item] = items(written(tmp_path / "items.jsonl", rows.MBPP_PLUS))
    assert "[((1, 2), (3, 4)), ((3, 4),)]" in item.test
    assert item.prompt.startswith("Write a function to find the points")


def test_floats_may_be_a_little_off_and_other_values_may_not(pool, tmp_path):
    row = {
        **rows.HUMAN_EVAL_PLUS,
        "prompt": 'def half(x):\n    """Half of x."""\n',
        "entry_point": "half",
        "canonical_solution": "    return x / 2\n",
        "base_input": [[3], [1e300], [5]],
        "plus_input": [[-7]],
    }
    [item] = items(written(tmp_path / "items.jsonl", row))
    codes = ["return x * 0.5000000001", "return x * 0.51", "return str(x / 2)", "return x // 2"]
    pairs = [pair(item, str(n), f"def half(x):\n    {code}\n") for n, code in enumerate(codes)]
    assert [one.verdict is Verdict.PASSED for one in pool.run_all(pairs)] == [True, False, False, False]


def test_a_window_of_dates_takes_the_items_within(tmp_path):
    path = written(tmp_path / "items.jsonl", rows.LIVE_STDIN, rows.LIVE_FUNCTIONAL)
    assert [one.id for one in items(path, since=datetime.date(2024, 4, 1))] == ["ours_b"]
    assert [one.id for one in items(path, until=datetime.date(2024, 3, 1))] == ["ours_a"]
    with pytest.raises(BadInput, match="no item between"):
        items(path, since=datetime.date(2025, 1, 1))
    with pytest.raises(BadInput, match="row 1 has no date"):
        items(written(tmp_path / "other.jsonl", rows.MBPP), since=datetime.date(2024, 1, 1))


class Attack:
    def __reduce__(self):
        return (print, ("loaded",))


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (packed(pickle.dumps(Attack())), "holds more than a text"),
        (packed(pickle.dumps([json.dumps([])])), "holds more than a text"),
        (packed(b"\x80\x04"), "holds more than a text"),
        (packed(pickle.dumps("no json")), "is no valid JSON"),
        ("!!!", "neither JSON nor compressed"),
        (base64.b64encode(b"not compressed").decode(), "neither JSON nor compressed"),
        (json.dumps([{"input": 1, "output": "2", "testtype": "stdin"}]), "must hold a list of tests"),
        (json.dumps([{"input": "1", "output": "2", "testtype": "odd"}]), "has the testtype 'odd'"),
    ],
)
def test_private_tests_that_are_no_tests_are_refused_and_never_unpickled(tmp_path, capsys, cell, says):
    path = written(tmp_path / "items.jsonl", rows.LIVE_STDIN, {**rows.LIVE_FUNCTIONAL, "private_test_cases": cell})
    with pytest.raises(BadInput, match=rf"items\.jsonl, row 2: column 'private_test_cases'.*{says}"):
        items(path)
    assert capsys.readouterr().out == ""


def test_private_tests_that_unpack_to_too_much_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.evaluation.formats.live_code_bench.MAX_UNPACKED", 1 << 20)
    cell = packed(pickle.dumps(" " * (2 << 20)))
    with pytest.raises(BadInput, match="unpacks to more than 1 MiB"):
        items(written(tmp_path / "items.jsonl", {**rows.LIVE_STDIN, "private_test_cases": cell}))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("text", ["", "plain", "ünïcode\n\U0001f600", "x" * 70_000])
def test_a_pickled_text_is_read_off_its_opcodes(protocol, text):
    assert pickled_text(pickle.dumps(text, protocol)) == text


@pytest.mark.parametrize(
    ("good", "change", "says"),
    [
        (rows.HUMAN_EVAL, {"prompt": ""}, "column 'prompt' is missing or empty"),
        (rows.HUMAN_EVAL, {"entry_point": ["f"]}, "column 'entry_point' must be a text, got list"),
        (rows.MBPP, {"test_list": "{"}, "column 'test_list' must be a list of texts"),
        (rows.MBPP, {"test_list": ["assert other(1) == 2"]}, "uses nothing that column 'code' defines"),
        (rows.MBPP_PLUS_ON_HUB, {"test": "for"}, "column 'test' is no Python"),
        (rows.HUMAN_EVAL_PLUS, {"base_input": [], "plus_input": []}, "column 'base_input' is empty"),
        (rows.HUMAN_EVAL_PLUS, {"base_input": [3]}, "must hold a list of arguments per call"),
        (rows.HUMAN_EVAL_PLUS, {"entry_point": "absent"}, "does not define 'absent'"),
        (rows.HUMAN_EVAL_PLUS, {"atol": "much"}, "column 'atol' must be a number"),
        (rows.LIVE_FUNCTIONAL, {"metadata": "{}"}, "names no method in 'func_name'"),
        (rows.LIVE_FUNCTIONAL, {"metadata": '{"func_name": "a b; import os"}'}, "names no method"),
        (rows.OWN, {"prompt": "half \ud83d a character"}, "holds half a character"),
        (rows.LIVE_STDIN, {"public_test_cases": json.dumps([CASE | {"input": "\ud800"}])}, "holds half a character"),
        (rows.OWN, {"style": "essay"}, "column 'style' is 'essay'"),
        (rows.OWN, {"test": "def test_a():\n    pass\n"}, "imports nothing from `solution`"),
        (rows.OWN, {"entry_point": "absent"}, "is 'absent', and the tests use overlapping"),
        (rows.OWN_PROGRAM, {"io": [{"stdin": 1}]}, "column 'io' must be a list of runs"),
    ],
)
def test_a_bad_row_is_named_by_file_row_and_column(tmp_path, good, change, says):
    path = written(tmp_path / "items.jsonl", good, good | {"task_id": "2", "question_id": "2", "id": "2"} | change)
    with pytest.raises(BadInput, match=rf"items\.jsonl, row 2: .*{says}"):
        items(path)


def test_a_file_of_other_columns_is_told_which_there_could_be(tmp_path):
    with pytest.raises(BadInput, match=r"row 1: columns question are those of no known format.*humaneval: entry_point"):
        items(written(tmp_path / "items.jsonl", {"question": "why?"}))


def test_ids_must_be_unique_and_files_not_empty(tmp_path):
    with pytest.raises(BadInput, match="id 'ours-1' occurs twice"):
        items(written(tmp_path / "items.jsonl", rows.OWN, rows.OWN))
    with pytest.raises(BadInput, match="has no item"):
        items(written(tmp_path / "empty.jsonl"))
    with pytest.raises(BadInput, match="Known benchmarks: humaneval, "):
        items("humanevil")


def test_what_the_box_lacks_is_found_out_and_left_out(pool, tmp_path):
    row = {**rows.BIG_CODE_BENCH, "task_id": "Ours/6", "libs": "['turtle_graphics_9000', 'numpy', 're']"}
    found = items(written(tmp_path / "items.jsonl", rows.BIG_CODE_BENCH, row))
    assert found[1].libraries == ["numpy", "turtle_graphics_9000"]
    missing = missing_libraries(found, pool)
    assert missing == {"turtle_graphics_9000"}
    kept, gone = left_out(found, missing, set())
    assert (kept.id, gone.id, gone.reason) == ("Ours/5", "Ours/6", RejectReason.MISSING_LIBRARY)
    assert "turtle_graphics_9000" in gone.evidence
