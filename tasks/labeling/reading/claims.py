"""What a test claims, and whether every solution would meet it, as far as its form tells."""

from __future__ import annotations

import ast
import builtins
import operator
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from tasks.labeling.reading.dataflow import Function, bound_names

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Is: ast.IsNot, ast.Eq: ast.NotEq, ast.In: ast.NotIn}


def called(call: ast.Call) -> str:
    """The last part of the name of what is called; empty for what has no name."""
    return str(getattr(call.func, "attr", getattr(call.func, "id", "")))


def truth(node: ast.expr) -> bool | None:
    """Whether an expression of literals counts as true; None for any other."""
    try:
        return bool(_value(node))
    except (ValueError, TypeError, KeyError):
        return None


def _value(node: ast.expr) -> Any:
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand)
        case ast.BoolOp(op=op, values=values):
            return (all if isinstance(op, ast.And) else any)([_value(value) for value in values])
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            pairs = pairwise([_value(operand) for operand in (left, *comparators)])
            return all(_COMPARISONS[type(op)](*pair) for op, pair in zip(ops, pairs, strict=True))
    return ast.literal_eval(node)


def claim(call: ast.Call) -> ast.expr | None:
    """What a call such as ``self.assertEqual(a, b)`` or ``numpy.testing.assert_equal(a, b)`` claims, as an expression.

    None for calls whose claim takes more than an expression to say.
    """
    name, args = called(call), call.args
    if any(isinstance(argument, ast.Starred) for argument in args):
        return None
    match name, args:
        case "assertTrue" | "assert_", [given, *_]:
            return given
        case "assertFalse", [given, *_]:
            return ast.UnaryOp(op=ast.Not(), operand=given)
        case "assertIsNotNone", [given, *_]:
            return _compare(given, ast.IsNot(), ast.Constant(None))
        case "assertIsInstance", [given, kind, *_]:
            return ast.Call(func=ast.Name("isinstance", ast.Load()), args=[given, kind], keywords=[])
        case "assertIs", [left, right, *_]:
            return _compare(left, ast.Is(), right)
        case "assertGreaterEqual", [left, right, *_]:
            return _compare(left, ast.GtE(), right)
        case "assertLessEqual", [left, right, *_]:
            return _compare(left, ast.LtE(), right)
        case _, [left, right, *_] if re.fullmatch(r"assert(?!Not|Greater|Less|_not)\w*([Ee]quals?|close)", name):
            return _compare(left, ast.Eq(), right)
    return None


def _compare(left: ast.expr, op: ast.cmpop, right: ast.expr) -> ast.Compare:
    return ast.Compare(left=left, ops=[op], comparators=[right])


class Claims:
    """Judges claims about one solution."""

    def __init__(self, test: ast.Module, solution: ast.Module) -> None:
        """Read what the test file imports from the solution, and what the solution defines."""
        self._modules: set[str] = set()
        self._imported: dict[str, str] = {}
        for node in ast.walk(test):
            if isinstance(node, ast.ImportFrom) and node.module == "solution" and not node.level:
                self._imported |= {alias.asname or alias.name: alias.name for alias in node.names}
            elif isinstance(node, ast.Import):
                self._modules |= {alias.asname or alias.name for alias in node.names if alias.name == "solution"}
        for name in bound_names(ast.walk(test)):
            self._imported.pop(name, None)
        inner = list(ast.walk(solution))
        self._functions = {node.name for node in solution.body if isinstance(node, Function)}
        self._classes = {node.name for node in inner if isinstance(node, ast.ClassDef)}
        methods = {node.name for node in inner if isinstance(node, Function)}
        self._compares = bool(methods & {"__eq__", "__le__", "__lt__", "__ge__", "__gt__"})

    def why_true(self, node: ast.expr, depends: Callable[[ast.AST], bool]) -> str | None:
        """Why any solution meets a claim that one has met, in words; None if another may fail it.

        ``depends`` tells whether an expression may have to do with the solution.
        """
        if truth(node) is False:
            return None  # marks what must not be reached
        return self._by_form(node, depends) or (None if depends(node) else "it does not depend on the solution")

    def _by_form(self, node: ast.expr, depends: Callable[[ast.AST], bool]) -> str | None:
        if truth(node):
            return "it states a constant"
        match node:
            case ast.Tuple(elts=[_, *_]) | ast.List(elts=[_, *_]) | ast.GeneratorExp() | ast.Lambda():
                return "it is a container or function, which counts as true whatever is in it"
            case ast.BoolOp(op=ast.Or(), values=values):
                opposites = {opposite for value in values if (opposite := _opposite(value))}
                if opposites & set(map(ast.dump, values)) or any(self._by_form(value, depends) for value in values):
                    return "one side of its `or` is always true"
            case ast.BoolOp(op=ast.And(), values=values):
                reasons = [self._by_form(value, depends) for value in values]
                return reasons[0] if all(reasons) else None
            case ast.Call(func=ast.Name("isinstance" | "issubclass"), args=[_, ast.Name("object")]):
                return "everything is an object"
            case (
                ast.Compare(left=ast.Call(func=ast.Name("len")), ops=[ast.GtE()], comparators=[ast.Constant(0)])
                | ast.Compare(left=ast.Constant(0), ops=[ast.LtE()], comparators=[ast.Call(func=ast.Name("len"))])
            ):
                return "a length is never negative"
            case ast.Compare(left=left, ops=[op], comparators=[right]) if ast.dump(left) == ast.dump(right):
                return self._with_itself(left, op, depends)
        return "it only asks whether the solution has something of that name" if self._exists(node) else None

    def _with_itself(self, node: ast.expr, op: ast.cmpop, depends: Callable[[ast.AST], bool]) -> str | None:
        """Why comparing an expression with itself tells nothing, if so.

        It may tell something where the solution has classes: equality can be theirs, and attributes be computed.
        """
        inner = list(ast.walk(node))
        if not isinstance(op, ast.Eq | ast.LtE | ast.GtE | ast.Is) or any(
            isinstance(part, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr) for part in inner
        ):
            return None
        calls = [part.func for part in inner if isinstance(part, ast.Call)]
        if calls:
            plain = not isinstance(op, ast.Is) and not self._classes and all(map(self._repeats, calls))
            return "it compares a call with itself" if plain else None
        own = self._compares or (self._classes and not isinstance(node, ast.Name))
        if own and not isinstance(op, ast.Is) and depends(node):
            return None
        return "it compares something with itself"

    def _repeats(self, function: ast.expr) -> bool:
        """Whether calling something twice is known not to go on where the first call ended, as ``next`` does."""
        if isinstance(function, ast.Name) and function.id not in self._imported:
            return function.id != "next" and hasattr(builtins, function.id)
        return self._defined(function) in self._functions

    def _defined(self, node: ast.expr) -> str | None:
        """The function or class of the solution that an expression names."""
        found = None
        match node:
            case ast.Name(id=name):
                found = self._imported.get(name)
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in self._modules:
                found = name
        return found if found in self._functions | self._classes else None

    def _exists(self, node: ast.expr) -> bool:
        match node:
            case ast.Call(func=ast.Name("hasattr"), args=[ast.Name(id=name) as thing, _]):
                return name in self._modules or self._defined(thing) in self._classes
            case ast.Call(func=ast.Name("callable") | ast.Attribute(attr="isfunction" | "isclass"), args=[thing]):
                return self._defined(thing) is not None
            case ast.Compare(left=thing, ops=[ast.IsNot()], comparators=[ast.Constant(None)]):
                return self._defined(thing) is not None
        return self._defined(node) is not None


def _opposite(node: ast.expr) -> str | None:
    """The dump of what is true where an expression is false, if that is easily said."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ast.dump(operand)
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPPOSITES:
            return ast.dump(_compare(left, _OPPOSITES[type(op)](), right))
    return None
