"""What is read off the sources on the host: expected tests, entry points, stubs."""

from __future__ import annotations

import sys
import types
from textwrap import indent

import pytest

from tasks.execution.expected import entry_points, expected_tests
from tasks.execution.expected import test_functions as named_tests
from tasks.execution.stubs import stub

TESTS = """
import unittest
from solution import alpha, beta as b, gamma
import solution
import solution as s

def helper(): ...
def test_one(): assert alpha(1) == helper()
async def test_two(): ...
if True:
    def test_three(): ...
try:
    import nothing
except ImportError:
    def test_four(): ...
class TestThings:
    def test_method(self): assert b() == solution.delta()
    def other(self): ...
    class TestInner:
        def test_deep(self): assert s.epsilon
class TestWithInit:
    def __init__(self): ...
    def test_never(self): ...
class Cases(unittest.TestCase):
    def test_case(self): ...
class Plain:
    def test_no(self): ...
"""


def test_expected_tests_are_those_that_pytest_collects():
    found = ["test_one", "test_two", "test_three", "test_four", "TestThings::test_method"]
    assert expected_tests(TESTS) == [*found, "TestThings::TestInner::test_deep", "Cases::test_case"]


A, B = "def test_a():\n    assert f(1) == 2\n", "def test_a():\n    assert f(2) == 3\n"


def inside(head: str, *bodies: str) -> str:
    return "".join(f"{line}:\n{indent(body, '    ')}" for line, body in zip(head.split("/"), bodies, strict=True))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (A + B, ["test_a"] * 2),
        (A + B + A, ["test_a"] * 3),
        (inside("class TestA", A + B), ["TestA::test_a"] * 2),
        (inside("class TestA/class TestA", A, B), ["TestA::test_a"] * 2),
        (inside("if x", A) + B, ["test_a"] * 2),
        (inside("with x", A) + B, ["test_a"] * 2),
        (inside("try/finally", A, B), ["test_a"] * 2),
        (inside("if x", A + B), ["test_a"] * 2),
        (inside("if x/else", A, B), ["test_a"]),
        (inside("if x/elif y/else", A, B, A), ["test_a"]),
        (inside("if x/else", A, B) + A, ["test_a"] * 2),
        (inside("try/except E", A, B), ["test_a"]),
        (inside("try/except E/except D", "import x\n", A, B), ["test_a"]),
        (A + inside("if x", B), ["test_a"]),
        (A + inside("try/except E", "import x\n" + B, "pass\n"), ["test_a"]),
        (inside("class TestA/class TestB", A, B) + A, ["TestA::test_a", "TestB::test_a", "test_a"]),
        (inside("if x/else", inside("class TestA", A), inside("class TestA", B)), ["TestA::test_a"]),
        ("def helper():\n" + indent(A + B, "    ") + A, ["test_a"]),
    ],
)
def test_a_test_comes_again_where_it_takes_the_place_of_another(source, found):
    assert expected_tests(source) == found
    assert named_tests(source) == list(dict.fromkeys(found))


def test_entry_points_are_imported_and_used():
    assert entry_points(TESTS) == ["alpha", "beta", "delta", "epsilon"]


def test_star_import_counts_the_names_that_come_from_nowhere_else():
    source = "from solution import *\n\nLIMIT = 3\n\ndef test_it():\n    items = [f(x) for x in range(LIMIT)]\n"
    assert entry_points(source + "    assert len(items) == 3\n") == ["f"]


@pytest.mark.parametrize("source", ["def broken(:", "\0"])
def test_unparsable_tests_have_no_entry_points(source):
    assert entry_points(source) == []


def test_stub_keeps_names_and_constants_and_does_nothing(monkeypatch):
    source = (
        "from dataclasses import dataclass\nLIMIT = 3\ndouble = lambda x: 2 * x\n"
        "def f(x):\n    '''Doc.'''\n    return x\n"
        "@dataclass\nclass Box:\n    size: int = 1\n    def put(self):\n        return 1\n"
    )
    module = types.ModuleType("solution")
    monkeypatch.setitem(sys.modules, "solution", module)
    scope = module.__dict__
    exec(stub(source), scope)
    assert scope["LIMIT"] == 3
    assert scope["Box"](2).size == 2
    for call in (lambda: scope["f"](1), lambda: scope["double"](1), lambda: scope["Box"]().put()):
        with pytest.raises(NotImplementedError):
            call()
