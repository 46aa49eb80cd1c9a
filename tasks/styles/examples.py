"""The examples that a stub gives: where they stand, what they say, and tests of whether they are true."""

from __future__ import annotations

import ast
import doctest
import io
import re
import tokenize
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.spans import Spans
from tasks.styles.declarations import Definition, is_docstring
from tasks.styles.literals import STRING, Found, closing, literal_at, literals_in, value_of
from tasks.syntax import parse, parsed

_SAYS = re.compile(
    r"""[`"')\s]*(?:
        ==|=>|->|=|\N{RIGHTWARDS ARROW}|\N{RIGHTWARDS DOUBLE ARROW}|:|
        \#\s*(?:=>|->|==|=|\N{RIGHTWARDS ARROW}|returns?\b|is\b)?|
        ,?\s*(?:which\s+|it\s+|this\s+)?(?:should\s+|must\s+|will\s+|would\s+|shall\s+)?
        (?:returns?|is|are|gives?|yields?|be|equals?|evaluates?\s+to|results?\s+in|produces?|outputs?|prints?)\b
        (?:\s+(?:equal\s+to|the\s+(?:value|result|list|string|number|tuple|dict|dictionary)))?
    )[\s`]*""",
    re.VERBOSE,
)
"""What stands between a call and its value."""
_FOR = re.compile(r"[`\s]*(?:for|from|on|with|by)\s+(?:the\s+)?(?:call\s+|input\s+)?[`\s]*")
"""What stands between a value and the call that has it."""
_ENDS = re.compile(
    r"""[`"']*(?:\s*(?:$|[.;:)\]}#(]|,(?!\s*[-+\d'"\[({])|(?:because|since|as|and|but|for|when|if|while|so)\b|--?\s))"""
)
"""What follows a value that is the whole of it: not ``2 + n`` or ``2 items``."""
_ALONE = re.compile(r"\s*(?:[-*\N{BULLET}]|\d+[.)])?\s*(?:e\.g\.|[Ee]xamples?:?|assert)?[\s`]*")
_NEAR = 60
"""Characters between a value and the call behind it, at most."""
_MOST_CALLS = 300
_FENCE = re.compile(r"^[ \t]*(?:`{3,}\w*|~{3,}\w*|\"{3}|'{3})[ \t]*$", re.MULTILINE)
"""A line that ends an example's output without being of it."""
_REST = re.compile(r"""[\s`.,;)]*(?:\#.*)?""")


@dataclass(frozen=True)
class Told:
    """A call of a function or class, and the value that it is said to have."""

    name: str
    arguments: tuple[Any, ...]
    keywords: tuple[tuple[str, Any], ...]
    value: Any


@dataclass(frozen=True, eq=False)
class Example:
    """One example, or several of one docstring that share their objects.

    Attributes:
        told: the calls of functions in it whose values it tells.
        test: statements that fail where it is not true.
        lines: the lines of the stub that it takes, 1-based.
        apart: it may be cut out: nothing else stands on its lines.
    """

    told: tuple[Told, ...]
    test: str
    lines: tuple[int, ...]
    apart: bool


@dataclass
class Passage:
    """A docstring, or comments on consecutive lines.

    Attributes:
        first: the line of the stub that its text begins on.
        aligned: whether each line of the text is one of the stub's.
    """

    text: str
    first: int
    aligned: bool
    examples: list[Example] = field(default_factory=list)

    def line(self, number: int) -> int:
        """The stub's line of a line of the text, from 0."""
        return self.first + number if self.aligned else self.first


class Unreadable(ValueError):
    """The examples of a stub are not written as doctest wants them, or without end."""


def passages(stub: str, names: Collection[str]) -> list[Passage]:
    """The texts of a stub with the examples in them.

    Args:
        names: functions and classes whose calls count.

    Raises:
        Unreadable: a doctest is malformed.
        SyntaxError: the stub does not parse.
    """
    found = [*_docstrings(stub), *_comments(stub)]
    for passage in found:
        passage.examples = sorted(_examples(passage, names), key=lambda one: one.lines)
    return sorted(found, key=lambda one: one.first)


def _docstrings(stub: str) -> Iterator[Passage]:
    spans = Spans(stub)
    for node in ast.walk(parse(stub)):
        if isinstance(node, ast.Module | Definition) and node.body and is_docstring(node.body[0]):
            told = node.body[0]
            start, end = spans.of(told)
            text = str(told.value.value)  # type: ignore[attr-defined]
            rows = (told.end_lineno or told.lineno) - told.lineno
            whole = STRING.fullmatch(spans.data[start:end].decode()) is not None
            yield Passage(text, told.lineno, whole and text.count("\n") == rows)


def _comments(stub: str) -> Iterator[Passage]:
    last: Passage | None = None
    for token in tokenize.generate_tokens(io.StringIO(stub).readline):
        if token.type is not tokenize.COMMENT:
            continue
        text, (row, column) = token.string.lstrip("#").removeprefix(" "), token.start
        if token.line[:column].strip():  # behind code, which stays whatever becomes of the comment
            yield Passage(text, row, False)
            continue
        if last and row == last.first + last.text.count("\n") + 1:
            last.text += f"\n{text}"
            continue
        if last:
            yield last
        last = Passage(text, row, True)
    if last:
        yield last


def _examples(passage: Passage, names: Collection[str]) -> Iterator[Example]:
    try:
        given = doctest.DocTestParser().get_examples(_FENCE.sub("", passage.text))
    except ValueError as error:
        raise Unreadable(str(error)) from error
    taken: set[int] = set()
    extents = [_extent(one) for one in given]
    taken.update(row for rows in extents for row in rows)
    if given and any(not _stands_alone(one.source) for one in given):
        told = tuple(call for one in given for call in _doctest_told(one, names))
        lines = tuple(passage.line(row) for rows in extents for row in rows)
        yield Example(told, _as_doctest(given), lines, passage.aligned)
    else:
        for one, rows in zip(given, extents, strict=True):
            lines = tuple(map(passage.line, rows))
            yield Example(tuple(_doctest_told(one, names)), _doctest_test(one), lines, passage.aligned)
    for number, line in enumerate(passage.text.split("\n")):
        if number not in taken:
            for call, apart in _said_on(line, names):
                test = f"assert _is({_written(call)}, {call.value!r})\n"
                yield Example((call,), test, (passage.line(number),), apart and passage.aligned)


def _extent(example: doctest.Example) -> range:
    rows = example.source.count("\n") + example.want.count("\n")
    return range(example.lineno, example.lineno + rows)


def _stands_alone(source: str) -> bool:
    """Whether an example needs none before it: it is one expression."""
    tree = parsed(source)
    return tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr)


def _doctest_told(example: doctest.Example, names: Collection[str]) -> Iterator[Told]:
    tree = parsed(example.source)
    want = literal_at(example.want.strip(), 0) if example.want.strip() else None
    for node in tree.body if tree else []:
        match node:
            case (
                ast.Expr(value=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]))
                | ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]))
            ):
                yield from _told(left, value_of(right), names)
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=[inner])):
                printed = [want.value] if want else []
                for value in (*printed, example.want.strip()):
                    yield from _told(inner, value, names)
            case ast.Expr(value=value) if want:
                yield from _told(value, want.value, names)


def _told(node: ast.expr, value: Any, names: Collection[str]) -> Iterator[Told]:
    """The call that an expression is, seen through what only converts it, with its value."""
    match node:
        case ast.Call(func=ast.Name(id="list" | "sorted" | "tuple" | "set" | "dict" | "str" | "repr"), args=[inner]):
            yield from _told(inner, value, names)
        case ast.Call(func=ast.Name(id=name)) if name in names and not _has_variables(node):
            arguments = tuple(map(value_of, node.args))
            keywords = tuple((one.arg, value_of(one.value)) for one in node.keywords if one.arg)
            yield Told(name, arguments, keywords, value)


def _has_variables(node: ast.Call) -> bool:
    given = [*node.args, *(one.value for one in node.keywords)]
    return any(isinstance(part, ast.Name | ast.Starred) for one in given for part in ast.walk(one))


def _doctest_test(example: doctest.Example) -> str:
    """Statements that hold where an example with an expression is true: by value, where its value is a literal."""
    want = example.want.strip()
    found = literal_at(want, 0) if want else None
    prints = example.source.lstrip().startswith("print(")
    if found and found.end == len(want) and not (prints or example.options or example.exc_msg):
        return f"assert ({example.source.strip()}) == {want}\n"
    return _as_doctest([example])


def _as_doctest(examples: Sequence[doctest.Example]) -> str:
    written = "".join(_as_written(one) for one in examples)
    return f"_check({written!r})\n"


def _as_written(example: doctest.Example) -> str:
    first, *more = example.source.rstrip("\n").split("\n")
    return f">>> {first}\n" + "".join(f"... {line}\n" for line in more) + example.want


def _said_on(line: str, names: Collection[str]) -> Iterator[tuple[Told, bool]]:
    """The calls whose values a line tells, with whether it says nothing else."""
    literals: list[Found] | None = None
    for start, end, call in calls_in(line, names):
        connected = _SAYS.match(line, end)
        value = literal_at(line, connected.end()) if connected and connected[0].strip(" `") else None
        if value and _ENDS.match(line, value.end):
            alone = _ALONE.fullmatch(line, 0, start) and _REST.fullmatch(line, value.end)
            yield from ((told, bool(alone)) for told in _told(call, value.value, names))
            continue
        literals = list(literals_in(line)) if literals is None else literals
        for before in literals:
            if start - _NEAR <= before.end <= start and _FOR.fullmatch(line, before.end, start):
                yield from ((told, False) for told in _told(call, before.value, names))


def calls_in(text: str, names: Collection[str]) -> Iterator[tuple[int, int, ast.Call]]:
    """The calls of some names that a text holds, with where they begin and end.

    Raises:
        Unreadable: there are more than any text needs.
    """
    if not names or "(" not in text:
        return
    found = 0
    for match in re.finditer(rf"(?<![\w.])(?:{'|'.join(map(re.escape, sorted(names)))})\(", text):
        end = closing(text, match.end() - 1)
        tree = parsed(text[match.start() : end]) if end else None
        if end and tree and isinstance(tree.body[0], ast.Expr) and isinstance(tree.body[0].value, ast.Call):
            found += 1
            if found > _MOST_CALLS:
                raise Unreadable(f"one text has more than {_MOST_CALLS} calls")
            yield match.start(), end, tree.body[0].value


def _written(call: Told) -> str:
    given = [_source(one) for one in call.arguments] + [f"{name}={_source(one)}" for name, one in call.keywords]
    return f"{call.name}({', '.join(given)})"


def _source(value: Any) -> str:
    return str(getattr(value, "text", repr(value)))


_CHECK = '''

def _check(text):
    """Fail where the examples of a docstring are not true."""
    found = {name: getattr(solution, name) for name in dir(solution)}
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    said = []
    test = doctest.DocTestParser().get_doctest(text, found, "example", None, None)
    doctest.DocTestRunner(verbose=False, optionflags=flags).run(test, out=said.append)
    assert not said, "".join(said)
'''
_IS = '''

def _is(found, told):
    """Whether a value is what a sentence tells: of an iterator its items, of an object its text."""
    if found == told or str(found) == told:
        return True
    return isinstance(told, list) and hasattr(found, "__iter__") and list(found) == told
'''


def examples_of(stub: str, names: Collection[str]) -> list[Example]:
    """The examples of a stub in order; raises as ``passages`` does."""
    return [example for passage in passages(stub, names) for example in passage.examples]


def examples_test(examples: Sequence[Example], names: Collection[str]) -> str:
    """A pytest file with a test for each example, ``test_example_1`` and so on; empty where there is none."""
    if not examples:
        return ""
    checks = any(one.test.startswith("_check(") for one in examples)
    sentences = any(one.test.startswith("assert _is(") for one in examples)
    head = "import doctest\n\nimport solution\n" if checks else ""
    head += f"from solution import {', '.join(sorted(names))}\n"
    head += (_CHECK if checks else "") + (_IS if sentences else "")
    tests = [f"\n\ndef test_example_{number}():\n    {one.test}" for number, one in enumerate(examples, 1)]
    return head + "".join(tests)


def without(stub: str, examples: Collection[Example]) -> str:
    """A stub without the lines of some examples; the quotes of a docstring stay.

    Args:
        examples: such that stand ``apart``.
    """
    gone = {line for example in examples for line in example.lines}
    lines = stub.split("\n")
    tree = parse(stub)
    kept: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            _keep_quotes(node, lines, gone, kept)
    written = [kept.get(number, line) for number, line in enumerate(lines, 1) if number not in gone or number in kept]
    return "\n".join(written)


def _keep_quotes(node: ast.Constant, lines: Sequence[str], gone: Collection[int], kept: dict[int, str]) -> None:
    first, last = node.lineno, node.end_lineno or node.lineno
    if first not in gone and last not in gone:
        return
    start = lines[first - 1].encode()[node.col_offset :].decode()
    opening = re.match(r"\w*(\"\"\"|'''|\"|')", start)
    if opening is None:
        return
    indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
    if first in gone:
        kept[first] = indent + opening[0]
    if last in gone and last != first:
        kept[last] = indent + opening[1]
    elif last in gone:
        kept[first] += opening[1]
