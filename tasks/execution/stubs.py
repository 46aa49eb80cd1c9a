"""Negative controls: solutions whose functions do next to nothing. Tests that one of them passes are vacuous."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.execution.expected import entry_points
from tasks.execution.expected_values import expected_values
from tasks.spans import Spans
from tasks.syntax import parse, parsed

_LONGEST_NAME = 40


def stub(solution: str) -> str:
    """The solution with the body of every function and lambda replaced by a raise; all else stays, all names defined.

    Raises:
        SyntaxError: the solution does not parse.
    """
    return _Bodies(solution).replaced(lambda _: None)


def stubs(solution: str, test: str) -> dict[str, str]:
    """Stubs of a solution by what their functions do, at most five; no two are the same, or have the same name.

    ``raises``, then what returns the literal that the tests most often expect of a function, None, an empty value of
    its type, and its argument. The type is that of the annotation, else of what the tests expect. Functions without
    parameters may well return a constant: where the tests use no others, only ``raises`` and ``returns None`` are made.

    Raises:
        SyntaxError: the solution does not parse.
    """
    bodies = _Bodies(solution)
    expected = {name: values.most_common(1)[0][0] for name, values in expected_values(test).items()}

    def usual(function: _Function) -> str:
        return expected.get(function.name) or empty(function)

    def empty(function: _Function) -> str:
        return _empty(function, expected.get(function.name, "None"))

    functions = [function for function in bodies.functions if function.name not in _DUNDERS]
    judged = [function for function in functions if function.name in expected] or functions

    def named(value: Callable[[_Function], str], otherwise: str) -> str:
        values = {value(function) for function in judged}
        one = values.pop() if len(values) == 1 else ""
        return f"returns {one}" if one and len(one) <= _LONGEST_NAME else otherwise

    ways: dict[str, Callable[[_Function], str | None]] = {"raises": lambda _: None}
    constants = _takes_arguments(bodies.tree, test)
    if constants:
        ways[named(usual, "returns what is expected most often")] = usual
    ways.setdefault("returns None", lambda function: "iter(())" if function.yields else "None")
    if constants:
        ways.setdefault(named(empty, "returns empty values"), empty)
        ways["returns its argument"] = lambda function: function.argument
    made: dict[str, str] = {}
    for name, value in ways.items():
        source = bodies.replaced(value)
        if source not in made.values():
            made[name] = source
    return made


@dataclass(frozen=True)
class _Function:
    """What a stub of a function is made from, and where its body stands; a lambda may be without a name."""

    name: str
    returns: ast.expr | None
    argument: str
    yields: bool
    is_lambda: bool
    span: tuple[int, int]


def _argument(arguments: ast.arguments, method: bool) -> str:
    """The name of the first parameter but ``self``; ``None`` where there is none."""
    positional = [*arguments.posonlyargs, *arguments.args][method:]
    others = [one for one in (arguments.vararg, *arguments.kwonlyargs, arguments.kwarg) if one]
    return next((one.arg for one in (*positional, *others)), "None")


def _yields(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is a generator: functions within it do not count."""
    stack: list[ast.AST] = list(node.body)
    while stack:
        inner = stack.pop()
        if isinstance(inner, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            stack.extend(ast.iter_child_nodes(inner))
    return False


class _Bodies:
    """The outermost functions, methods and lambdas of a solution, whose bodies are to be replaced."""

    def __init__(self, solution: str) -> None:
        self.tree = parse(solution)
        self._spans = Spans(solution)
        self.functions = sorted(self._found(), key=lambda function: function.span)

    def _found(self) -> Iterator[_Function]:
        # No recursion: a tree may be deeper than Python's stack.
        stack: list[tuple[ast.AST, bool, str]] = [(self.tree, False, "")]
        while stack:
            node, in_class, name = stack.pop()
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    static = any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in node.decorator_list)
                    argument = _argument(node.args, in_class and not static)
                    span = self._spans.of(node.body[0], node.body[-1])
                    yield _Function(node.name, node.returns, argument, _yields(node), False, span)
                case ast.Lambda(args=given, body=body):
                    yield _Function(name, None, _argument(given, in_class), False, True, self._spans.of(body))
                case ast.Assign(targets=[ast.Name(id=target)], value=ast.Lambda() as value):
                    stack.append((value, in_class, target))
                case ast.JoinedStr():
                    pass  # no positions are to be had in there before Python 3.12
                case _:
                    within = in_class or isinstance(node, ast.ClassDef)
                    stack += [(child, within, "") for child in ast.iter_child_nodes(node)]

    def replaced(self, value: Callable[[_Function], str | None]) -> str:
        """The solution with other bodies: ``value`` gives the expression that a function returns, None to raise."""
        pieces, end = [], 0
        for function in self.functions:
            pieces += [self._spans.data[end : function.span[0]], _body(function, value(function)).encode()]
            end = function.span[1]
        return b"".join([*pieces, self._spans.data[end:]]).decode()


def _body(function: _Function, value: str | None) -> str:
    if value is None:
        error = "NotImplementedError('stub')"
        return f"(_ for _ in ()).throw({error})" if function.is_lambda else f"raise {error}"
    if function.is_lambda:
        return value
    return f"return {'None' if function.name in _INITIAL else value}"


def _takes_arguments(tree: ast.Module, test: str) -> bool:
    """Whether the tests use a function with parameters, or a class."""
    used = set(entry_points(test))
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) if name in used:
                return True
            case ast.FunctionDef(name=name, args=given) | ast.AsyncFunctionDef(name=name, args=given) if name in used:
                if _argument(given, method=False) != "None":
                    return True
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Lambda(args=given)) if name in used:
                if _argument(given, method=False) != "None":
                    return True
    return False


_INITIAL = {"__init__", "__post_init__", "__init_subclass__", "__set_name__"}
_DUNDERS = {
    **dict.fromkeys(_INITIAL, "None"),
    **dict.fromkeys(("__str__", "__repr__", "__format__"), "''"),
    **dict.fromkeys(("__len__", "__hash__", "__int__", "__index__"), "0"),
    **dict.fromkeys(("__bool__", "__contains__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"), "False"),
    **dict.fromkeys(("__iter__", "__reversed__"), "iter(())"),
}
_EMPTY = {
    **{"int": "0", "float": "0.0", "complex": "0j", "bool": "False", "str": "''", "bytes": "b''", "NoneType": "None"},
    **dict.fromkeys(("list", "List", "Sequence", "MutableSequence", "Iterable", "Collection"), "[]"),
    **dict.fromkeys(("dict", "Dict", "Mapping", "MutableMapping"), "{}"),
    **dict.fromkeys(("tuple", "Tuple"), "()"),
    **dict.fromkeys(("set", "Set", "AbstractSet", "MutableSet"), "set()"),
    **dict.fromkeys(("frozenset", "FrozenSet"), "frozenset()"),
    **dict.fromkeys(("Iterator", "Generator"), "iter(())"),
}
_OTHER_COLLECTIONS = {"deque", "Counter", "OrderedDict", "defaultdict"}


def _empty(function: _Function, expected: str) -> str:
    """The empty value of what a function returns; None where nothing tells its type."""
    if function.name in _DUNDERS:
        return _DUNDERS[function.name]
    found = _empty_of(function.returns) if function.returns else ""
    if found:
        return found
    if function.yields:
        return "iter(())"
    return _EMPTY.get(type(ast.literal_eval(expected)).__name__, "None")


def _empty_of(annotation: ast.expr) -> str:
    """The empty value of a type, of a union's first member but None; empty where the type has none."""
    match annotation:
        case ast.Constant(value=None):
            return "None"
        case ast.Constant(value=str() as text):
            tree = parsed(text)
            match tree.body if tree else []:
                case [ast.Expr(value=inner)]:
                    return _empty_of(inner)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _first_of(left, right)
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inside):
            members = inside.elts if isinstance(inside, ast.Tuple) else [inside]
            match name:
                case "Optional" | "Union":
                    return _first_of(*members)
                case "Annotated" | "Final":
                    return _empty_of(members[0])
                case "Literal":
                    return ast.unparse(members[0])
            return _empty_of(annotation.value)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return f"{ast.unparse(annotation)}()" if name in _OTHER_COLLECTIONS else _EMPTY.get(name, "")
    return ""


def _first_of(*members: ast.expr) -> str:
    found = [_empty_of(member) for member in members]
    return next((one for one in found if one not in ("", "None")), "None" if "None" in found else "")
