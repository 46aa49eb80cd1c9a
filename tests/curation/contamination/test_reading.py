"""Benchmarks in their published formats, from folders and from the hub, and what is said where one cannot be read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.curation.contamination import BenchmarkIndex, read_benchmarks
from tasks.curation.contamination.presets import PRESETS
from tasks.curation.texts import RowTexts
from tasks.errors import BadInput
from tasks.settings.decontamination import Benchmark, Decontamination
from tests.sourcing.hub import Hub, serving

PROMPT = "Given the heights of the tiles of a roof, tell how many of them overlap the next tile by a hand or more."
SOLUTION = (
    "def overlapping(tiles):\n    found = 0\n    for one, following in zip(tiles, tiles[1:]):\n"
    "        if one - following >= 10:\n            found += 1\n    return found\n"
)
ASSERTS = ["assert overlapping([31, 18, 27, 14]) == 2", "assert overlapping([55, 47, 36, 20]) == 2"]
UNITTEST = (
    "import unittest\n\n\nclass TestCases(unittest.TestCase):\n    def test_one(self):\n"
    "        self.assertEqual(task_func([31, 18, 27, 14]), 2)\n"
    "        self.assertEqual(task_func([55, 47, 36, 20]), 2)\n"
)
PLUS = (
    "inputs = [[[31, 18, 27, 14]], [[55, 47, 36, 20]]]\nresults = [2, 2]\n"
    "for i, (inp, exp) in enumerate(zip(inputs, results)):\n    pass\n"
)
ROWS: dict[str, dict[str, Any]] = {
    "humaneval": {
        "task_id": "Ours/1",
        "prompt": f'def overlapping(tiles):\n    """{PROMPT}"""\n',
        "entry_point": "overlapping",
        "canonical_solution": SOLUTION.partition("\n")[2],
        "test": f"def check(candidate):\n    {ASSERTS[0].replace('overlapping', 'candidate')}\n"
        f"    {ASSERTS[1].replace('overlapping', 'candidate')}\n",
    },
    "humanevalplus": {
        "task_id": "Ours/1",
        "prompt": f'def overlapping(tiles):\n    """{PROMPT}"""\n',
        "entry_point": "overlapping",
        "canonical_solution": SOLUTION.partition("\n")[2],
        "test": f"def check(candidate):\n    {PLUS.splitlines()[0]}\n    {PLUS.splitlines()[1]}\n",
    },
    "mbpp": {
        "task_id": 1,
        "text": PROMPT,
        "code": SOLUTION.replace("\n", "\r\n"),
        "test_list": ASSERTS,
        "test_setup_code": "",
        "challenge_test_list": [],
    },
    "mbppplus": {
        "task_id": 1,
        "code": SOLUTION,
        "prompt": PROMPT,
        "source_file": "Benchmark Questions Verification V2.ipynb",
        "test_imports": [],
        "test_list": ASSERTS,
        "test": PLUS,
    },
    "bigcodebench": {
        "task_id": "Ours/1",
        "complete_prompt": f'import math\n\ndef task_func(tiles):\n    """\n    {PROMPT}\n    """\n',
        "instruct_prompt": f"{PROMPT}\nYou should write self-contained code starting with:\n"
        "```\ndef task_func(tiles):\n```",
        "canonical_solution": SOLUTION.partition("\n")[2],
        "code_prompt": "import math\n\ndef task_func(tiles):\n",
        "test": UNITTEST,
        "entry_point": "task_func",
        "doc_struct": "{}",
        "libs": "['math']",
    },
    "livecodebench": {
        "question_title": "Roof",
        "question_content": PROMPT,
        "platform": "leetcode",
        "question_id": "1",
        "contest_id": "weekly-contest-1",
        "contest_date": "2024-01-01T00:00:00",
        "starter_code": "class Solution:\n    def overlapping(self, tiles: List[int]) -> int:\n        ",
        "difficulty": "easy",
        "public_test_cases": json.dumps(
            [
                {"input": "[31, 18, 27, 14]", "output": "2", "testtype": "functional"},
                {"input": "[55, 47, 36, 20]", "output": "2", "testtype": "functional"},
            ]
        ),
        "private_test_cases": "eJxrYJmqxQABPVGZxfkpqUpWCkpFmXkl",
        "metadata": '{"func_name": "overlapping"}',
    },
    "apps": {
        "problem_id": 1,
        "question": PROMPT,
        "solutions": json.dumps([SOLUTION, "print(2)"]),
        "input_output": json.dumps({"inputs": ["4\n31 18 27 14\n", "4\n55 47 36 20\n"], "outputs": ["2\n", "2\n"]}),
        "difficulty": "introductory",
        "url": "",
        "starter_code": "",
    },
}
FILES = {
    "humaneval": "HumanEval.jsonl",
    "humanevalplus": "data/test-00000-of-00001-5973903632b82d40.parquet",
    "mbpp": "full/test-00000-of-00001.parquet",
    "mbppplus": "data/test-00000-of-00001-d5781c9c51e02795.parquet",
    "bigcodebench": "data/v0.1.4-00000-of-00001.parquet",
    "livecodebench": "test.jsonl",
    "apps": "test.jsonl",
}
NEEDS_SOLUTION = set(PRESETS) - {"livecodebench"}


def written(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def hits(benchmark: Benchmark, row: RowTexts) -> set[tuple[str, str]]:
    rules = Decontamination(benchmarks=(benchmark,))
    return {
        (hit.benchmark, hit.way)
        for hit in BenchmarkIndex(read_benchmarks(rules.benchmarks), rules).hits([row])[0]
        if hit.outcome != "noted"
    }


def test_every_preset_has_a_format_here():
    assert set(ROWS) == set(FILES) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_published_format_is_read_so_that_prompt_solution_and_tests_are_found(tmp_path, name):
    written(tmp_path, FILES[name], [ROWS[name]])
    benchmark = Benchmark(name=name, path=str(tmp_path))
    assert (name, "words_10") in hits(benchmark, RowTexts("row", PROMPT))
    copied = "\n".join(ASSERTS).replace("overlapping", "roof")
    if name == "apps":
        copied = "Input\n4\n31 18 27 14\nOutput\n2\n\nInput\n4\n55 47 36 20\nOutput\n2\n"
    assert (name, "examples") in hits(benchmark, RowTexts("row", "", "", copied))
    if name in NEEDS_SOLUTION:
        renamed = SOLUTION.replace("tiles", "slates").replace("found", "count").replace("one", "left")
        assert (name, "structure_13") in hits(benchmark, RowTexts("row", "", renamed))


def test_of_a_folder_only_the_split_is_read(tmp_path):
    written(tmp_path, "train.jsonl", [ROWS["apps"] | {"problem_id": 1}])
    written(tmp_path, "test.jsonl", [ROWS["apps"] | {"problem_id": 2}])
    folder = str(tmp_path)
    assert [item.item_id for item in read_benchmarks([Benchmark(name="apps", path=folder, split="test")])] == ["2"]
    assert [item.item_id for item in read_benchmarks([Benchmark(name="apps", path=folder)])] == ["2", "1"]


def test_any_file_is_a_benchmark_with_its_columns_named(tmp_path):
    path = written(tmp_path, "ours.jsonl", [{"ask": PROMPT, "why": "because"}])
    [item] = read_benchmarks([Benchmark(name="ours", path=str(path), columns={"prompt": ["ask"]})])
    assert (item.benchmark, item.item_id, item.prompts) == ("ours", "1", (PROMPT,))


def test_benchmarks_are_read_from_the_hub(tmp_path):
    folder = tmp_path / "files"
    data = written(folder, "test.parquet", [ROWS["mbpp"]]).read_bytes()
    other = written(folder, "train.parquet", [ROWS["mbpp"] | {"task_id": 2}]).read_bytes()
    program = (
        "from tasks.curation.contamination import read_benchmarks\n"
        "from tasks.settings.decontamination import Benchmark\n"
        "one = Benchmark(name='mbpp', path='hf://datasets/someone/problems', split='test')\n"
        "print([(item.benchmark, item.item_id) for item in read_benchmarks([one])])\n"
    )
    with serving(Hub({"data/test-0.parquet": data, "data/train-0.parquet": other})) as address:
        environment = {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    assert done.stdout.strip() == "[('mbpp', '1')]", done.stderr


@pytest.mark.parametrize(
    ("benchmark", "message"),
    [
        (Benchmark(name="nobodys"), r"benchmark 'nobodys' is none of the known ones .*and has no path"),
        (Benchmark(name="ours", path="x.jsonl"), r"benchmark 'ours' .*has no columns"),
        (Benchmark(name="ours", path="x.jsonl", columns={"id": "a"}), r"'ours' names no column for the prompt"),
        (Benchmark(name="mbpp", path="/nowhere/mbpp"), r"benchmark 'mbpp' cannot be read: .*does not exist"),
    ],
)
def test_a_benchmark_that_cannot_be_had_is_said_so(benchmark, message):
    with pytest.raises(BadInput, match=message):
        read_benchmarks([benchmark])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": PROMPT}], r"row 1: column 'challenge_test_list' is missing. It has text"),
        ([ROWS["mbpp"], ROWS["mbpp"] | {"text": " "}], r"row 2: column 'text' is empty"),
        ([ROWS["mbpp"] | {"text": 5}], r"column 'text' must be a text or a list of texts, got int"),
        ([], "has no rows"),
    ],
)
def test_rows_that_cannot_be_read_are_named(tmp_path, rows, message):
    path = written(tmp_path, "mbpp.jsonl", rows)
    with pytest.raises(BadInput, match=f"benchmark 'mbpp'.*{message}"):
        read_benchmarks([Benchmark(name="mbpp", path=str(path))])


def test_a_split_that_is_not_there_is_said_so(tmp_path):
    written(tmp_path, "train.jsonl", [ROWS["apps"]])
    with pytest.raises(BadInput, match=r"has 'test' in its name, only train\.jsonl"):
        read_benchmarks([Benchmark(name="apps", path=str(tmp_path), split="test")])


def test_one_name_for_two_benchmarks_is_refused():
    with pytest.raises(ValueError, match="benchmark 'mbpp' is given twice"):
        Decontamination(benchmarks=(Benchmark(name="mbpp"), Benchmark(name="mbpp", path="x")))


def test_hub_that_does_not_answer_is_no_reason_to_go_on(tmp_path):
    program = (
        "from tasks.curation.contamination import read_benchmarks\n"
        "from tasks.errors import BadInput\n"
        "from tasks.settings.decontamination import Benchmark\n"
        "try:\n    read_benchmarks([Benchmark(name='mbpp')])\n"
        "except BadInput as error:\n    print(error)\n"
    )
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert "benchmark 'mbpp' cannot be read" in done.stdout, done.stderr
