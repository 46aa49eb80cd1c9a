"""What may be changed in a Python solution to see whether its tests notice, and into what.

The operators are those of Mothra (King and Offutt 1991, Software: Practice and Experience 21(7)) with the names that
MutPy gives them in Python (Derezińska and Hałas 2014, AINA), and the deletion of statements (Deng, Offutt and Li 2013,
ICST). As in PIT, each operator is replaced by one or two others only, those that are hardest to tell from it: the rest
are mostly killed by the same tests, or equivalent. The replacement of calls is PIT's, too (naked receiver, argument
propagation).

======= ==========================================================================================
``AOR`` an arithmetic operator is replaced, in ``+=`` too
``ROR`` a relation is replaced
``LCR`` ``and`` and ``or`` are exchanged, or one operand is dropped
``COI`` a condition is negated
``UOD`` ``not``, ``-`` or ``~`` is dropped
``UOI`` one is added to or taken from an index, a bound of a slice or of a range
``CRP`` a constant is replaced: a number by its neighbours and 0, a string by a shorter and no text
``SDL`` a statement is deleted, or the condition of a comprehension
``MCR`` a call is replaced by its opposite, as in ``min`` and ``max``, or by what it is applied to
``RVR`` what is returned or yielded becomes None
``BCR`` ``break`` and ``continue`` are exchanged
======= ==========================================================================================
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.execution.mutation.places import Place, Scope, last_name, places


@dataclass(frozen=True, slots=True)
class Change:
    """What to put in a place: ``new`` shares the nodes that stay with the tree of the solution."""

    operator: str
    place: Place
    new: ast.AST


_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.FloorDiv,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}
_RELATIONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}
# What returns the kind of thing that it is given, so that leaving it out need not be an error.
_FUNCTIONS = {"sorted", "reversed", "set", "frozenset", "abs", "round", "floor", "ceil", "trunc"}
_METHODS = {
    *("strip", "lstrip", "rstrip", "lower", "upper", "casefold", "title", "capitalize", "swapcase", "replace", "zfill"),
    *("ljust", "rjust", "center", "removeprefix", "removesuffix", "union", "intersection", "difference"),
    *("dropna", "fillna", "sort_values", "sort_index", "reset_index", "drop_duplicates", "clip", "round", "abs"),
    *("combine_first", "mask", "where", "cumsum", "shift", "diff", "rank"),
}
_NONE = ast.Constant(None)
_ONE = ast.Constant(1)
_MOST_OPERANDS = 8


def changes(tree: ast.Module) -> list[Change]:
    """All changes, in the order of the source; their number is linear in its length."""
    counters, prints = _looked_over(tree)
    bound: dict[Scope, set[str]] = {}
    found = []
    for place in places(tree, prints):
        match place.node:
            case ast.arguments() as arguments:
                given = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
                bound.setdefault(place.scope, set()).update(argument.arg for argument in given)
                continue
            case ast.Name(id=name, ctx=ast.Store()):
                bound.setdefault(place.scope, set()).add(name)
        here = [*_of_node(place), *_of_statement(place, bound.get(place.scope, set())), *_of_use(place, counters)]
        found += [Change(operator, place, new) for operator, new in here]
    return found


def _looked_over(tree: ast.Module) -> tuple[set[str], bool]:
    """Names that run over integers, and whether what is printed matters: in programs, and where nothing is returned."""
    counters: set[str] = set()
    reads = returns = False
    for node in ast.walk(tree):
        match node:
            case ast.For(target=target, iter=source) | ast.comprehension(target=target, iter=source):
                match source, target:
                    case ast.Call(func=ast.Name(id="range")), ast.Name(id=name):
                        counters.add(name)
                    case ast.Call(func=ast.Name(id="enumerate")), ast.Tuple(elts=[ast.Name(id=name), _]):
                        counters.add(name)
            case ast.Name(id="input") | ast.Attribute(attr="stdin"):
                reads = True
            case ast.Return(value=ast.expr()) | ast.Yield():
                returns = True
    return counters, reads or not returns


def _of_node(place: Place) -> Iterator[tuple[str, ast.AST]]:
    """Changes of what an expression computes."""
    match place.node:
        case ast.BinOp(left=left, op=op, right=right):
            if operator := _other_arithmetic(left, op, right):
                yield "AOR", ast.BinOp(left, operator, right)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for number, relation in enumerate(ops):
                for other in _RELATIONS[type(relation)]:
                    yield "ROR", ast.Compare(left, [*ops[:number], other(), *ops[number + 1 :]], comparators)
        case ast.BoolOp(op=connector, values=values):
            yield "LCR", ast.BoolOp(ast.And() if isinstance(connector, ast.Or) else ast.Or(), values)
            for number in range(len(values) if len(values) <= _MOST_OPERANDS else 0):
                rest = [*values[:number], *values[number + 1 :]]
                yield "LCR", rest[0] if len(rest) == 1 else ast.BoolOp(connector, rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield "UOD", operand
        case ast.Call() as call:
            for instead in _other_calls(call):
                yield "MCR", instead
    for constant in _other_constants(place):
        yield "CRP", constant


def _other_calls(call: ast.Call) -> Iterator[ast.expr]:
    match call.func, call.args:
        case ast.Name(id=name), args if name in _OPPOSITES:
            yield ast.Call(ast.Name(_OPPOSITES[name]), args, call.keywords)
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="math"), attr=name), [first, *_]:
            if name in _FUNCTIONS and not isinstance(first, ast.Starred):
                yield first
        case ast.Attribute(value=receiver, attr=name), _ if name in _METHODS:
            yield receiver


def _other_arithmetic(left: ast.expr, op: ast.operator, right: ast.expr) -> ast.operator | None:
    if isinstance(op, ast.Add | ast.Mult | ast.Mod) and (_is_sequence(left) or _is_sequence(right)):
        return None  # any other operator is a TypeError
    if isinstance(op, ast.Add | ast.Sub) and isinstance(right, ast.Constant) and right.value == 0:
        return None
    instead = _ARITHMETIC.get(type(op))
    return instead() if instead else None


_SEQUENCES = {"str", "repr", "chr", "bytes", "list", "tuple", "sorted", "join", "format", "ljust", "rjust", "strip"}


def _is_sequence(node: ast.expr) -> bool:
    """Whether an expression certainly is a string, list or tuple."""
    while isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Add | ast.Mult) and _is_sequence(node.right):
            return True
        node = node.left
    match node:
        case ast.JoinedStr() | ast.List() | ast.Tuple() | ast.ListComp() | ast.Subscript(slice=ast.Slice()):
            return True
        case ast.Constant(value=str() | bytes()):
            return True
        case ast.Call(func=func):
            return last_name(func) in _SEQUENCES
    return False


def _other_constants(place: Place) -> Iterator[ast.expr]:
    match place.node:
        case ast.JoinedStr():
            yield ast.Constant("")
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as value)):
            yield from _other_numbers(place, -value)
        case ast.Constant(value=int() as value) if not _is_negated(place):
            yield from _other_numbers(place, value)
        case ast.Constant(value=float() as value) if value == 0 or 1e-3 < value < math.inf:  # smaller are tolerances
            yield ast.Constant(value + 1)
            if value:
                yield ast.Constant(0.0)
        case ast.Constant(value=str() | bytes() as value) if not _is_fixed_text(place):
            if not value:
                yield ast.Constant("X" if isinstance(value, str) else b"X")
                return
            yield ast.Constant(value[:0])
            if len(value) > 1:
                yield ast.Constant(value[:-1])


def _is_negated(place: Place) -> bool:
    return isinstance(place.parent, ast.UnaryOp) and isinstance(place.parent.op, ast.USub)


def _other_numbers(place: Place, value: int) -> Iterator[ast.expr]:
    """The neighbours of an integer, and 0.

    Not what is an error there for certain, as good as no statement, or to integers the same as another relation.
    """
    taken = {value}
    match place.parent, place.field:
        case ast.Compare(ops=ops), field:
            first = field == "left"
            match ops[0 if first else place.index or 0]:
                case ast.Lt() | ast.GtE():
                    taken.add(value - 1 if first else value + 1)
                case ast.LtE() | ast.Gt():
                    taken.add(value + 1 if first else value - 1)
        case ast.AugAssign(op=ast.Add() | ast.Sub()), "value":
            taken.add(0)
        case ast.AugAssign(op=ast.Mult()), "value":
            taken.add(1)
        case ast.BinOp(op=ast.Mod() | ast.Div() | ast.FloorDiv()), "right":
            taken.add(0)
        case ast.AugAssign(op=ast.Mod() | ast.Div() | ast.FloorDiv()), "value":
            taken |= {0, 1}
        case ast.Slice(), "step":
            taken.add(0)
    for number in (value + 1, value - 1, 0):
        if number not in taken:
            taken.add(number)
            yield ast.Constant(number) if number >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-number))


def _is_fixed_text(place: Place) -> bool:
    """Messages, the text between the braces of an f-string, and ``inf``."""
    parent = place.parent
    return (
        place.message
        or isinstance(parent, ast.JoinedStr)
        or (isinstance(parent, ast.Call) and last_name(parent.func) == "float")
    )


def _of_use(place: Place, counters: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """Changes of an expression for what it is used as: a result, a condition, an index, a bound."""
    node, parent, field = place.node, place.parent, place.field
    if not isinstance(node, ast.expr):
        return
    constant = isinstance(node, ast.Constant)
    match parent:
        case ast.Return() | ast.Yield():
            if not (constant and node.value is None):  # type: ignore[attr-defined]
                yield "RVR", _NONE
        case ast.If() | ast.While() | ast.IfExp() | ast.match_case() | ast.comprehension():
            if field in ("test", "guard", "ifs") and not constant:
                one_relation = isinstance(node, ast.Compare) and len(node.ops) == 1
                if not one_relation and not (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
                    yield "COI", ast.UnaryOp(ast.Not(), node)
                if field == "ifs":
                    yield "SDL", ast.Constant(True)
        case ast.Slice() if field != "step":
            yield from _off_by_one(node)
        case ast.Subscript() if field == "slice" and isinstance(node, ast.Name) and node.id in counters:
            yield from _off_by_one(node)
        case ast.Call(func=ast.Name(id="range")) if field == "args" and place.index in (0, 1):
            yield from _off_by_one(node)


def _off_by_one(node: ast.expr) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Constant() | ast.UnaryOp() | ast.BinOp(right=ast.Constant()) | ast.BinOp(left=ast.Constant()):
            return  # CRP does it
        case ast.Starred():
            return
    yield "UOI", ast.BinOp(node, ast.Add(), _ONE)
    yield "UOI", ast.BinOp(node, ast.Sub(), _ONE)


def _of_statement(place: Place, bound: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """Changes of a statement; ``bound`` are the names that its scope has given values to before it."""
    node = place.node
    match node:
        case ast.AugAssign(target=target, op=op, value=value):
            if other := _other_arithmetic(target, op, value):
                yield "AOR", ast.AugAssign(target, other, value)
            yield "SDL", ast.Pass()
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            if all(_can_do_without(target, place.scope, bound) for target in targets):
                yield "SDL", ast.Pass()
        case ast.AnnAssign(target=target, value=ast.expr()):
            if _can_do_without(target, place.scope, bound):
                yield "SDL", ast.Pass()
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield "SDL", ast.Pass()
        case ast.Raise(exc=raised):
            if raised is None or last_name(raised) != "NotImplementedError":
                yield "SDL", ast.Pass()
        case ast.Break():
            yield "BCR", ast.Continue()
        case ast.Continue():
            yield "BCR", ast.Break()


def _can_do_without(target: ast.expr, scope: Scope, bound: set[str]) -> bool:
    """Whether deleting an assignment leaves a value to go on with.

    Without the first value of a name or an attribute every use of it is an error, which says no more of the tests than
    their coverage does; without what a memo holds, the solution is only slower.
    """
    match target:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return all(_can_do_without(part, scope, bound) for part in parts)
        case ast.Starred(value=value):
            return _can_do_without(value, scope, bound)
        case ast.Name(id=name, ctx=ast.Store()):
            return name in bound
        case ast.Attribute():
            return getattr(scope, "name", "") not in ("__init__", "__new__", "__post_init__")
        case ast.Subscript(value=value):
            return re.search("memo|cache", last_name(value).lower()) is None
    return False
