"""Both tiers judge realistic pairs alike, and the tests alone decide which tier a pair gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tasks.execution.expected import is_plain
from tasks.execution.pool import Look, SandboxPool
from tasks.execution.tiers import blind_comparison, forging_means, taken_over, why_shared
from tasks.models import Coverage, Pair, Tier, Verdict
from tasks.settings import Backend, TierChoice
from tests.conftest import sandbox_settings
from tests.corpus import right_pairs, wrong_pairs

RIGHT, WRONG = right_pairs(), wrong_pairs()


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[TierChoice, dict[str, tuple[Verdict, Tier, str, Coverage | None]]]]:
    """What each tier says of each pair of the corpus."""
    found = {}
    for tier in (TierChoice.AUTO, TierChoice.SHARED):
        update = {"tier": tier, "wall_s": 30, "memory_mb": 1024, "processes": 64}
        with SandboxPool(sandbox_settings(Backend.BUBBLEWRAP).model_copy(update=update)) as pool:
            rows = pool.run_all([*RIGHT, *WRONG], Look(coverage=True))
        found[tier] = {row.id: (row.verdict, row.integrity_tier, row.reason, row.coverage) for row in rows}
    yield found


def test_there_are_enough_pairs():
    assert len(RIGHT) >= 150
    assert len({pair.id for pair in [*RIGHT, *WRONG]}) == len(RIGHT) + len(WRONG)


@pytest.mark.parametrize("tier", [TierChoice.AUTO, TierChoice.SHARED])
def test_right_pairs_pass(verdicts, tier):
    assert {
        pair.id: verdicts[tier][pair.id] for pair in RIGHT if verdicts[tier][pair.id][0] is not Verdict.PASSED
    } == {}


@pytest.mark.parametrize("tier", [TierChoice.AUTO, TierChoice.SHARED])
def test_wrong_pairs_do_not(verdicts, tier):
    assert {
        pair.id: verdicts[tier][pair.id] for pair in WRONG if verdicts[tier][pair.id][0] is not Verdict.FAILED
    } == {}


def test_nine_in_ten_fit_the_isolated_tier(verdicts):
    """What makes `auto` a good default."""
    tiers = Counter(verdicts[TierChoice.AUTO][pair.id][1] for pair in RIGHT)
    assert tiers[Tier.ISOLATED] / tiers.total() > 0.85


def test_both_tiers_measure_the_same_coverage(verdicts):
    both = {pair.id: tuple(verdicts[tier][pair.id][3] for tier in TierChoice if tier in verdicts) for pair in RIGHT}
    assert {name: pair for name, pair in both.items() if pair[0] != pair[1] or pair[0] is None} == {}


def test_no_honest_solution_has_forging_means():
    found = {pair.id: forging_means(pair.solution) for pair in [*RIGHT, *WRONG] if forging_means(pair.solution)}
    assert found == {}


@pytest.mark.parametrize(
    "solution",
    [
        "import test_solution",
        "from sys import modules",
        "from sys import *",
        "import sys as s\ns.modules",
        "import sys\nsys.__dict__",
        "import sys\nvars(sys)",
        "import sys\ngetattr(sys, 'modules')",
        "from inspect import stack",
    ],
)
def test_there_are_several_ways_to_the_tests(solution):
    assert forging_means(solution)


@pytest.mark.parametrize(
    ("solution", "blind"),
    [
        ("class A:\n    def __eq__(self, other):\n        return True\n", True),
        ("class A:\n    __eq__ = lambda self, other: True\n", True),
        ("class A:\n    pass\nA.__eq__ = lambda self, other: True\n", True),
        ("def same(a, b):\n    return True\nclass A:\n    __eq__ = same\n", True),
        ("class A:\n    pass\nsetattr(A, '__eq__', lambda a, b: True)\n", True),
        ("A = type('A', (), {'__eq__': lambda a, b: True})\n", True),
        ("class A:\n    def __eq__(self, other):\n        return self.x == other.x\n", False),
        ("class A:\n    __eq__ = lambda self, other: self.x == other.x\n", False),
    ],
)
def test_an_equality_that_looks_at_nothing_is_found(solution, blind):
    assert bool(blind_comparison(solution)) == blind


@pytest.mark.parametrize(
    ("solution", "taken"),
    [
        ("def setup_module(module):\n    pass\n", True),
        ("def teardown_function():\n    pass\n", True),
        ("pytestmark = []\n", True),
        ("def pytest_generate_tests(metafunc):\n    pass\n", True),
        ("from solutions import hook as setup_function\n", True),
        ("def setup_board():\n    pass\n", False),
    ],
)
def test_a_star_import_gives_pytest_nothing(solution, taken):
    test = "from solution import {}\ndef test_f():\n    assert f(1) == 2\n"
    assert bool(taken_over(solution, test.format("*"))) == taken
    assert not taken_over(solution, test.format("f"))


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ("from solution import f\ndef test_f():\n    assert f(1) == 2\n", ""),
        ("import numpy as np, pytest\nfrom solution import f\ndef test_f():\n    assert f(1) == 2\n", ""),
        ("import os\nfrom solution import f\n", "line 1: imports os"),
        ("from unittest.mock import patch\n", "line 1: imports unittest.mock"),
        ("def test_f(capsys):\n    pass\n", "line 1: uses the fixture capsys"),
        ("from solution import A\nclass B(A):\n    pass\n", "line 2: derives B from the solution"),
        ("class Helper:\n    pass\n", "line 1: has a class of its own, Helper"),
        ("import solution\nsolution.LIMIT = 3\n", "line 2: changes solution from outside"),
        ("import random\nrandom.seed(1)\n", "line 2: seeds a random generator"),
        ("async def test_f():\n    pass\n", "line 1: is asynchronous"),
        ("def test_f():\n    open('x')\n", "line 2: opens files"),
    ],
)
def test_the_tests_decide(test, why):
    assert why_shared(test).startswith(why)
    assert bool(why_shared(test)) == bool(why)


def test_isolated_alone_refuses_what_does_not_fit():
    settings = sandbox_settings(Backend.BUBBLEWRAP).model_copy(update={"tier": TierChoice.ISOLATED, "slots": 1})
    test = "from solution import f\ndef test_f(capsys):\n    assert f(1) == 2\n"
    with SandboxPool(settings) as pool:
        found = pool.run(Pair(id="x", solution="def f(x):\n    return x + 1\n", test=test))
    assert (found.verdict, found.reason) == (
        Verdict.ERROR,
        "the tests cannot be isolated from the solution: line 2: uses the fixture capsys",
    )


def test_the_run_without_pytest_finds_what_pytest_finds(monkeypatch):
    """Same tests, same ids, same outcomes, parametrized ones too."""
    settings = sandbox_settings(Backend.BUBBLEWRAP).model_copy(update={"wall_s": 30})
    pairs = [pair for pair in [*RIGHT, *WRONG] if is_plain(pair.test)]
    assert len([pair for pair in pairs if "parametrize" in pair.test]) > 20
    found = []
    for plain in (True, False):
        monkeypatch.setattr("tasks.execution.examination.is_plain", lambda source, plain=plain: plain)
        with SandboxPool(settings) as pool:
            rows = pool.run_all(pairs)
        found.append({row.id: [(test.test_id, test.outcome) for test in row.tests] for row in rows})
    assert found[0] == found[1]


def test_what_failed_is_told_with_its_values():
    test = (
        "from solution import f\n\ndef test_values():\n    assert f(2) == [1, 2]\n\n"
        "def test_bare():\n    assert not f(3)\n\ndef test_own():\n    assert f(4) == 0, 'should be nothing'\n\n"
        "def test_raises():\n    f(None)\n"
    )
    with SandboxPool(sandbox_settings(Backend.BUBBLEWRAP)) as pool:
        row = pool.run(Pair(id="x", solution="def f(x):\n    return [x + 1]\n", test=test))
    assert [test.message for test in row.tests] == [
        "line 4: AssertionError: assert [3] == [1, 2]",
        "line 7: AssertionError: assert not f(3)",
        "line 10: AssertionError: should be nothing",
        "line 13: TypeError: unsupported operand type(s) for +: 'NoneType' and 'int'\nsolution.py:2, in f",
    ]
    assert row.reason == "4 of 4 tests failed, first test_values: line 4: AssertionError: assert [3] == [1, 2]"
