"""What can be read off a test file and its solution without running them: what the tests assert, and whether it tells.

What any solution would pass is no evidence for one. Where it takes a guess, an assertion is taken to tell something:
to call a good test idle costs more than to miss an idle one.
"""

from __future__ import annotations

import ast
import io
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from tasks.execution.expected import expected_tests
from tasks.labeling.reading.claims import Claims, called, claim
from tasks.labeling.reading.copies import copied, duplicated
from tasks.labeling.reading.dataflow import Flow, Function, bound_names, functions, parametrizations
from tasks.labeling.reading.places import SWALLOWED, Place, places, raises_anyhow
from tasks.syntax import MOST_READ, UNREADABLE, parse, parsed

_PYTEST = {"raises", "warns", "deprecated_call", "RaisesGroup"}
_WATCHES = (*_PYTEST, "assertRaises", "assertWarns", "assertLogs", "assertNoLogs")


@dataclass(frozen=True)
class TestReading:
    """What a test file asserts.

    Attributes:
        tests: ids such as ``test_x`` and ``TestA::test_y``, in order.
        asserts: per test, at how many places of its source it asserts something: ``assert``, ``pytest.raises`` and its
            kin, ``pytest.fail``, calls of ``assert...`` of unittest, mocks, numpy and pandas, and calls of the file's
            own functions that do one of these. A place in a loop counts once.
        cases: per test, how many distinct sets of parameters it lists as literals; 1 where that cannot be told.
        trivial: ``line 7``, of a place that asserts, to why every solution passes it, in words.
        idle: tests whose places are all trivial, or that have none.
        duplicates: tests to the earlier one that does the same; names of variables and messages may differ.
        copies: functions of the test file to the one of the solution, as in ``f`` or ``Class.method``, that they
            repeat, as a whole or within.
    """

    tests: tuple[str, ...]
    asserts: dict[str, int]
    cases: dict[str, int]
    trivial: dict[str, str]
    idle: tuple[str, ...]
    duplicates: dict[str, str]
    copies: dict[str, str]

    @property
    def distinct(self) -> int:
        """How many tests do not repeat another."""
        return len(self.tests) - len(self.duplicates)


def read_tests(test: str, solution: str) -> TestReading | None:
    """Read a test file against its solution; None where either does not parse, or is beyond what can be read."""
    if max(len(test), len(solution)) > MOST_READ:
        return None
    tree, answer = parsed(test), parsed(solution)
    if tree is None or answer is None:
        return None
    try:
        ids = tuple(expected_tests(test))
        found = dict(functions(tree))
        tests = {name: found[name] for name in ids}
        judge = _Judge(tree, answer, found, ids)
        judged = {name: judge.judged(function) for name, function in found.items()}
        return TestReading(
            tests=ids,
            asserts={name: len(judged[name]) for name in ids},
            cases=_cases(tree, tests),
            trivial={f"line {line}": why for lines in judged.values() for line, why in lines if why},
            idle=tuple(name for name in ids if all(why for _, why in judged[name])),
            duplicates=duplicated(tests),
            copies=copied(found, answer),
        )
    except UNREADABLE:  # nested too deeply, or with a number too long to be written out
        return None


_DEEPEST = 10
"""Helpers that call helpers that assert, one within the other."""


class _Judge:
    """Finds the places of a test file that assert, and judges them."""

    def __init__(
        self, tree: ast.Module, solution: ast.Module, found: Mapping[str, Function], tests: Collection[str]
    ) -> None:
        self._flow = Flow(tree, tests)
        self._claims = Claims(tree, solution)
        self._own = bound_names(ast.walk(tree))
        self._judged: dict[Function, list[tuple[int, str | None]]] = {}
        self._asserting: dict[tuple[bool, str], list[Function]] = {}
        for _ in range(_DEEPEST):  # or until calls of the functions known to assert make no further one that does
            self._places = {function: list(places(function, self._asserts)) for function in found.values()}
            asserting: dict[tuple[bool, str], list[Function]] = {}
            for name, function in found.items():
                if self._places[function]:
                    asserting.setdefault(_key(name), []).append(function)
            if asserting == self._asserting:
                break
            self._asserting = asserting

    def judged(self, function: Function) -> list[tuple[int, str | None]]:
        """The line of each place of a function that asserts, and why any solution passes it; None if it may not."""
        if function not in self._judged:
            self._judged[function] = [(0, None)]  # what it is taken for while its own calls of itself are judged
            self._judged[function] = [(at.node.lineno, self._why(function, at)) for at in self._places[function]]
        return self._judged[function]

    def _asserts(self, call: ast.Call) -> bool:
        name = called(call)
        if name in {*_PYTEST, "fail"}:
            return isinstance(call.func, ast.Name) or ast.unparse(call.func) in (f"pytest.{name}", f"self.{name}")
        return name.startswith("assert") or bool(self._run_by(call))

    def _run_by(self, call: ast.Call) -> list[Function]:
        """The file's own asserting functions that a call runs, or hands over as in ``map(check, cases)``.

        An attribute is a method; a plain name may also be one, within its class or under a second name.
        """
        plain = [part.id for part in (call.func, *call.args) if isinstance(part, ast.Name)]
        keys = [(True, called(call)), *((owned, name) for name in plain for owned in (False, True))]
        return [function for key in keys for function in self._asserting.get(key, [])]

    def _why(self, function: Function, place: Place) -> str | None:
        depends = partial(self._flow.depends, function)
        call = place.node
        name = called(call) if isinstance(call, ast.Call) else ""
        if place.excuse and not (place.excuse is SWALLOWED and name in {*_PYTEST, "fail"}):
            return place.excuse
        if isinstance(call, ast.Assert):
            return self._claims.why_true(call.test, depends)
        if isinstance(call, ast.Raise) or name == "fail":
            return None  # marks what must not be reached
        parts: list[ast.AST] = [call]
        if name.startswith(_WATCHES):
            if place.block is None and len(call.args) < 2:
                return None  # kept for a block that is elsewhere
            if place.block and raises_anyhow(place.block, call, depends):
                return "its block raises by itself what it waits for"
            parts = [place.block or call]
        elif run := self._run_by(call):
            if all(why for helper in run for _, why in self.judged(helper)):
                return "the function that it calls asserts nothing that may be false"
        elif name not in self._own and (stated := claim(call)):
            return self._claims.why_true(stated, depends)
        elif getattr(getattr(call.func, "value", None), "id", "") == "self":
            parts = [*call.args, *call.keywords]  # `self` may hold anything, but here its class's method is meant
        return None if depends(*parts) else "it does not depend on the solution"


def _key(identifier: str) -> tuple[bool, str]:
    """Whether a function is called as an attribute, and by which name."""
    owner, _, name = identifier.rpartition("::")
    return bool(owner), name


def _cases(tree: ast.Module, tests: Mapping[str, Function]) -> dict[str, int]:
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    found = {}
    for name, function in tests.items():
        marked = [function, *(classes[part] for part in name.split("::")[:-1])]
        found[name] = math.prod(_distinct(values) for node in marked for _, values in parametrizations(node))
    return found


def _distinct(values: ast.expr) -> int:
    if isinstance(values, ast.List | ast.Tuple) and not any(isinstance(item, ast.Starred) for item in values.elts):
        return max(1, len({ast.dump(item) for item in values.elts}))
    return 1


def without_tests(test: str, ids: Collection[str]) -> str:
    """A test file without the test functions and methods of these ids, decorators included.

    All other lines stay byte for byte as they were. A class with nothing left goes as a whole; any other block with
    nothing left gets a ``pass``.

    Raises:
        SyntaxError: the file does not parse; also what else ``parse`` raises.
    """
    lines = list(io.StringIO(test, newline=""))  # splits where Python does, and nowhere else
    for node, instead in _pruned(parse(test), ids, ""):
        first = min(part.lineno for part in (node, *node.decorator_list)) - 1
        end = node.end_lineno or node.lineno
        indent = lines[first][: -len(lines[first].lstrip())]
        ending = lines[end - 1][len(lines[end - 1].rstrip("\r\n")) :]
        lines[first:end] = [f"{indent}{instead}{ending}" if instead else "", *[""] * (end - first - 1)]
    return "".join(lines)


def _pruned(node: ast.AST, ids: Collection[str], prefix: str) -> Iterator[tuple[Function | ast.ClassDef, str]]:
    """Definitions to be taken out of a node, with what each is to be replaced by."""
    for _, block in ast.iter_fields(node):
        if not isinstance(block, list):
            continue
        gone = [child for child in block if _goes(child, ids, prefix)]
        for child in block:
            if child in gone:
                needed = gone == block and child is gone[0] and not isinstance(node, ast.Module)
                yield child, "pass" if needed else ""
            elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case) and not isinstance(child, Function):
                yield from _pruned(child, ids, f"{prefix}{child.name}::" if isinstance(child, ast.ClassDef) else prefix)


def _goes(node: ast.AST, ids: Collection[str], prefix: str) -> bool:
    if isinstance(node, Function):
        return f"{prefix}{node.name}" in ids
    if not isinstance(node, ast.ClassDef):
        return False
    rest = [child for child in node.body if not _goes(child, ids, f"{prefix}{node.name}::")]
    return len(rest) < len(node.body) and all(
        isinstance(child, ast.Pass) or (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant))
        for child in rest
    )
