"""What is no question, with the reason."""

from __future__ import annotations

import pytest

from tasks.models import Provenance, RejectReason, Seed, Subset
from tasks.settings import QuestionRules
from tasks.sourcing.checks import objection
from tasks.sourcing.contract import contract

GOOD = (
    "Write `total(prices: list[float]) -> float` that adds up the prices. An empty list gives 0.0, as for `total([])`."
)
SEED = Seed(
    seed_id="s",
    subset=Subset.ALGORITHM,
    text="A gardener waters the beds in the order of their thirst, and the equally thirsty from left to right.",
    title="t",
    source=Provenance(origin="o", version="", path="p", licence="MIT"),
)
LEAK = """Write `double(x: int) -> int`.

```python
def double(x: int) -> int:
    result = x * 2
    return result
```
"""

NODES = """Reverse a linked list.

```python
class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next

class Solution:
    def reverseList(self, head):
        pass
```
"""

STACK = """Implement a class `Stack` with `push(item: int)`.

```python
class Stack:
    def push(self, item: int):
        self.items.append(item)
```
"""


def reason(question: str, quote: int = 12, **rules: object) -> RejectReason | None:
    found = objection(question, contract(question), [SEED], QuestionRules(**rules), quote)
    return found[0] if found else None


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (GOOD, None),
        ("", RejectReason.EMPTY_QUESTION),
        ("Sum it up.", RejectReason.TOO_SHORT),
        ("I'm sorry, but I can't help with creating that kind of question.", RejectReason.REFUSAL),
        ("Sorry, I cannot write a task from this file.", RejectReason.REFUSAL),
        ("As an AI language model, I do not write such questions.", RejectReason.REFUSAL),
        ("I cannot assist with that request, since it may be harmful.", RejectReason.REFUSAL),
        ("I am given a list of words; write `f(words)` that sorts them for me.", None),
        ("Sorting is hard: write `f(words: list[str])` that sorts words by length.", None),
        (
            "Schreibe eine Funktion `f(x)`, die zwei Zahlen addiert und das Ergebnis liefert.",
            RejectReason.WRONG_LANGUAGE,
        ),
        (
            "Escribe una funci\u00f3n `f(x)` que cuente las vocales de un texto y las devuelva.",
            RejectReason.WRONG_LANGUAGE,
        ),
        (
            "\u8bf7\u7f16\u5199\u4e00\u4e2a\u51fd\u6570 `f(x)`\uff0c\u8fd4\u56de\u5217\u8868\u4e2d\u7684\u503c\u3002"
            * 3,
            RejectReason.WRONG_LANGUAGE,
        ),
        ("```python\ndef spread(values: list[int]) -> int:\n    ...\n```", None),
        (LEAK, RejectReason.LEAKS_SOLUTION),
        (
            LEAK.replace("```python\n", "")
            .replace("```\n", "")
            .replace("\ndef", "\n    def")
            .replace("\n    re", "\n        re"),
            RejectReason.LEAKS_SOLUTION,
        ),
        ("Return the correct value.\n\n" + LEAK, RejectReason.LEAKS_SOLUTION),
        (
            LEAK.replace(
                "Write `double(x: int) -> int`", "Write `quadruple(x: int) -> int` by means of `double(x: int)`"
            ),
            None,
        ),
        (NODES, None),
        (STACK, RejectReason.LEAKS_SOLUTION),
        ("I apologize, but I can't create a question from this file.", RejectReason.REFUSAL),
        ("Unfortunately, I'm unable to help with that request of yours.", RejectReason.REFUSAL),
        ("Sorry is a board game for two to four players; write `moves(cards: list[int])` for it.", None),
        ("I don't have enough money for all; help me choose and name what I can buy at most.", None),
        ("As an AI engineer I need a softmax that never overflows, for lists of floats.", None),
        ("Implement a matrix determinant algorithm via LU decomposition", None),
        ("Given n, k, compute nCk mod p in a fast way.", None),
        ("Fix the bug in this function.\n\n" + LEAK, None),
        (LEAK.replace("result = x * 2\n    return result", "raise NotImplementedError"), None),
        (
            f"{GOOD} A gardener waters the beds in the order of their thirst, and beds that are dry.",
            RejectReason.QUOTES_SEED,
        ),
        (f"{GOOD} A gardener waters the beds.", None),
    ],
)
def test_a_question_is_kept_or_goes_with_its_reason(question, expected):
    assert reason(question) is expected


def test_names_of_code_that_is_to_stay_hidden_are_not_used():
    code = SEED.model_copy(update={"text": "def net_invoice_total(invoiceLines):\n    raise ValueError"})
    for question, expected in {
        "Write `total(lines: list[float]) -> float`; a negative one raises ValueError.": None,
        "Write `net_invoice_total(lines: list[float]) -> float`.": RejectReason.QUOTES_SEED,
        "Write `total(invoiceLines: list[float]) -> float` for them.": RejectReason.QUOTES_SEED,
    }.items():
        found = objection(question, contract(question), [code], QuestionRules(), 8, hide_names=True)
        assert (found and found[0]) is expected


def test_bounds_and_languages_are_those_of_the_config():
    assert reason(GOOD, max_characters=50) is RejectReason.TOO_LONG
    german = "Schreibe eine Funktion `f(x)`, die zwei Zahlen addiert und das Ergebnis liefert."
    assert reason(german, languages=["en", "de"]) is None
    assert reason(german, languages=[]) is None


def test_evidence_names_the_setting():
    _, why = objection(GOOD, [], [], QuestionRules(max_characters=50), 12) or (None, "")
    assert why == f"{len(GOOD)} characters, questions.max_characters is 50"
