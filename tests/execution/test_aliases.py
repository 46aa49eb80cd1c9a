"""Whether a solution has the names that tests use, and the alias under which it would."""

from __future__ import annotations

import pytest

from tasks.execution.aliases import Fit, fit

TEST = "from solution import double\n\n\ndef test_it():\n    assert double(3) == 6\n"


@pytest.mark.parametrize(
    ("solution", "alias"),
    [
        ("def double(x):\n    return 2 * x\n", ""),
        ("double = lambda x: 2 * x\n", ""),
        ("def twice(x):\n    return 2 * x\n", "double = twice"),
        ("def twice(x, times=2):\n    return times * x\n", "double = twice"),
        ("def twice(*xs):\n    return 2 * xs[0]\n", "double = twice"),
        ("def _help(x):\n    return x\n\n\ndef twice(x):\n    return 2 * _help(x)\n", "double = twice"),
        ("class Solution:\n    def twice(self, x):\n        return 2 * x\n", "double = Solution().twice"),
    ],
)
def test_the_only_function_may_serve_by_another_name(solution, alias):
    assert fit(solution, TEST).alias == alias


@pytest.mark.parametrize(
    "solution",
    [
        "def twice(x, y):\n    return x * y\n",
        "def twice():\n    return 6\n",
        "def twice(x):\n    return 2 * x\n\n\ndef thrice(x):\n    return 3 * x\n",
        "class Solution:\n    def twice(self):\n        return 6\n",
        "class Solution:\n    def twice(self, x):\n        return x\n\n    def thrice(self, x):\n        return x\n",
        "class Solution:\n    @staticmethod\n    def twice(x):\n        return 2 * x\n",
        "class Solution:\n    def twice():\n        return 6\n",
        "class One:\n    def f(self, x):\n        return x\n\n\nclass Two:\n    def g(self, x):\n        return x\n",
        "x = 1\n",
        "",
    ],
)
def test_where_it_is_not_clear_which_is_meant_there_is_no_alias(solution):
    found = fit(solution, TEST)
    assert found.alias == ""
    assert found.missing.startswith("has no double")


@pytest.mark.parametrize("solution", ["def double(:", "\x00", "(" * 10_000])
def test_what_does_not_parse_fits_nothing(solution):
    assert fit(solution, TEST) == Fit(missing="does not parse")


def test_two_missing_names_have_no_alias():
    test = "from solution import double, half\n\n\ndef test_it():\n    assert half(double(3)) == 3\n"
    assert fit("def twice(x):\n    return 2 * x\n", test) == Fit(missing="has no double")
