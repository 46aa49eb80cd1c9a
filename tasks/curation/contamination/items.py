"""Items of a benchmark, and the input/output examples that their prompts and tests give."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tasks.curation.contamination.lexing import literals
from tasks.syntax import MOST_READ, UNREADABLE, parse

MOST_VALUES = 32
"""Of an example that are compared."""
MOST_EXAMPLES = 100
"""Of an item; HumanEval+ has thousands for some."""
_TRUTH = ("True", "False", "None")
_DOCTEST = re.compile(r"^[ \t]*>>>[ \t]*(?P<call>[^\n]*)\n(?P<want>(?![ \t]*>>>)[^\n]*)", re.MULTILINE)
_CALL_WITH_RESULT = re.compile(
    r".*?\w\(.*\).*?(?:==?>?|[-\u2013\u2014]+>|[\u2192\u21d2\u279e]|\breturns?\b|\boutput\b|\bis\b)"
)
_LONGEST_LINE = 1000
_LABELLED = re.compile(r"(?is)\binput\b[^\n]{0,20}?[:=\n](?P<given>.*?)\boutput\b(?P<want>[^\n]*(?:\n[^\n]+){0,2})")
_ANSWERS = re.compile(r"(?i)\n\s*(?:note|explanation|example|constraints?|input|>>>)\b.*", re.DOTALL)


@dataclass(frozen=True)
class BenchmarkItem:
    """One problem of a benchmark.

    Attributes:
        prompts: what it asks, in one or several forms; the first stands for it in the embedding.
        solutions: its reference solutions.
        tests: code, asserts, or examples as JSON.
    """

    benchmark: str
    item_id: str
    prompts: tuple[str, ...]
    solutions: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()


def examples(item: BenchmarkItem) -> list[list[str]]:
    """The literal values of each example of an item, those of its inputs before those of what is expected.

    They come from doctests, calls with a result on the same line, and "Input … Output" in its prompts, from asserts
    in its tests, and from tests that are pairs of inputs and outputs.
    """
    found = [one for prompt in item.prompts for one in _of_prompt(prompt[:MOST_READ])]
    for test in item.tests:
        found += _of_pairs(test) or _of_code(test[:MOST_READ])
    distinct = {tuple(one): one[:MOST_VALUES] for one in found if one}
    return list(distinct.values())[:MOST_EXAMPLES]


def weight(example: Sequence[str]) -> int:
    """How much an example says: its letters and digits, without truth values, repetitions and the steps of a count.

    Many tasks have ``f([]) == []`` or ``f([1, 2, 3]) == 3`` in common. One value alone says nothing.

    >>> weight(["1", "2", "3", "3"]), weight(['"hello', '"ehllo'])
    (1, 10)
    """
    if len(example) < 2:
        return 0
    numbers = [int(value) for value in example if value.lstrip("-").isdecimal()]
    counted = sum(one - before in (0, 1) for before, one in pairwise(numbers))
    return sum(len(value.strip('"-')) for value in example if value not in _TRUTH) - counted


def _of_prompt(prompt: str) -> Iterator[list[str]]:
    for match in _DOCTEST.finditer(prompt):
        call = match["call"].partition("#")[0]
        yield literals(call) if re.search(r"\)\s*==", call) else literals(f"{call}\n{match['want']}")
    for line in prompt.splitlines():
        if len(line) <= _LONGEST_LINE and ">>>" not in line and _CALL_WITH_RESULT.match(line):
            yield literals(line)
    for match in _LABELLED.finditer(prompt):
        yield literals(match["given"]) + literals(_ANSWERS.sub("", match["want"]))


def _of_code(test: str) -> Iterator[list[str]]:
    """Of asserts that something equals something, unittest's among them, and of lists of inputs and results."""
    try:
        tree = parse(textwrap.dedent(test))
    except UNREADABLE:
        return
    lists: dict[str, Sequence[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assert(test=ast.Compare(left=left, comparators=[right])):
                yield _values(left, right)
            case ast.Assert(test=ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call)):
                yield [*_values(call), "False"]
            case ast.Assert(test=ast.Call() as call):
                yield [*_values(call), "True"]
            case ast.Call(func=ast.Attribute(attr="assertEqual" | "assertAlmostEqual"), args=[left, right, *_]):
                yield _values(left, right)
            case ast.Assign(targets=[ast.Name(id="inputs" | "results" as name)], value=ast.List(elts=elements)):
                lists[name] = elements
    for given, wanted in zip(lists.get("inputs", ()), lists.get("results", ()), strict=False):
        yield _values(given, wanted)


def _values(*parts: ast.expr) -> list[str]:
    try:
        return [value for part in parts for value in literals(ast.unparse(part))]
    except UNREADABLE:
        return []


def _of_pairs(test: str) -> list[list[str]]:
    """Of inputs and outputs in the form of APPS, ``{"inputs": […], "outputs": […]}``, and of LiveCodeBench,
    ``[{"input": …, "output": …}, …]``; nothing where the text is neither."""
    if test[:1] not in "{[":
        return []
    try:
        told = json.loads(test)
    except (ValueError, RecursionError):
        return []
    match told:
        case {"inputs": list(given), "outputs": list(wanted)}:
            pairs = zip(given, wanted, strict=False)
        case [{"input": _, "output": _}, *_]:
            pairs = ((one.get("input"), one.get("output")) for one in told if isinstance(one, dict))  # type: ignore[assignment]
        case _:
            return []
    return [literals(_shown(given)) + literals(_shown(wanted)) for given, wanted in pairs]


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
