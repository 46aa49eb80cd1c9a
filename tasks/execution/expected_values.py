"""The literals that tests expect a solution's functions to return, read off their source."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.syntax import parsed

_LONGEST = 500
"""Characters of a literal that is worth returning from a stub."""
_DEEPEST = 5
_MOST_ROWS = 100
"""Rows of a table that count for an assert in a loop over it."""
_CONVERSIONS = {"list", "sorted", "tuple", "set", "bool", "int", "float", "str", "dict"}
_BLOCKS = (ast.For, ast.AsyncFor, ast.While, ast.If, ast.With, ast.AsyncWith, ast.Try)


@dataclass(frozen=True)
class AssertedCall:
    """A call that tests compare with a literal.

    Attributes:
        bound: it is called as an attribute, as a method is.
        arguments, keywords: of each argument the expressions that it may stand for, more than one where a row of a
            table cannot be told.
        value: source of the literal.
    """

    name: str
    bound: bool
    arguments: tuple[tuple[ast.expr, ...], ...]
    keywords: tuple[tuple[str, tuple[ast.expr, ...]], ...]
    value: str


def asserted_calls(test: str) -> list[AssertedCall]:
    """The calls that tests compare with literals, in order; those of ``expected_values`` with what they are given.

    Calls with starred arguments are left out.
    """
    tree = parsed(test)
    return _Reader(tree).calls if tree else []


def expected_values(test: str) -> dict[str, Counter[str]]:
    """Source of each literal that a function is compared with, by the function's name, with its number of times.

    ``assert f(x)`` expects True. Names are followed to what they stand for: a variable, a row of ``parametrize``, of a
    loop. Methods and properties go by their own names, whatever their class.
    """
    tree = parsed(test)
    return _Reader(tree).found if tree else {}


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self.found: dict[str, Counter[str]] = {}
        self.calls: list[AssertedCall] = []
        self._aliases: dict[str, str] = {}
        self._values: dict[str, list[ast.expr]] = {}
        for node in tree.body:
            match node:
                case ast.ImportFrom(names=names):
                    self._aliases.update({alias.asname: alias.name for alias in names if alias.asname})
        self._read([node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)])
        constants = self._values
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                self._values = dict(constants)
                for decorator in function.decorator_list:
                    self._parametrize(decorator)
                self._read(function.body)

    def _read(self, body: Sequence[ast.stmt]) -> None:
        """Statements in order, those of blocks too, but not of functions and classes within."""
        stack = [*reversed(body)]
        while stack:
            node = stack.pop()
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._values[name] = [value]
                case ast.For(target=target, iter=rows):
                    self._bind(_names(target), rows)
                case ast.Assert(test=claim):
                    self._claim(claim, True)
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name), args=args)):
                    self._method(name, args)
            if isinstance(node, _BLOCKS):
                for field in ("finalbody", "orelse", "body"):
                    stack += reversed(getattr(node, field, []))

    def _parametrize(self, decorator: ast.expr) -> None:
        match decorator:
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[ast.Constant(value=str() as names), rows, *_]):
                self._bind([name.strip() for name in names.split(",")], rows)
            case ast.Call(func=ast.Attribute(attr="parametrize"), args=[ast.Tuple() | ast.List() as names, rows, *_]):
                self._bind([str(name.value) for name in names.elts if isinstance(name, ast.Constant)], rows)

    def _bind(self, names: Sequence[str], rows: ast.expr) -> None:
        """Let names run over the rows of a table."""
        found: dict[str, list[ast.expr]] = {name: [] for name in names}
        for table in self._followed(rows):
            for row in table.elts if isinstance(table, ast.List | ast.Tuple) else []:
                match row:
                    case ast.Call(func=ast.Attribute(attr="param"), args=cells):
                        pass
                    case ast.Tuple(elts=cells) | ast.List(elts=cells) if len(names) > 1:
                        pass
                    case _:
                        cells = [row]
                if len(cells) == len(names):
                    for name, cell in zip(names, cells, strict=True):
                        found[name].append(cell)
        self._values.update(found)

    def _claim(self, claim: ast.expr, truth: bool) -> None:
        match claim:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self._claim(operand, not truth)
            case ast.BoolOp(op=ast.And(), values=values) if truth:
                for value in values:
                    self._claim(value, truth)
            case ast.Call(func=ast.Name(id="all" | "any"), args=[ast.GeneratorExp() | ast.ListComp() as each]):
                for loop in each.generators:
                    self._bind(_names(loop.target), loop.iter)
                self._claim(each.elt, truth)
            case (
                ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right])
                | ast.Call(func=ast.Name(id="isclose") | ast.Attribute(attr="isclose"), args=[left, right])
            ):
                if truth:
                    self._equal(left, right)
            case ast.Compare():
                pass
            case _:
                self._expect(claim, str(truth))

    def _method(self, name: str, args: Sequence[ast.expr]) -> None:
        """An assertion of unittest."""
        match name, args:
            case (("assertTrue" | "assertFalse"), [claim, *_]):
                self._claim(claim, name == "assertTrue")
            case "assertIsNone", [call, *_]:
                self._expect(call, "None")
            case _, [left, right, *_]:
                if name == "assertIs" or (name.endswith("Equal") and "Not" not in name):
                    self._equal(left, right)

    def _equal(self, left: ast.expr, right: ast.expr) -> None:
        for call, value in ((left, right), (right, left)):
            rows = self._followed(_exact(value))[:_MOST_ROWS]
            for number, row in enumerate(rows):
                if literal := _literal(row):
                    self._expect(call, literal, (number, len(rows)))

    def _expect(self, call: ast.expr, literal: str, row: tuple[int, int] = (0, 1)) -> None:
        """Args:
        row: which row of how many the literal is from.
        """
        found = self._called(call)
        match found:
            case ast.Call(func=ast.Name(id=name)):
                name = self._aliases.get(name, name)
            case ast.Call(func=ast.Attribute(attr=name)) | ast.Attribute(attr=name):
                pass
            case _:
                return
        if len(literal) <= _LONGEST:
            self.found.setdefault(name, Counter())[literal] += 1
        if isinstance(found, ast.Call) and not any(isinstance(one, ast.Starred) for one in found.args):
            arguments = tuple(self._stands_for(one, row) for one in found.args)
            keywords = tuple((one.arg, self._stands_for(one.value, row)) for one in found.keywords if one.arg)
            if len(keywords) == len(found.keywords):
                bound = isinstance(found.func, ast.Attribute)
                self.calls.append(AssertedCall(name, bound, arguments, keywords, literal))

    def _stands_for(self, node: ast.expr, row: tuple[int, int]) -> tuple[ast.expr, ...]:
        found = self._followed(node)[:_MOST_ROWS]
        number, of = row
        return (found[number],) if of > 1 and len(found) == of else tuple(found) or (node,)

    def _called(self, node: ast.expr) -> ast.Call | ast.Attribute | None:
        """The call, or the property, whose value an expression is; None where there is none."""
        for _ in range(_DEEPEST):
            match node:
                case ast.Call(func=ast.Name(id=name), args=[inner, *_]) if name in _CONVERSIONS:
                    node = inner
                case ast.Await(value=inner):
                    node = inner
                case ast.Call(func=ast.Name() | ast.Attribute()) | ast.Attribute():
                    return node
                case ast.Name(id=name) if len(self._values.get(name, [])) == 1:
                    node = self._values[name][0]
                case _:
                    return None
        return None

    def _followed(self, node: ast.expr) -> list[ast.expr]:
        return self._values.get(node.id, []) if isinstance(node, ast.Name) else [node]


def _exact(node: ast.expr) -> ast.expr:
    """What a value is to be equal to, about or exactly."""
    match node:
        case ast.Call(func=ast.Name(id="approx") | ast.Attribute(attr="approx"), args=[value, *_]):
            return value
    return node


def _literal(node: ast.expr) -> str:
    """Source of the literal that an expression is, ``approx`` taken off; empty where it is none."""
    value = _exact(node)
    try:
        ast.literal_eval(value)
        return ast.unparse(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return ""


def _names(target: ast.expr) -> list[str]:
    parts = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    return [part.id if isinstance(part, ast.Name) else "" for part in parts]
