"""Solutions of published data sets: the Python in them becomes the reference of a seed question."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.models import Seed, Subset
from tasks.settings import SeedOptions
from tasks.sourcing.catalogue import read_seeds
from tasks.sourcing.solutions import MAX_CHARACTERS, solution

PROGRAM = "n = int(input())\nprint(n + 1)\n"
FUNCTION = "def add(a, b):\n    return a + b\n"
CPP = "int main() { return 0; }"
PYTHON_2 = "n = int(raw_input())\nprint n + 1\n"
OLD_NAMES = "n = int(raw_input())\nprint(n + 1)\n"


def markdown(*blocks: str, language: str = "python") -> str:
    return "Here it is:\n\n" + "\n\nand\n\n".join(f"```{language}\n{block}```" for block in blocks) + "\n\nThat is all."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(PROGRAM, PROGRAM, id="code"),
        pytest.param(f"\n{PROGRAM}\n\n", PROGRAM, id="code with space around it"),
        pytest.param("import sys\nprint(len(sys.stdin.read()))", None, id="reads all of its input"),
        pytest.param("print(len(open(0).read()))", None, id="reads the first descriptor"),
        pytest.param(json.dumps([PROGRAM, FUNCTION]), PROGRAM, id="JSON text of a list, as in APPS"),
        pytest.param(json.dumps([PYTHON_2, OLD_NAMES, PROGRAM]), PROGRAM, id="Python 2 is passed over"),
        pytest.param([CPP, FUNCTION], FUNCTION, id="list"),
        pytest.param({"language": [2, 1, 3], "solution": [CPP, PROGRAM, FUNCTION]}, FUNCTION, id="CodeContests"),
        pytest.param({"language": ["CPP", "PYTHON3"], "solution": [CPP, PROGRAM]}, PROGRAM, id="languages by name"),
        pytest.param({"language": [1, 2], "solution": [FUNCTION, CPP]}, "", id="no Python 3 in it"),
        pytest.param(markdown(FUNCTION), FUNCTION, id="Markdown, as of LeetCode"),
        pytest.param(markdown("print(add(1, 2))\n", FUNCTION), FUNCTION, id="examples of use are passed over"),
        pytest.param(markdown(CPP, FUNCTION, language=""), FUNCTION, id="fences without a language"),
        pytest.param("1. So:\n\n   ```py\n   def f():\n       g()\n   ```", "", id="a name that no fence defines"),
        pytest.param("1. So:\n\n   ```py\n   def f():\n       1\n   ```", "def f():\n    1\n", id="indented"),
        pytest.param(
            "class Solution:\n    def f(self, x: List[int]) -> Optional[int]:\n        return x[0]\n",
            "from typing import List\nfrom typing import Optional\n"
            "class Solution:\n    def f(self, x: List[int]) -> Optional[int]:\n        return x[0]\n",
            id="names of typing that LeetCode brings",
        ),
        pytest.param(f"{PROGRAM}exit()\n", f"from sys import exit\n{PROGRAM}exit()\n", id="helpers of a prompt"),
        pytest.param(f"from __future__ import annotations\n{PROGRAM}exit()\n", "", id="nothing comes before future"),
        pytest.param("def f(root):\n    return TreeNode(root)\n", "", id="names that nothing defines"),
        pytest.param("try:\n    input = raw_input\nexcept NameError:\n    pass\nprint(input())", None, id="seen to"),
        pytest.param("from math import *\n\n\ndef f(n):\n    return sqrt(n)\n", None, id="star import"),
        *(
            pytest.param(value, "", id=f"no code: {value!r:.30}")
            for value in (
                None, "", "[]", "[1, null]", "[", "Yes", "42", "Sort it first.", "print(add(1, 2))", PYTHON_2, CPP,
                "\ud83d = 1", "def f():\n    return '\0'", "(" * 5000, "[" * 100_000,
                3, 3.5, True, b"x = 1", [], [None, 3], {}, {"language": 3, "solution": PROGRAM}, {"python": PROGRAM},
                FUNCTION + "#" * MAX_CHARACTERS,
            )
        ),
    ],
)  # fmt: skip
def test_python_is_found_in_every_shape_of_solutions_and_nothing_is_an_error(value: Any, expected: str | None):
    assert solution(value) == (f"{value.strip()}\n" if expected is None else expected)


def read(path: Path | str, subset: str, **options: Any) -> list[Seed]:
    found = read_seeds(subset, SeedOptions(path=str(path), on_bad_row="skip", **options))
    return [seed for seed in found if isinstance(seed, Seed)]


@pytest.mark.parametrize(
    ("subset", "columns"),
    [
        (Subset.LEETCODE, {"id": 1, "title": "T", "content": "Q?", "difficulty": "Easy", "python": markdown(FUNCTION)}),
        (Subset.APPS, {"problem_id": 1, "question": "Q?", "difficulty": "x", "solutions": json.dumps([FUNCTION])}),
        (Subset.TACO, {"name": "T", "question": "Q?", "tags": "['x']", "solutions": json.dumps([FUNCTION])}),
        (
            Subset.CODE_CONTESTS,
            {"name": "T", "description": "Q?", "solutions": {"language": [2, 3], "solution": [CPP, FUNCTION]}},
        ),
        (Subset.PACKAGE, {"seq_id": 1, "instruction": "Q?", "output": markdown(FUNCTION)}),
        (Subset.EVOL, {"instruction": "Q?", "output": markdown(FUNCTION)}),
        (Subset.LEETCODE, {"id": 1, "title": "T", "question": "Q?", "solution": FUNCTION}),
    ],
)
@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_solutions_of_published_formats_become_references(tmp_path, subset, columns, ending):
    path = tmp_path / f"train.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist([columns]), path)
    else:
        path.write_text(json.dumps(columns))
    (seed,) = read(path, subset)
    assert (seed.text, seed.reference) == ("Q?", FUNCTION)


@pytest.mark.parametrize(
    ("name", "subset", "count"),
    [
        ("apps", Subset.APPS, 6),
        ("taco", Subset.TACO, 6),
        ("code_contests", Subset.CODE_CONTESTS, 6),
        ("evol", Subset.EVOL, 8),
        ("questions", Subset.LEETCODE, 40),
        ("codeforces", Subset.CODEFORCES, 0),
    ],
)
def test_embedded_seeds_have_references_but_for_codeforces_which_publishes_them_apart(name, subset, count):
    assert sum(bool(seed.reference) for seed in read(f"embedded:{name}", subset)) == count


def test_a_column_of_solutions_is_mapped_and_leaves_the_format_as_it_is(tmp_path):
    path = tmp_path / "leetcode.jsonl"
    path.write_text(
        json.dumps({"id": 7, "title": "T", "content": "Q?", "difficulty": "Easy", "python": "-", "mine": FUNCTION})
    )
    (seed,) = read(path, Subset.LEETCODE, columns={"solution": "mine"})
    assert (seed.text, seed.topic, seed.reference) == ("Q?", "Easy", FUNCTION)
    (seed,) = read(path, Subset.LEETCODE, columns={"solution": "none"})
    assert (seed.text, seed.reference) == ("Q?", "")


@pytest.mark.parametrize("value", [None, 3, True, [1], {"a": 1}, "\ud83d", "Ask your teacher."])
def test_a_solution_of_an_odd_kind_is_no_bad_row(tmp_path, value):
    path = tmp_path / "seeds.jsonl"
    path.write_text(json.dumps({"id": "a", "title": "A", "question": "Q?", "solution": value}))
    (seed,) = read_seeds(Subset.TACO, SeedOptions(path=str(path)))
    assert isinstance(seed, Seed)
    assert seed.reference == ""


def test_many_and_long_solutions_are_streamed(tmp_path):
    path = tmp_path / "train.parquet"
    long = [
        {"question": "Q?", "tags": "", "name": str(n), "solutions": json.dumps([FUNCTION, f"{n:02}" * 500_000])}
        for n in range(40)
    ]
    pq.write_table(pa.Table.from_pylist(long), path)
    tracemalloc.start()
    found = read(path, Subset.TACO)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [seed.reference for seed in found] == [FUNCTION] * 40
    assert most < 20_000_000
