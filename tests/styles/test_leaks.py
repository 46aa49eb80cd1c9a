"""A stub may not tell what only the tests know, in whatever form it says so."""

from __future__ import annotations

import pytest

from tasks.styles.examples import passages
from tasks.styles.leaks import Secrets
from tasks.syntax import parse

SOLUTION = "def area(width, height=1):\n    return width * height\n"
TEST = """import pytest
from solution import area


def test_area():
    assert area(17, 3) == 51
    assert area(2) == 2
    assert area([4, 5]) == "ok"
    assert not area(0)


@pytest.mark.parametrize(("width", "wanted"), [(30, 30), (41, 41.5)])
def test_rows(width, wanted):
    assert area(width) == pytest.approx(wanted)
"""


def leaks(told: str, question: str = "Write area(width, height).", test: str = TEST, solution: str = SOLUTION) -> bool:
    """Whether a docstring leaks, in an example or in prose."""
    names = ["area"]
    body = "\n".join(f"    {line}" for line in told.splitlines())
    stub = f'def area(width, height=1):\n    """Tell the area.\n\n{body}\n    """\n'
    secrets = Secrets(test, parse(solution), question, names)
    found = passages(stub, names)
    return any(
        secrets.told_in(one) or any(map(secrets.told_by, one.examples)) for one in found
    )  # fmt: skip


@pytest.mark.parametrize(
    "told",
    [
        ">>> area(17, 3)\n51",
        ">>> area(17, height=3)\n51",
        ">>> area(width=17, height=3)\n51.0",
        ">>> print(area(17, 3))\n51",
        ">>> area(17, 3) == 51\nTrue",
        ">>> assert area(17, 3) == 51",
        "assert area(17, 3) == 51",
        "area(17, 3) == 51",
        "area(17, 3) -> 51",
        "`area(17, 3)` => `51`",
        "area(17, 3)  # 51",
        "area(17, 3) # returns 51",
        "area(17, 3) = 51",
        "area(17, 3): 51",
        "It returns 51 for area(17, 3).",
        "area(17, 3) returns 51.",
        "area(17, 3) should be 51, and so on.",
        "Called as area(17, 3), the function\nreturns 51",
        "Width 17, height 3: the area is 51",
        "Input: 17, 3\nOutput: 51",
        "| 17 | 3 | 51 |",
        "(17, 3) gives 51",
        ">>> area(2)\n2",
        ">>> area(2, 1)\n2",
        "area(2) is 2",
        ">>> area(0)\nFalse",
        ">>> area([4, 5])\n'ok'",
        "For [4, 5] it says ok.",
        ">>> area((4, 5))\n'ok'",
        ">>> area(30)\n30",
        "area(41) is about 41.5",
        "```\n>>> area(17, 3)\n51\n```",
        ">>> x = 17\n>>> area(17, 3)\n51",
        "area(5, 4) is 20, and 17 by 3 gives 51.",
    ],
)
def test_asserted_values_leak_in_every_form(told):
    assert leaks(told)


@pytest.mark.parametrize(
    "told",
    [
        ">>> area(5, 4)\n20",
        ">>> area(17, 3)\n52",
        ">>> area(3, 17)\n51",
        "area(17, 3) is what you will need",
        "Widths lie between 0 and 2, heights between 2 and 51.",
        ">>> area(41)\n30",
        "True where the area is 0, else False.",
        "area(width, height) returns 51 at most",
        "See PEP 17, section 3.",
        "",
    ],
)
def test_other_examples_and_bare_numbers_do_not(told):
    assert not leaks(told)


@pytest.mark.parametrize(
    "question",
    [
        "Write area. `area(17, 3)` is `51`.",
        "Write area.\n\n```python\narea(17, 3)\n# 51\n```",
        "For a width of 17 and a height of 3\nthe area is\n\n51.",
        ">>> area(17, 3)\n51",
    ],
)
def test_what_the_question_says_may_be_said(question):
    assert not leaks(">>> area(17, 3)\n51", question)
    assert leaks(">>> area(2)\n2", question)


def test_comments_and_module_docstrings_are_read_too():
    names, secrets = ["area"], Secrets(TEST, parse(SOLUTION), "", ["area"])
    stub = '"""area(17, 3) is 51"""\n\n\ndef area(width, height=1):\n    """Area."""\n    # area(2) is 2\n'
    first, _, last = passages(stub, names)
    assert all(any(map(secrets.told_by, one.examples)) for one in (first, last))


def test_a_docstring_whose_lines_are_not_those_of_the_source_is_read_all_the_same():
    for told in (">>> area(5, 4)\\n    20\\n\\n17 by 3 gives 51", ">>> area(17, 3)\\n51"):
        stub = f'def area(width, height=1):\n    "Area.\\n\\n{told}"\n'
        secrets = Secrets(TEST, parse(SOLUTION), "", ["area"])
        (found,) = passages(stub, ["area"])
        assert not found.aligned
        assert secrets.told_in(found) or any(map(secrets.told_by, found.examples))


def test_methods_leak_by_what_is_told_and_not_by_what_any_object_may_say():
    solution = "class Box:\n    def __init__(self):\n        pass\n\n    def get(self, key):\n        return 0\n"
    test = (
        "from solution import Box\n\n\ndef test_box():\n    box = Box()\n"
        "    assert box.get('user:1') == 'Alice Ng'\n    assert box.get(0) == 1\n"
    )
    secrets = Secrets(test, parse(solution), "", ["Box"])

    def found(told: str) -> bool:
        stub = f'class Box:\n    """A box.\n\n    {told}\n    """\n\n    def get(self, key): ...\n'
        return any(secrets.told_in(one) is not None for one in passages(stub, ["Box"]))

    assert found(">>> Box().get('user:1')\n    'Alice Ng'")
    assert found("The user:1 is Alice Ng.")
    assert not found(">>> Box().get(0)\n    1")


@pytest.mark.parametrize("test", ["", "def broken(:", "from solution import area\n\n\ndef test_a():\n    area(*[1])\n"])
def test_tests_that_assert_nothing_leave_nothing_to_leak(test):
    assert not leaks(">>> area(17, 3)\n51", test=test)


def test_unicode_and_long_values():
    long = "x" * 3000
    test = f"from solution import area\n\n\ndef test_a():\n    assert area('grün 🌱') == {long!r}\n"
    assert leaks(f">>> area('grün 🌱')\n{long!r}", test=test)
    assert not leaks(f">>> area('grau')\n{long!r}", test=test)
