"""Rows in each benchmark's own columns, about tasks that were written for this project."""

from __future__ import annotations

import base64
import gzip
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

BODY = "    return sum(1 for one, after in zip(tiles, tiles[1:]) if one - after >= LEAST)\n"
STUB = (
    "from typing import List\n\nLEAST = 10\n\n\ndef overlapping(tiles: List[int]) -> int:\n"
    '    """How many roof tiles overlap the next one by a hand or more.\n\n    >>> overlapping([31, 18, 27, 14])\n'
    '    2\n    """\n'
)
WHOLE = "def overlapping(tiles):\n    return sum(1 for one, after in zip(tiles, tiles[1:]) if one - after >= 10)\n"
WRONG = "def overlapping(tiles):\n    return len(tiles) // 2\n"
ASSERTS = [
    "assert overlapping([31, 18, 27, 14]) == 2",
    "assert overlapping([55, 47, 36, 20]) == 2",
    "assert overlapping([9, 8, 7, 6]) == 0",
]


def packed(cases: list[dict[str, str]]) -> str:
    """Private tests as LiveCodeBench has them."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


HUMAN_EVAL = {
    "task_id": "Ours/1",
    "prompt": STUB,
    "entry_point": "overlapping",
    "canonical_solution": BODY,
    "test": "\n\nMETADATA = {}\n\n\ndef check(candidate):\n"
    + "".join(f"    {one.replace('overlapping', 'candidate')}\n" for one in ASSERTS),
}
MBPP = {
    "task_id": 601,
    "text": "Write a function to count the roof tiles that overlap the next one by a hand or more.",
    "code": f"import math\r\n{WHOLE}".replace("\n", "\r\n"),
    "test_list": ASSERTS,
    "test_setup_code": "",
    "challenge_test_list": ["assert math.isclose(overlapping([20, 10]), 1)"],
}
MBPP_SANITIZED = {
    "source_file": "ours",
    "task_id": 602,
    "prompt": "Write a function to count overlapping roof tiles.",
    "code": WHOLE,
    "test_imports": ["import math"],
    "test_list": [*ASSERTS, "assert math.floor(overlapping([20, 10])) == 1"],
}
MBPP_PLUS_ON_HUB = {
    "task_id": 603,
    "code": WHOLE,
    "prompt": "Write a function to count overlapping roof tiles.",
    "source_file": "ours",
    "test_imports": [],
    "test_list": ASSERTS,
    "test": (
        "import math\n\ndef assertion(out, exp, atol):\n    assert out == exp, f'{out} is not {exp}'\n\n"
        "inputs = [[[31, 18, 27, 14]], [[9, 8, 7, 6]], [[]]]\nresults = [2, 0, 0]\n"
        "for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion(overlapping(*inp), exp, 0)\n"
    ),
}
HUMAN_EVAL_PLUS = {
    "task_id": "Ours/1",
    "prompt": STUB,
    "contract": '    assert isinstance(tiles, list), "invalid inputs" # $_CONTRACT_$\n',
    "entry_point": "overlapping",
    "canonical_solution": BODY,
    "base_input": [[[31, 18, 27, 14]], [[9, 8, 7, 6]]],
    "plus_input": [[[]], [[30, 10]], [[30, 10, 0]]],
    "atol": 0,
}
MBPP_PLUS = {
    "task_id": "Mbpp/604",
    "prompt": '"""\nWrite a function to find the points that two paths share.\nassert shared_points(((1, 2), (3, 4)), '
    '((3, 4),)) == {(3, 4)}\n"""\n',
    "entry_point": "shared_points",
    "canonical_solution": "\ndef shared_points(one, other):\n  return set(one) & set(other)\n",
    "base_input": [[[[1, 2], [3, 4]], [[3, 4]]]],
    "plus_input": [[[], []], [[[0, 0], [5, 5]], [[5, 5], [0, 0], [7, 7]]]],
    "atol": 0,
    "assertion": "assert shared_points(((1, 2), (3, 4)), ((3, 4),)) == {(3, 4)}",
}
BIG_CODE_BENCH = {
    "task_id": "Ours/5",
    "complete_prompt": "import re\nfrom collections import Counter\n\nLETTERS = r'[a-z]+'\n\ndef task_func(text):\n"
    '    """\n    Count the words of a text.\n\n    Requirements:\n    - re\n    - collections\n    """\n',
    "instruct_prompt": "Count the words of a text.\nYou should write self-contained code starting with:\n"
    "```\nimport re\nfrom collections import Counter\nLETTERS = r'[a-z]+'\ndef task_func(text):\n```",
    "code_prompt": "import re\nfrom collections import Counter\nLETTERS = r'[a-z]+'\ndef task_func(text):\n",
    "canonical_solution": "    return Counter(re.findall(LETTERS, text.lower()))\n",
    "test": "import unittest\n\n\nclass TestCases(unittest.TestCase):\n"
    "    def test_counts(self):\n        self.assertEqual(task_func('A b a'), Counter({'a': 2, 'b': 1}))\n"
    "    def test_empty(self):\n        self.assertEqual(task_func(''), Counter())\n",
    "entry_point": "task_func",
    "doc_struct": "{}",
    "libs": "['re', 'collections']",
}
LIVE_STDIN = {
    "question_title": "Roof",
    "question_content": "Read the number of tiles, then their heights. Print how many overlap the next by 10 or more.",
    "platform": "atcoder",
    "question_id": "ours_a",
    "contest_id": "ours",
    "contest_date": "2024-03-01T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps([{"input": "4\n31 18 27 14\n", "output": "2\n", "testtype": "stdin"}]),
    "private_test_cases": packed([{"input": "4\n9 8 7 6\n", "output": "0\n", "testtype": "stdin"}]),
    "metadata": "{}",
}
LIVE_PROGRAM = (
    "input()\ntiles = list(map(int, input().split()))\n"
    "print(sum(1 for one, after in zip(tiles, tiles[1:]) if one - after >= 10))\n"
)
LIVE_FUNCTIONAL = {
    **LIVE_STDIN,
    "platform": "leetcode",
    "question_id": "ours_b",
    "contest_date": "2024-06-15T00:00:00",
    "difficulty": "hard",
    "starter_code": "class Solution:\n    def overlapping(self, tiles: List[int], least: int) -> List[int]:\n        ",
    "public_test_cases": json.dumps(
        [{"input": "[31, 18, 27, 14]\n10", "output": "[31, 27]", "testtype": "functional"}]
    ),
    "private_test_cases": packed([{"input": "[9, 8, 7, 6]\n10", "output": "[]", "testtype": "functional"}]),
    "metadata": '{"func_name": "overlapping"}',
}
LIVE_METHOD = (
    "class Solution:\n    def overlapping(self, tiles: List[int], least: int) -> List[int]:\n"
    "        return tuple(one for one, after in zip(tiles, tiles[1:]) if one - after >= least)\n"
)
OWN = {
    "id": "ours-1",
    "prompt": "Write `overlapping(tiles)`, which counts the roof tiles that overlap the next one by 10 or more.",
    "entry_point": "overlapping",
    "test": "from solution import overlapping\n\n\ndef test_some():\n" + "".join(f"    {one}\n" for one in ASSERTS),
    "canonical_solution": WHOLE,
    "difficulty": "easy",
    "topic": "roofs",
}
OWN_PROGRAM = {
    "id": "ours-2",
    "prompt": "Read the number of tiles, then their heights. Print how many overlap the next by 10 or more.",
    "style": "online_judge",
    "test": "",
    "io": [{"stdin": "4\n31 18 27 14\n", "stdout": "2\n"}],
    "canonical_solution": LIVE_PROGRAM,
    "difficulty": "hard",
    "topic": "roofs",
}
HELD_OUT = {
    **OWN,
    "id": "Docs_00000002_C",
    "prompt": STUB,
    "style": "complete",
    "canonical_solution": f"{STUB}{BODY}",
    "subset": "Docs",
    "io": [],
    "entry_points": ["overlapping"],
    "libraries": ["numpy==2.3.0"],
    "topics": ["arrays", "counting"],
    "pass_rate": 0.5,
}
del HELD_OUT["topic"]
RELEASED = {
    "question_id": "Docs_00000001_I",
    "subset": "Docs",
    "style": "instruct",
    "question": OWN["prompt"],
    "solution": WHOLE,
    "test": OWN["test"],
    "io": [],
    "gpt_difficulty": "medium",
}


def written(path: Path, *rows: dict[str, Any]) -> str:
    """Rows as a file of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    return str(path)
