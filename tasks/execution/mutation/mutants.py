"""Mutants of a Python solution: small changes that tests of what it does should notice.

The idea is DeMillo, Lipton and Sayward's (1978, Computer 11(4)). Nothing here runs any code of a solution.
"""

from __future__ import annotations

import ast
import random
import threading
import warnings
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import CodeType

from tasks.execution.mutation.operators import Change, changes
from tasks.models import Mutant
from tasks.spans import Spans
from tasks.syntax import parsed

_LONGEST = 200
_TRIES = 4  # times as many as are wanted: hardly more than one mutant in twenty is a duplicate
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Made:
    """A mutant, and the whole module with it; all other lines stay as they are."""

    mutant: Mutant
    source: str


def mutants(solution: str, most: int, seed: int) -> tuple[int, list[Made]]:
    """How many mutants there are, and a sample of them in order of their place.

    The sample takes turns over the operators, and takes each operator's places evenly from the whole solution. Mutants
    that compile to the same bytecode as the solution or as one another are left out (trivial compiler equivalence,
    Papadakis et al. 2015, ICSE); so are those that do not compile. A solution that does not parse has none.

    Args:
        most: the size of the sample, at most; only so many mutants are built, however large the solution is.
        seed: the same seed makes the same sample.

    Returns:
        The number of distinct mutants, exact where all of them were built and else an upper bound; the sample.
    """
    tree = parsed(solution)
    if tree is None:
        return 0, []
    found = changes(tree)
    source = _Source(solution, tree)
    made: list[tuple[tuple[int, int], Made]] = []
    refused = 0
    for change in islice(_spread(found, seed), _TRIES * most):
        if len(made) == most:
            break
        one = source.changed(change)
        if one is None:
            refused += 1
        else:
            made.append((change.place.position, one))
    made.sort(key=lambda item: item[0])
    return len(found) - refused, [item for _, item in made]


def _spread(found: Sequence[Change], seed: int) -> Iterator[Change]:
    """All changes: operators take turns, and each goes through its places evenly, every line once before any twice.

    The numbers whose multiple of the golden ratio has the smallest fraction are evenly spaced, however many are taken.
    """
    rng = random.Random(f"{seed}")  # noqa: S311 - no secret
    groups: dict[str, list[Change]] = {}
    for change in found:
        groups.setdefault(change.operator, []).append(change)
    turns: list[tuple[int, float, Change]] = []
    for group in groups.values():
        shift, order = rng.random(), rng.random()
        on_line: Counter[int] = Counter()
        in_round: Counter[int] = Counter()
        keyed = []
        for number, change in enumerate(group):
            line = change.place.position[0]
            keyed.append((on_line[line], (in_round[on_line[line]] * _GOLDEN + shift) % 1, number))
            in_round[on_line[line]] += 1
            on_line[line] += 1
        turns += [(turn, order, group[number]) for turn, (_, _, number) in enumerate(sorted(keyed))]
    turns.sort(key=lambda item: item[:2])
    return (change for _, _, change in turns)


class _Source:
    """A source in which one piece of text at a time is replaced."""

    def __init__(self, source: str, tree: ast.Module) -> None:
        self._spans = Spans(source)
        self._text = self._spans.data
        self._parts = self._cut(tree)
        self._seen: dict[int, set[object]] = {}

    def _cut(self, tree: ast.Module) -> list[int]:
        """First lines of the top-level statements: what one of them compiles to does not depend on the others."""
        parts, end = [], 0
        for node in tree.body:
            first = bisect_right(self._spans.lines, self._spans.of(node)[0])
            if first > end:
                parts.append(first)
            end = node.end_lineno or first
        return parts

    def changed(self, change: Change) -> Made | None:
        """The mutant; None where it is as good as the solution or an earlier one, or no Python."""
        whole = change.place.whole
        start, end = self._spans.of(whole)
        try:
            text = _written(change, *self._around(start, end))
            put = text.encode()
        except (ValueError, RecursionError):  # an f-string that Python cannot write, a number of too many digits
            return None
        line, _ = change.place.position
        part = bisect_right(self._parts, line) - 1
        first, last = self._part(part)
        if part not in self._seen:
            self._seen[part] = {_signature(self._text[first:last])}
        signature = _signature(self._text[first:start] + put + self._text[end:last])
        if signature is None or signature in self._seen[part]:
            return None
        self._seen[part].add(signature)
        left, right = self._spans.lines[line - 1], self._spans.lines[line] - 1
        if end <= right and "\n" not in text and right - left + len(put) <= _LONGEST:
            before = self._text[left:right].decode().strip()
            after = (self._text[left:start] + put + self._text[end:right]).decode().strip()
        else:
            before, after = _shortened(_in_one_line(whole, self._text[start:end].decode()), text.strip())
        source = (self._text[:start] + put + self._text[end:]).decode()
        return Made(Mutant(line=line, operator=change.operator, before=before, after=after), source)

    def _around(self, start: int, end: int) -> tuple[str, str]:
        """The characters, or a byte of them, before and after a piece."""
        return self._text[start - 1 : start].decode("latin-1"), self._text[end : end + 1].decode("latin-1")

    def _part(self, number: int) -> tuple[int, int]:
        lines = self._spans.lines
        following = self._parts[number + 1] if number + 1 < len(self._parts) else len(lines)
        return lines[self._parts[number] - 1], lines[following - 1]


def _written(change: Change, ahead: str, behind: str) -> str:
    """The text to put in place of ``whole``, apart from the characters around it that would change what it means."""
    place = change.place
    if place.whole is place.node:
        text = ast.unparse(change.new)
        if ahead + behind != "()" and _tightness(change.new) <= _grip(place.parent, place.field):
            text = f"({text})"
        return f"{' ' if _join(ahead, text[:1]) else ''}{text}{' ' if _join(text[-1:], behind) else ''}"
    held = getattr(place.parent, place.field)
    try:
        if place.index is None:
            setattr(place.parent, place.field, change.new)
        else:
            held[place.index] = change.new
        return ast.unparse(place.whole)
    finally:
        if place.index is None:
            setattr(place.parent, place.field, held)
        else:
            held[place.index] = place.node


def _join(left: str, right: str) -> bool:
    """Whether two characters would be read as one word, as in ``return-x`` without the minus."""
    return f"{left}_{right}".isidentifier() and left != "" and right != ""


_ATOM = 9


def _tightness(node: ast.AST) -> int:
    """How tightly an expression holds together."""
    match node:
        case ast.Lambda() | ast.IfExp() | ast.NamedExpr() | ast.Yield() | ast.YieldFrom():
            return 0
        case ast.BoolOp(op=connector):
            return 1 if isinstance(connector, ast.Or) else 2
        case ast.UnaryOp(op=ast.Not()):
            return 3
        case ast.Compare():
            return 4
        case ast.BinOp(op=op):
            return 7 if isinstance(op, ast.Pow) else 5
        case ast.UnaryOp():
            return 6
    return _ATOM


def _grip(parent: ast.AST, field: str) -> int:
    """How tightly an expression must hold together to need no parentheses there: more than this."""
    match parent:
        case ast.Attribute() | ast.Await() | ast.Starred() | ast.Dict():
            return _ATOM - 1
        case ast.Call() | ast.Subscript():
            return _ATOM - 1 if field in ("func", "value") else -1
        case ast.comprehension():
            return 0
    return _tightness(parent) if _tightness(parent) < _ATOM else -1


_quiet = threading.Lock()


def _signature(source: bytes) -> object:
    """What a source compiles to but for its lines; None where it does not compile."""
    # Python's filters of warnings are one for all threads. CPython keeps its own lock while it compiles.
    with _quiet, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            code = compile(source.decode(), "<mutant>", "exec", dont_inherit=True, optimize=0)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return _behaviour(code)


def _behaviour(code: CodeType) -> object:
    constants = tuple(_behaviour(one) if isinstance(one, CodeType) else repr(one) for one in code.co_consts)
    names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    arguments = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return code.co_code, code.co_exceptiontable, constants, names, arguments


def _in_one_line(node: ast.AST, source: str) -> str:
    try:
        return ast.unparse(node)
    except (ValueError, RecursionError):
        return " ".join(source.split())


def _shortened(before: str, after: str) -> tuple[str, str]:
    """Both texts, or of long ones what is around their first difference."""
    if max(len(before), len(after)) <= _LONGEST:
        return before, after
    same = next((n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), None)
    start = max(0, (min(len(before), len(after)) if same is None else same) - _LONGEST // 4)
    return before[start : start + _LONGEST], after[start : start + _LONGEST]
