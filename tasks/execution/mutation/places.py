"""The places of a Python solution whose change its tests should notice.

Left alone are declarations and what is only for readers or for tools: imports, annotations, decorators, docstrings,
messages of errors, reports to a log; and what tests do not run: ``if __name__ == "__main__"``.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Scope = ast.Module | ast.ClassDef | ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Place:
    """A node with the field of its parent that holds it.

    ``whole`` is the text to replace: the node, or the outermost f-string around it, within which positions are not to
    be had before Python 3.12. In a ``message`` strings are left alone.
    """

    node: ast.AST
    parent: ast.AST
    field: str
    index: int | None
    scope: Scope
    whole: ast.AST
    message: bool = False

    @property
    def position(self) -> tuple[int, int]:
        line: int = self.whole.lineno  # type: ignore[attr-defined]
        column: int = self.whole.col_offset  # type: ignore[attr-defined]
        return line, column


_NO_SITES = (ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context)


def places(tree: ast.Module, prints: bool) -> Iterator[Place]:
    """Every place that may be changed, in the order of the source.

    Args:
        prints: whether what is printed is what the solution is for.
    """
    # No recursion: a tree may be deeper than Python's stack.
    stack = [Place(tree, tree, "", None, tree, tree)]
    while stack:
        place = stack.pop()
        if _is_exempt(place, prints):
            continue
        if place.node is not tree:
            yield place
        stack.extend(reversed(list(_within(place))))


def _within(place: Place) -> Iterator[Place]:
    node = place.node
    scope = node if isinstance(node, Scope) else place.scope
    message = place.message or isinstance(node, ast.Raise) or (isinstance(node, ast.ClassDef) and _is_error(node))
    in_string = isinstance(node, ast.JoinedStr) or isinstance(place.whole, ast.JoinedStr)
    for field in _fields(node):
        value = getattr(node, field)
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not isinstance(child, _NO_SITES):
                yield Place(child, node, field, index, scope, place.whole if in_string else child, message)


def _fields(node: ast.AST) -> Sequence[str]:
    """The fields with what a node does, not with what it is called or declared to be."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            return ("args", "body")
        case ast.arguments():
            return ("defaults", "kw_defaults")
        case ast.ClassDef() | ast.ExceptHandler():
            return ("body",)
        case ast.AnnAssign():
            return ("target", "value")
        case ast.Assert():
            return ("test",)
        case ast.FormattedValue():
            return ("value",)
        case ast.Raise():
            return ("exc",)
        case ast.If(test=test) if _is_for_others(test):
            return ("orelse",)
        case ast.Call(func=ast.Name(id="cast") | ast.Attribute(attr="cast"), args=[_, _]):
            return ()
    return node._fields


def _is_error(node: ast.ClassDef) -> bool:
    return any(last_name(base).endswith(("Error", "Exception", "Warning")) for base in node.bases)


_DECLARED = {"overload", "abstractmethod"}
_DECLARING = {"Protocol", "TypedDict"}
_TYPING = {"TypeVar", "ParamSpec", "TypeVarTuple", "NewType", "NamedTuple", "namedtuple", *_DECLARING}
_FIXED = {"__slots__", "__all__", "__match_args__", "__version__", "__author__"}
_TEXT_OPTIONS = {"encoding", "errors", "newline", "help", "description", "doc"}
_LOGGING = {"debug", "info", "warning", "warn", "error", "exception", "critical", "log"}


def _is_exempt(place: Place, prints: bool) -> bool:
    """Whether a node with all that is in it stays: no test of behaviour could tell, or none should have to."""
    match place.node:
        case ast.Import() | ast.ImportFrom() | ast.Global() | ast.Nonlocal() | ast.Expr(value=ast.Constant()):
            return True
        case ast.FunctionDef() | ast.AsyncFunctionDef() as function:
            return any(last_name(decorator) in _DECLARED for decorator in function.decorator_list)
        case ast.ClassDef(bases=bases):
            return any(last_name(base) in _DECLARING for base in bases)
        case ast.Assign(value=ast.Constant(value=int())) if _is_enum(place.scope):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AugAssign(target=ast.Name(id=name)):
            return name in _FIXED
        case ast.Expr(value=ast.Call(func=func)):
            name = last_name(func)
            return _is_talk(func, prints) or name == "setrecursionlimit" or (place.message and name == "__init__")
        case ast.Call(func=func):
            return last_name(func) in _TYPING
        case ast.Subscript(value=value):
            return _is_type(value)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _is_type(left) and _is_type(right)
        case ast.JoinedStr():
            return place.message
        case ast.keyword(arg=name):
            return name in _TEXT_OPTIONS
    return type(place.node).__name__ == "TypeAlias"


def last_name(node: ast.AST) -> str:
    """The last name of what is called, subscripted or named; empty where there is none."""
    while True:
        match node:
            case ast.Call(func=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return name
            case _:
                return ""


def _is_enum(scope: Scope) -> bool:
    """Whether members stand there whose values are arbitrary."""
    return isinstance(scope, ast.ClassDef) and any(last_name(base) in ("Enum", "Flag") for base in scope.bases)


def _is_for_others(test: ast.expr) -> bool:
    """``__name__ == "__main__"`` and ``TYPE_CHECKING``: tests do not come there."""
    match test:
        case ast.Compare(left=ast.Name(id="__name__")) | ast.Compare(comparators=[ast.Name(id="__name__")]):
            return True
    return last_name(test) == "TYPE_CHECKING"


def _is_talk(func: ast.expr, prints: bool) -> bool:
    """Whether a call reports to a human."""
    match func:
        case ast.Name(id="print" | "pprint") | ast.Attribute(value=ast.Attribute(attr="stdout")):
            return not prints
        case ast.Name(id="warn") | ast.Attribute(value=ast.Attribute(attr="stderr")):
            return True
        case ast.Attribute(value=owner, attr=attribute):
            return attribute in _LOGGING and re.search("log|warn", last_name(owner).lower()) is not None
    return False


_BUILTIN_TYPES = {name for name, value in vars(builtins).items() if isinstance(value, type)}


def _is_type(node: ast.expr) -> bool:
    """Whether an expression reads like a type; a name in capitals is a constant."""
    members = [node]
    while members:
        match members.pop():
            case ast.BinOp(op=ast.BitOr(), left=left, right=right):
                members += [left, right]
            case ast.Constant(value=None):
                pass
            case ast.Name() | ast.Attribute() | ast.Subscript() as named:
                name = last_name(named)
                if name not in _BUILTIN_TYPES and not (name[:1].isupper() and (len(name) == 1 or not name.isupper())):
                    return False
            case _:
                return False
    return True
