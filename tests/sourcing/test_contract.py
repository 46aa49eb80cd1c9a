"""The contract of a question: what its tests will use, found as people and models really write it."""

from __future__ import annotations

import pytest

from tasks.sourcing.contract import STDIN, as_program, completed, contract, declaration, entry_points


@pytest.mark.parametrize(
    ("question", "stated"),
    [
        ("Write `add(a: int, b: int) -> int` that adds.", ["add(a: int, b: int) -> int"]),
        ("Write `def add(a, b)` that adds.", ["add(a, b)"]),
        ("Write a function add(a, b) that adds two numbers.", ["add(a, b)"]),
        (
            "Implement add(a: list[int], b: int = 3) -> dict[str, int] so that it adds.",
            ["add(a: list[int], b: int=3) -> dict[str, int]"],
        ),
        ("Signature:\n\n```python\ndef add(a, b):\n```\n", ["add(a, b)"]),
        ('```python\ndef add(a, b):\n    """Add.\n\n    >>> add(1, 2)\n    3\n    """\n```', ["add(a, b)"]),
        ("```\nasync def fetch(url: str) -> bytes: ...\n```", ["async def fetch(url: str) -> bytes"]),
        ("Write a class `Stack` with `push(item)` and `pop()`.", ["class Stack", "push(item)"]),
        ("```python\nclass Stack:\n    def push(self, x): ...\n```", ["class Stack"]),
        ("**Function signature:** `def f(n: int) -> bool:`", ["f(n: int) -> bool"]),
        ("Read n from standard input and print its square to standard output.", [STDIN]),
        ("Double it.\n\nInput\nA number.\n\nOutput\nIts double.", [STDIN]),
        ("**Input:** one line\n## Output\nPrints the sum.", []),
        ("Write a function that adds two numbers. For 1 and 2 it gives 3.", []),
        ("`f(3)` gives 9, and `f([1, 2])` gives a list; `len(x)` is small.", []),
        ("It prints nothing and returns the input.", []),
        ("It must run in O(n) time and remove the word(s) that occur twice, as isinstance(x, int) says.", []),
        ("Animals of the class Mammals are counted; the total is `sum(prices)`.", []),
        ("Let f(x) be the sum of the digits of x.\n\nInput\nA number n.\n\nOutput\nPrint f(n).", [STDIN]),
        ("Write a generator `merge(*streams)` that merges.", ["merge(*streams)"]),
        ("```python\ndef add(\n    a: int,\n    b: int,\n) -> int:\n```", ["add(a: int, b: int) -> int"]),
        ("1. Signature:\n   ```\n   add(a: int) -> int\n   ```", ["add(a: int) -> int"]),
        ("Use **def two\\_sum(nums: list[int])** here.", ["two_sum(nums: list[int])"]),
        ("f(x: int) -> Literal['a', 'b'] tells.", ["f(x: int) -> Literal['a', 'b']"]),
        ("", []),
    ],
)
def test_what_a_question_states_is_found(question, stated):
    assert contract(question) == stated


def test_names_of_a_contract():
    assert entry_points(["add(a, b)", "class Stack", "async def fetch(url)", STDIN]) == ["add", "Stack", "fetch"]


@pytest.mark.parametrize(
    ("reply", "declared"),
    [
        ("def add(a: int, b: int) -> int", "def add(a: int, b: int) -> int:"),
        ("```python\ndef add(a, b): ...\n```", "def add(a, b):"),
        ("`add(a, b) -> int`", "def add(a, b) -> int:"),
        ("class Stack:\n    def push(self, item): ...", "class Stack:\n    def push(self, item): ..."),
        (
            "class Stack:\n    def push(self, item):\n        self.items.append(item)",
            "class Stack:\n    def push(self, item): ...",
        ),
        ("from typing import List\n\ndef f(a: List[int]) -> int", "def f(a: List[int]) -> int:"),
        ('def f(a: int) -> int:\n    """Doc."""\n    ...', "def f(a: int) -> int:"),
        ("Here is the signature:\ndef f(x)", "def f(x):"),
        ("class A(Base):\n    def m(self, x: int) -> int", "class A(Base):\n    def m(self, x: int) -> int: ..."),
        ("@dataclass\nclass P:\n    x: int\n    y: int = 0", "@dataclass\nclass P:\n    x: int\n    y: int = 0"),
        ("I would call it add.", None),
        ("def add(a, b)\ndef sub(a, b)", None),
        ("import os", None),
        ("", None),
    ],
)
def test_a_declaration_is_read_without_bodies(reply, declared):
    assert declaration(reply) == declared


def test_a_completed_question_states_its_contract():
    assert contract(completed("Write a function that adds.", "def add(a, b):")) == ["add(a, b)"]
    assert contract(completed("Write a stack.", "class Stack:\n    def push(self, x): ...")) == ["class Stack"]


def test_a_program_is_told_where_it_has_to_be():
    assert "`main()`" in as_program("Read from standard input and print.")
    assert as_program("Put it into `main()`.") == "Put it into `main()`."
