"""Whether a stub tells what only the tests know: a call together with the value that they expect of it.

Compared are values, not texts, so that an example leaks in whatever form it is told. What the question says itself may
be said again.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from tasks.execution.expected_values import AssertedCall, asserted_calls
from tasks.styles.declarations import Function, definitions
from tasks.styles.examples import Example, Passage, calls_in
from tasks.styles.literals import Source, key, literals_in, value_of, weight

_NEAR = 2
"""Lines of a stub in which what stands together may be a call's arguments and its value."""
_NEAR_IN_QUESTION = 4
_TELLING, _TELLING_ARGUMENTS = 3, 4
"""What arguments and value must weigh where no call is written, and arguments where the value may stand anywhere."""
_MOST_READINGS = 100
_SHORTEST_WORD = 2


@dataclass(frozen=True)
class Asserted:
    """A call that the tests expect a value of.

    Attributes:
        bound: it is the call of a method.
        arguments: in the order of the parameters, defaults filled in.
        given: those of them that are not the default.
    """

    name: str
    bound: bool
    arguments: tuple[Any, ...]
    given: tuple[Any, ...]
    value: Any

    @property
    def call(self) -> tuple[str, Hashable]:
        """What it has in common with the same call of a stub."""
        return (self.name, key(self.arguments))

    def __str__(self) -> str:
        given = ", ".join(str(getattr(one, "text", repr(one))) for one in self.given)
        return f"{self.name}({given}) is {self.value!r}"[:200]


class Secrets:
    """What the tests of a row know and its question does not say.

    Args:
        names: functions and classes that the tests use.
    """

    def __init__(self, test: str, solution: ast.Module, question: str, names: Collection[str]) -> None:
        self.names = frozenset(names)
        self._parameters = dict(_parameters(solution))
        found = [one for call in asserted_calls(test) for one in self._readings(call)]
        said = _Windows(question, _NEAR_IN_QUESTION)
        self._asserted = [one for one in found if not said.hold(one)]
        self._calls = {(*one.call, key(one.value)): one for one in self._asserted if not one.bound}

    def _readings(self, call: AssertedCall) -> Iterator[Asserted]:
        """A call with each set of arguments that it may have."""
        if not call.bound and call.name not in self.names:
            return
        if call.bound and call.name not in self._parameters:
            return
        value = ast.literal_eval(call.value)
        choices = [*call.arguments, *(given for _, given in call.keywords)]
        for number, given in enumerate(product(*choices)):
            if number == _MOST_READINGS:
                return
            values = tuple(map(value_of, given))
            positional = values[: len(call.arguments)]
            keywords = zip((name for name, _ in call.keywords), values[len(call.arguments) :], strict=True)
            arguments = self._ordered(call.name, positional, tuple(keywords))
            usual = [default for _, default in self._parameters.get(call.name, [])]
            usual += [_NOTHING] * (len(arguments) - len(usual))
            own = tuple(
                one
                for one, default in zip(arguments, usual, strict=False)
                if default is _NOTHING or key(one) != key(default)
            )
            yield Asserted(call.name, call.bound, arguments, own, value)

    def _ordered(self, name: str, arguments: Sequence[Any], keywords: Sequence[tuple[str, Any]]) -> tuple[Any, ...]:
        """Arguments in the order of the parameters, with the defaults of those that were not given."""
        given = dict(keywords)
        rest = self._parameters.get(name, [])[len(arguments) :]
        filled = [(parameter, given.pop(parameter, default)) for parameter, default in rest]
        while filled and filled[-1][1] is _NOTHING:
            filled.pop()
        return (*arguments, *(value for _, value in filled), *given.values())

    def told_by(self, example: Example) -> Asserted | None:
        """The first of them that an example tells; None where it tells none."""
        told = ((*self._call(one.name, one.arguments, one.keywords), key(one.value)) for one in example.told)
        return next((self._calls[one] for one in told if one in self._calls), None)

    def _call(self, name: str, arguments: Sequence[Any], keywords: Sequence[tuple[str, Any]]) -> tuple[str, Hashable]:
        return (name, key(self._ordered(name, arguments, keywords)))

    def told_in(self, passage: Passage) -> Asserted | None:
        """The first of them that a passage tells apart from examples on lines of their own; None where it tells none.

        Raises:
            Unreadable: the passage has more calls than any needs.
        """
        judged = {line for one in passage.examples if one.told and one.apart for line in one.lines}
        lines = passage.text.split("\n")
        rest = ["" if passage.line(number) in judged else line for number, line in enumerate(lines)]
        windows, beside = _Windows("\n".join(rest), _NEAR), self._beside(rest)
        for one in self._asserted:
            if any(_Windows(text, _NEAR).has(one.value) for text in ([] if one.bound else beside[one.call])):
                return one
            if _tells(one) and windows.hold(one):
                return one
        return None

    def _beside(self, lines: Sequence[str]) -> dict[tuple[str, Hashable], list[str]]:
        """What stands beside each call on its line; on the next one, where on its own no value does."""
        found: dict[tuple[str, Hashable], list[str]] = defaultdict(list)
        for number, line in enumerate(lines):
            for start, end, call in calls_in(line, self.names):
                if not isinstance(call.func, ast.Name) or any(isinstance(one, ast.Starred) for one in call.args):
                    continue
                keywords = [(one.arg, value_of(one.value)) for one in call.keywords if one.arg]
                beside = f"{line[:start]} {line[end:]}"
                if next(literals_in(beside), None) is None:
                    beside += "\n" + "".join(lines[number + 1 : number + 2])
                found[self._call(call.func.id, list(map(value_of, call.args)), keywords)].append(beside)
        return found


_NOTHING = object()
"""What a parameter without a default has."""


def _parameters(solution: ast.Module) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Names and defaults of the parameters of functions, methods, and classes by their ``__init__``."""
    for qualified, node in definitions(solution).items():
        owner, _, name = qualified.partition("#")[0].rpartition(".")
        if isinstance(node, Function):
            listed = list(_of(node))[bool(owner) and not _is_static(node) :]
            yield name, listed
            if name == "__init__":
                yield owner, listed


def _of(node: Function) -> Iterator[tuple[str, Any]]:
    positional = [*node.args.posonlyargs, *node.args.args]
    first = len(positional) - len(node.args.defaults)
    for number, one in enumerate(positional):
        yield one.arg, _NOTHING if number < first else value_of(node.args.defaults[number - first])
    for one, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        yield one.arg, _NOTHING if default is None else value_of(default)


def _is_static(node: Function) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in node.decorator_list)


def _tells(one: Asserted) -> bool:
    """Whether arguments and value that stand together without a call hardly do so by chance."""
    arguments = sum(map(weight, one.given))
    return arguments + weight(one.value) >= _TELLING if weight(one.value) else arguments >= _TELLING_ARGUMENTS


def _values(text: str) -> Iterator[Any]:
    """The literals of a text, and the members of those in parentheses, which may be the arguments of a call."""
    for found in literals_in(text):
        yield found.value
        if isinstance(found.value, tuple):
            yield from found.value


class _Windows:
    """The values that stand together in a text, on so many lines."""

    def __init__(self, text: str, near: int) -> None:
        lines = text.split("\n")
        self._text = text
        self._windows = ["\n".join(lines[at : at + near]) for at in range(max(1, len(lines) - near + 1))]
        self._places: dict[Hashable, set[int]] = defaultdict(set)
        for number, window in enumerate(self._windows):
            for value in _values(window):
                self._places[key(value)].add(number)

    def hold(self, asserted: Asserted) -> bool:
        """Whether the arguments and the value of a call stand together somewhere."""
        places = self._of(asserted.value)
        for value in asserted.given:
            if not places:
                return False
            places = places & self._of(value)
        return bool(places)

    def has(self, value: Any) -> bool:
        """Whether a value stands anywhere."""
        return bool(self._of(value))

    def _of(self, value: Any) -> set[int]:
        """The windows that a value stands in; a string may do so without quotes."""
        found = self._places.get(key(value), set())
        if isinstance(value, str) and len(value) >= _SHORTEST_WORD and value in self._text:
            whole = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")
            return found | {number for number, window in enumerate(self._windows) if whole.search(window)}
        if isinstance(value, Source):
            source = "".join(value.text.split())
            return found | {number for number, window in enumerate(self._windows) if source in "".join(window.split())}
        return found
