"""What is read from a solution: skills, libraries, and a structure that names and values do not change."""

import pytest

from tasks.curation.diversity.programs import SKILLS, read_program

PLAIN = "def total(values):\n    result = 0\n    for value in values:\n        result += value\n    return result\n"


@pytest.mark.parametrize(
    ("source", "skill"),
    [
        ("def f(n):\n    return 1 if n < 2 else n * f(n - 1)", "recursion"),
        ("class T:\n    def f(self, n):\n        return self.f(n - 1) if n else 0", "recursion"),
        ("a = [x for x in y]", "comprehension"),
        ("def f():\n    yield 1", "generator"),
        ("from functools import cache\n\n@cache\ndef f(n):\n    return n", "memoisation"),
        ("@wraps\ndef f(n):\n    return n", "decorator"),
        ("from dataclasses import dataclass\n\n@dataclass\nclass A:\n    x: int", "dataclass"),
        ("with open(p) as f:\n    pass", "context-manager"),
        ("try:\n    f()\nexcept ValueError:\n    pass", "exception-handling"),
        ("def f(a: int): ...", "typing"),
        ("import re\nre.sub('a', 'b', c)", "regex"),
        ("import heapq\nheapq.heappush(h, 1)", "heap"),
        ("from collections import deque\nd = deque()", "deque"),
        ("from bisect import bisect_left", "bisect"),
        ("import itertools as it\nit.chain()", "itertools"),
        ("a[1:2]", "slicing"),
        ("f'{a}'", "string-formatting"),
        ("a ^ b", "bitwise"),
        ("f = lambda: 1", "lambda"),
        ("async def f():\n    await g()", "async"),
        ("match a:\n    case 1:\n        pass", "pattern-matching"),
        ("import pandas as pd", "pandas"),
        ("class A(B):\n    pass", "inheritance"),
        ("class A:\n    def __eq__(self, other):\n        return True", "operator-overloading"),
    ],
)
def test_skill_is_told_by_the_syntax(source, skill):
    assert skill in read_program(source).skills
    assert set(read_program(source).skills) <= set(SKILLS)


def test_call_of_a_namesake_is_no_recursion():
    assert "recursion" not in read_program("class A:\n    def sort(self):\n        self.rows.sort()\n").skills
    assert "recursion" not in read_program("def f():\n    return 1\n\n\nf()\n").skills


def test_libraries_are_what_the_standard_library_lacks():
    source = "import os.path, numpy as np\nfrom pandas.api import types\nfrom solution import f\nfrom . import g\n"
    assert read_program(source).libraries == ["numpy", "pandas"]


@pytest.mark.parametrize(
    "twin",
    [
        PLAIN.replace("total", "add_up").replace("value", "number").replace("= 0", "= 17"),
        PLAIN.replace("(values)", "(values: list[int]) -> int"),
        PLAIN.replace("    result = 0", '    """Add them up."""\n    result = 0  # so far'),
    ],
)
def test_names_values_annotations_and_docstrings_leave_the_structure(twin):
    assert read_program(twin).structure == read_program(PLAIN).structure != ""


@pytest.mark.parametrize(
    "other",
    [
        PLAIN.replace("+=", "*="),
        PLAIN.replace("    return result", "    return result\n    pass"),
        PLAIN.replace("    return", "        return"),
        PLAIN.replace("return result", "return"),
    ],
)
def test_another_shape_is_another_structure(other):
    assert read_program(other).structure != read_program(PLAIN).structure


@pytest.mark.parametrize("source", ["", "def f(:", "a\0b", "(" * 5000])
def test_what_is_no_program_has_nothing(source):
    program = read_program(source)
    assert (program.skills, program.libraries, program.structure) == ([], [], "")
