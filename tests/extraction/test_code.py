"""The program in what a model said."""

from __future__ import annotations

import pytest

from tasks.extraction.code import code_in
from tasks.models import Style
from tasks.syntax import parsed

STUB = '''from typing import List
import math


def floored(x):
    return math.floor(x)


def total(xs: List[int]) -> int:
    """Sum «xs».

    >>> total([1])
    1
    """
'''


def instruct(text):
    return code_in(text, "Write it.", Style.INSTRUCT)


def complete(text, stub=STUB):
    return code_in(text, stub, Style.COMPLETE)


def program(text):
    return code_in(text, "Read and write.", Style.ONLINE_JUDGE)


def value(code, call):
    """Of trusted code, written in this file."""
    names = {}
    exec(code, names)
    return eval(call, names)


@pytest.mark.parametrize(
    "text",
    [
        "So:\n\n```python\ndef f(x):\n    return x\n```\n\nTry it:\n```python\nprint(f(1))\n```",
        "```python\ndef f(x):\n    return -x\n```\nNo, better:\n```python\ndef f(x):\n    return x\n```",
        "Install:\n```bash\npip install x\n```\n```py\ndef f(x):\n    return x\n```\n```text\n1\n```",
        "1. So:\n   ```\n   def f(x):\n       return x\n   ```\n",
        "def f(x):\n    return x\n```\nThis is what was asked for.",
        "def f(x):\n    return x\n\nThis is what was asked for.",
        "```python\r\ndef f(x):\r\n    return x\r\n```",
        "```python\ndef f(x):\n    return x\n",
    ],
)
def test_the_definition_is_found(text):
    assert instruct(text) == "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    "text",
    [
        "First\n```python\nfrom math import pow, isqrt\n```\nthen\n```python\ndef f(x):\n    return isqrt(x)\n```",
        "```python\nH = 0.5\n```\n```python\ndef f(x):\n    return int(x**H)\n```\n```python\nx = 9\nprint(f(x))\n```",
        "```python\ndef f(x):\n    return g(x)\n```\nwith\n```python\ndef g(x):\n    return int(x ** 0.5)\n```",
        "```python\nimport math\ndef f(x): return x\n```\nor\n```python\ndef f(x):\n    return math.isqrt(x)\n```",
        "```python\nimport math\n```\n```python\ndef g(x):\n    return math.isqrt(x)\ndef f(x): return x\n```\nor\n"
        "```python\nfrom __future__ import annotations\ndef f(x: Nat):\n    return g(x)\n```",
    ],
)  # fmt: skip
def test_what_the_definition_needs_of_other_blocks_goes_with_it(text):
    assert value(instruct(text), "f(9)") == 3
    assert "print" not in instruct(text)


@pytest.mark.parametrize("use", ["from mine import f\nassert f(1) == 1", "from mine import f", "x = 3", "y = f(3)"])
def test_examples_of_use_do_not_go_with_the_definition(use):
    code = "def f(x):\n    return x\n"
    assert instruct(f"```python\n{code}```\nas in\n```python\n{use}\n```") == code


@pytest.mark.parametrize(
    "text",
    ["", "\n", "I cannot do this.", "Sure", "Answer: yes", "pass", "42", "```text\n1 2 3\n```", "```json\n{}\n```",
     "```bash\nls\n```", "```python\n```", "```\nSure\n```", "\x00", "«»", "```" * 5000],
)  # fmt: skip
def test_a_reply_without_a_program_has_none(text):
    assert [instruct(text), complete(text), program(text)] == ["", "", ""]


def test_a_block_of_python_that_does_not_parse_is_kept():
    assert instruct("```python\ndef f(:\n```") == "def f(:\n"


@pytest.mark.parametrize(
    "text",
    [
        "```python\n    return sum(xs)\n```",
        "```python\nreturn sum(xs)\n```",
        "```python\nout = 0\nfor x in xs:\n    out += x\nreturn out\n```",
        "```python\nout = 0\n    for x in xs:\n        out += x\n    return out\n```",
        "```python\ndef add(a, b):\n    return a + b\n\nout = 0\nfor x in xs:\n    out = add(out, x)\nreturn out\n```",
        "    return sum(xs)\n",
        "out = sum(xs)\n    return out",
    ],
)
def test_what_continues_a_stub_is_joined_to_it(text):
    code = complete(text)
    assert code.startswith(STUB)
    assert value(code, "total([1, 2])") == 3


def test_an_example_of_use_does_not_replace_a_parameter_of_the_stub():
    text = (
        "```python\nreturn sum(xs) + heapq.heappop(xs)\n```\n```python\nimport heapq\n```\nIf\n```python\nxs = [1]\n```"
    )
    assert value(complete(text), "total([3, 4])") == 10


def test_a_whole_function_takes_the_stubs_place_behind_what_it_uses_of_it():
    code = complete("```python\ndef total(xs: List[int]) -> int:\n    return sum(map(floored, xs))\n```")
    assert code.count("def total") == 1
    assert value(code, "total([1.5, 2])") == 3
    alone = "def total(xs):\n    return sum(xs)\n"
    assert complete(f"```python\n{alone}```") == alone


def test_imports_from_the_future_stay_in_front():
    code = complete(
        "```python\nfrom __future__ import annotations\n\n\ndef total(xs):\n    return floored(sum(xs))\n```"
    )
    assert code.startswith("from __future__")
    assert value(code, "total([1.5])") == 1


@pytest.mark.parametrize("rest", ["pass", "...", "raise NotImplementedError", "raise NotImplementedError('x')", ""])
def test_a_placeholder_gives_way(rest):
    code = complete("```python\nreturn x * 2\n```", f"def double(x):\n    '''«Twice».'''\n    {rest}\n")
    assert value(code, "double(4)") == 8
    assert "raise" not in code
    assert value(complete("    return x * 2", "def double(x): ..."), "double(4)") == 8


def test_methods_continue_a_class():
    stub = "class Stack:\n    '''A stack.'''\n\n    def __init__(self):\n        self.items = []\n"
    code = complete("```python\ndef push(self, item):\n    self.items.append(item)\n    return self\n```", stub)
    assert value(code, "Stack().push(3).items") == [3]


def test_a_stub_may_stand_within_a_question():
    question = f"Complete this:\n\n```python\n{STUB}```\n\nMind empty lists."
    assert value(complete("```python\nreturn sum(xs)\n```", question), "total([4])") == 4


def test_where_there_is_no_stub_the_answer_stands_alone():
    assert complete("```python\ndef f():\n    return 1\n```", "Write f.") == "def f():\n    return 1\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nn = int(input())\nprint(n)\n```\nOn\n```\n3\n```\nit prints 3.", "n = int(input())\nprint(n)\n"),
        ("```python\nprint(input())\n```\nor\n```python\nimport sys\nprint(sys.stdin.read())\n```",
         "import sys\nprint(sys.stdin.read())\n"),
        ("```python\ndef f(x):\n    return x\n```\nthen\n```python\nprint(f(input()))\n```",
         "def f(x):\n    return x\n\nprint(f(input()))\n"),
        ("```python\nimport sys\n```\n```python\nprint(sys.stdin.read())\n```",
         "import sys\n\nprint(sys.stdin.read())\n"),
        ("```python\nprint(1)\n```", "print(1)\n"),
        ("n = int(input())\nprint(n)", "n = int(input())\nprint(n)\n"),
    ],
)  # fmt: skip
def test_a_program_is_the_last_that_reads_with_what_is_defined_for_it(text, code):
    assert program(text) == code


def test_huge_and_deeply_nested_replies_are_read():
    long = "def f():\n" + "    x = 1\n" * 50_000
    assert instruct(f"```python\n{long}```") == long
    nested = "x = " + "(" * 5000 + ")" * 5000
    assert instruct(f"```python\n{nested}\n```") == f"{nested}\n"
    assert parsed(nested) is None
