"""Other ways to write a solution: ones that do something else, for mutants, and ones that do the same, for attempts.

Sources are rewritten as syntax trees; nothing of them runs here.
"""

from __future__ import annotations

import ast
import builtins
import copy
import random
from collections.abc import Iterator, Sequence
from typing import Any

from tasks.syntax import parse

# Solutions that do something else

_OTHERS = (
    "Lt-LtE LtE-Lt Gt-GtE GtE-Gt Eq-NotEq NotEq-Eq In-NotIn NotIn-In And-Or Or-And "
    "Add-Sub Sub-Add Mult-Add Div-Mult FloorDiv-Mult Mod-FloorDiv Pow-Mult"
)
_OTHER = {getattr(ast, name): getattr(ast, other) for name, other in (pair.split("-") for pair in _OTHERS.split())}
_OTHER_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "len"}


def mutations(source: str) -> Iterator[str]:
    """The source with one small change each: to an operator, a constant, a condition, a call, a block."""
    tree = without_docstrings(parse(source))
    for node in list(ast.walk(tree)):
        for field, value in list(_changes(node)):
            before = getattr(node, field)
            setattr(node, field, value)
            yield ast.unparse(ast.fix_missing_locations(tree)) + "\n"
            setattr(node, field, before)


def _changes(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """Fields of a node, and what to put there."""
    match node:
        case ast.Compare(ops=[operator, *more]) if type(operator) in _OTHER:
            yield "ops", [_OTHER[type(operator)](), *more]
        case ast.BinOp(op=operator) | ast.BoolOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _OTHER:
            yield "op", _OTHER[type(operator)]()
        case ast.Constant(value=bool(value)):
            yield "value", not value
        case ast.Constant(value=int(value)):
            yield from (("value", value + 1), ("value", value - 1))
        case ast.Constant(value=str(value)):
            yield "value", value[:-1] or "x"
        case ast.Slice(lower=lower, upper=upper):
            yield from ((name, None) for name, bound in (("lower", lower), ("upper", upper)) if bound)
        case ast.comprehension(ifs=[_, *more]):
            yield "ifs", more
        case ast.Call(func=ast.Name(id=name)) if name in _OTHER_CALLS:
            yield "func", ast.Name(_OTHER_CALLS[name], ast.Load())
        case ast.If(test=test):
            yield from (("test", ast.UnaryOp(ast.Not(), test)), ("body", [ast.Pass()]))
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.Call):
            yield from ((field, inner) for inner in _within(value))
        elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], ast.Call):
            yield from ((field, [inner]) for inner in _within(value[0]))


def _within(call: ast.Call) -> Iterator[ast.expr]:
    """What a call is made on or with: what is left of it where it is forgotten."""
    if isinstance(call.func, ast.Attribute):
        yield call.func.value
    if len(call.args) == 1 and not isinstance(call.args[0], ast.Starred):
        yield call.args[0]


# Solutions that do the same

_NAMES = ("acc", "cur", "item", "val", "part", "seen", "left", "rest", "mark", "pos", "step", "out", "num", "unit")
_RESULTS = ("result", "answer", "found", "outcome", "final", "computed")
_HELPERS = ("_solve", "_compute", "_helper", "_impl", "_work", "_run")
_DOCSTRINGS = ("Solve the task.", "See the question.", "Return what the question asks for.", "")
_MIRRORED = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}


def variants(source: str, entry_point: str, rng: random.Random, count: int) -> list[str]:
    """So many ways to write a solution that do the same, no two with the same syntax tree."""
    found: dict[str, str] = {}
    while len(found) < count:
        text = rewritten(source, entry_point, rng)
        found.setdefault(ast.dump(without_docstrings(parse(text))), text)
    return list(found.values())


def rewritten(source: str, entry_point: str, rng: random.Random) -> str:
    """The source with locals renamed and statements in other words; what it does stays the same.

    Parameters keep their names, which belong to the signature that the question states.
    """
    tree = without_docstrings(parse(source))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    taken = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | _bound(tree)
    for function in functions:
        _rename(function, taken, rng)
        if rng.random() < 0.6:
            _nest(function)
        _Reworded(taken, rng).visit(function)
    entry = next(node for node in functions if node.name == entry_point)
    if rng.random() < 0.3:
        functions.append(_split(entry, _fresh(_HELPERS, taken, rng)))
    others = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
    tree.body = [*others, *rng.sample(functions, len(functions))]
    if text := rng.choice(_DOCSTRINGS):
        entry.body.insert(0, ast.Expr(ast.Constant(text)))
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The tree, changed in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def plain(source: str) -> str:
    """The source without comments and docstrings, a statement on each line."""
    return ast.unparse(without_docstrings(parse(source))) + "\n"


def _fresh(words: Sequence[str], taken: set[str], rng: random.Random) -> str:
    """A name that is not taken, and is from now on."""
    name = rng.choice([word for word in words if word not in taken] or [f"{words[0]}_{len(taken)}"])
    taken.add(name)
    return name


def _rename(function: ast.FunctionDef, taken: set[str], rng: random.Random) -> None:
    """Give most locals other names, the same in every scope within the function.

    A name that something other than an assignment or a loop binds anywhere in it is left alone.
    """
    kept = set(dir(builtins)) | _bound(function)
    stored = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names = {name: _fresh(_NAMES, taken, rng) for name in sorted(stored - kept) if rng.random() < 0.8}
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)


def _bound(tree: ast.AST) -> set[str]:
    """Names bound by parameters, definitions, imports, handlers and declarations."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ExceptHandler(name=str(name)):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name for alias in names}
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                found |= set(names)
    return found


def _nest(function: ast.FunctionDef) -> None:
    """What follows an ``if`` that returns goes into its ``else``, or the other way round."""
    body, leaves = function.body, (ast.Return, ast.Raise)
    for at, node in enumerate(body[:-1]):
        if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], leaves):
            node.orelse, body[at + 1 :] = body[at + 1 :], []
            return
    if isinstance(last := body[-1], ast.If) and isinstance(last.body[-1], leaves):
        last.orelse, body[len(body) :] = [], last.orelse


class _Reworded(ast.NodeTransformer):
    """Mirrors comparisons of names and constants, spells out ``x += 1``, names what is returned; each as a coin falls.

    With a constant number the long form does the same whatever ``x`` is: a list cannot be added to it either way.
    """

    def __init__(self, taken: set[str], rng: random.Random) -> None:
        self._rng = rng
        self._result = _fresh(_RESULTS, taken, rng) if rng.random() < 0.5 else ""

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        sides = [node.left, *node.comparators]
        simple = len(sides) == 2 and all(isinstance(side, ast.Name | ast.Constant) for side in sides)
        if simple and type(node.ops[0]) in _MIRRORED and self._rng.random() < 0.4:
            return ast.Compare(sides[1], [_MIRRORED[type(node.ops[0])]()], [sides[0]])
        return self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        match node:
            case ast.AugAssign(target=ast.Name(id=name), value=ast.Constant(value=int())) if self._rng.random() < 0.4:
                return ast.Assign([node.target], ast.BinOp(ast.Name(name, ast.Load()), node.op, node.value), lineno=0)
        return self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> ast.stmt | list[ast.stmt]:
        if not self._result or isinstance(node.value, ast.Name | ast.Constant | None):
            return node
        kept = ast.Assign([ast.Name(self._result, ast.Store())], node.value, lineno=0)
        return [kept, ast.Return(ast.Name(self._result, ast.Load()))]


def _split(entry: ast.FunctionDef, name: str) -> ast.FunctionDef:
    """Leave the entry point to call a helper that does its work; the helper."""
    helper = copy.deepcopy(entry)
    helper.name = name
    given: list[ast.expr] = [ast.Name(argument.arg, ast.Load()) for argument in entry.args.args]
    entry.body = [ast.Return(ast.Call(ast.Name(name, ast.Load()), given, []))]
    return helper


def renamed(source: str, name: str, to: str) -> str:
    """The source with one of its functions under another name."""
    tree = parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            node.name = to
        elif isinstance(node, ast.Name) and node.id == name:
            node.id = to
    return ast.unparse(tree)
