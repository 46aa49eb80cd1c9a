"""HumanEval through exactly the path that answers take: what is right passes, what is wrong does not."""

from __future__ import annotations

import pytest

from tasks.evaluation.asking import answered, continued
from tasks.evaluation.items import read_items
from tasks.evaluation.judging import pair
from tasks.execution.pool import Look
from tasks.models import Verdict
from tasks.settings import Evaluation

ITEMS = list(read_items(Evaluation()))
ANSWERS = {
    "the whole function in a fence": lambda item: answered(
        item, f"Sure:\n\n```python\n{item.stub}{item.canonical_solution}```\nIt works."
    ),
    "the body in a fence": lambda item: answered(item, f"```python\n{item.canonical_solution}```"),
    "the body alone": lambda item: answered(item, item.canonical_solution),
    "a completion that runs on": lambda item: continued(item, f"{item.canonical_solution}\n\nprint('done')\n"),
}


def passed(pool, codes):
    verdicts = pool.run_all([pair(item, item.id, code) for item, code in zip(ITEMS, codes, strict=True)], Look())
    return {one.id: one.reason for one in verdicts if one.verdict is Verdict.PASSED}, verdicts


@pytest.mark.parametrize("way", ANSWERS)
def test_all_canonical_solutions_pass_however_they_are_answered(pool, way):
    right, verdicts = passed(pool, [ANSWERS[way](item) for item in ITEMS])
    assert [(one.id, one.reason) for one in verdicts if one.id not in right] == []
    assert len(right) == 164


def returns_none(item):
    return f"{item.stub}    return None\n"


def off_by_one(item):
    """Every result changed a little."""
    return (
        f"{item.stub}{item.canonical_solution}\n\n_right = {item.entry_point}\n\n\n"
        f"def {item.entry_point}(*arguments):\n    out = _right(*arguments)\n"
        "    if isinstance(out, bool):\n        return not out\n"
        "    if isinstance(out, (int, float)):\n        return out + 1\n"
        "    if isinstance(out, str):\n        return out + ' '\n"
        "    return [*out, 0] if isinstance(out, (list, tuple)) else 0\n"
    )


WRONG = {
    "return None": returns_none,
    "off by one": off_by_one,
    "does not parse": lambda item: f"{item.stub}    return (\n",
    "another function": lambda item: "def unasked():\n    return 1\n",
    "leaves before any test": lambda item: f"import os\n\nos._exit(0)\n{item.stub}    return None\n",
}


@pytest.mark.parametrize("way", WRONG)
def test_wrong_solutions_fail(pool, way):
    assert passed(pool, [WRONG[way](item) for item in ITEMS])[0] == {}


def test_what_a_test_needs_beside_the_solution_comes_from_the_item_not_from_the_answer(pool):
    item = next(one for one in ITEMS if one.id == "HumanEval/32")
    cheat = "import math\n\n\ndef poly(xs, x):\n    return 0\n\n\ndef find_zero(xs):\n    return 7\n"
    [verdict] = pool.run_all([pair(item, item.id, cheat)], Look())
    assert verdict.verdict is Verdict.FAILED
