"""Which names of a test file may depend on its solution, and the functions and parameters it takes to tell."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterable, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef
Variable = tuple[int, str]
"""The number of a scope, 0 for the module, and a name."""
_Scope = dict[str, Variable | None]
"""What each name of a scope stands for; None for what never changes."""

_SOURCE: Variable = (0, "")
"""Stands for the solution, and for all else that may change as it runs: clocks, files, the interpreter."""

_PURE_MODULES = {
    "__future__", "abc", "bisect", "cmath", "collections", "copy", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "heapq", "itertools", "json", "math", "numbers", "numpy", "operator", "pandas", "pytest",
    "re", "statistics", "string", "textwrap", "typing",
}  # fmt: skip
_PURE_BUILTINS = set(dir(builtins)) - {
    "__build_class__", "__import__", "breakpoint", "compile", "eval", "exec", "globals", "input", "locals", "open",
    "print", "super", "vars",
}  # fmt: skip
# Within an assert, only these may change or bind a name.
_LINKS = (ast.Call, ast.NamedExpr, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def functions(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Functions and methods that lie in no other function, with ids as pytest writes them: ``f``, ``A::m``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield f"{prefix}{child.name}", child
        else:
            yield from functions(child, f"{prefix}{child.name}::" if isinstance(child, ast.ClassDef) else prefix)


def parametrizations(node: Function | ast.ClassDef) -> Iterator[tuple[list[str], ast.expr]]:
    """The names that each ``parametrize`` gives values to, and its values; no names where fixtures come between."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and getattr(decorator.func, "attr", "") == "parametrize":
            keywords = {keyword.arg: keyword.value for keyword in decorator.keywords}
            given = [*decorator.args, *(keywords[name] for name in ("argnames", "argvalues") if name in keywords)]
            if len(given) >= 2:
                yield [] if "indirect" in keywords else _literal_names(given[0]), given[1]


def _literal_names(node: ast.expr) -> list[str]:
    try:
        found = ast.literal_eval(node)
    except (ValueError, TypeError):
        return []
    listed = found.split(",") if isinstance(found, str) else found
    return [str(name).strip() for name in listed] if isinstance(listed, list | tuple) else []


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that nodes bind, apart from imported ones."""
    return {name for node in nodes if (name := _binds(node))}


def local_names(function: Function) -> set[str]:
    """Names that a function and those nested in it bind, apart from imported ones."""
    _, *inner = ast.walk(function)
    return bound_names(inner) - {name for node in inner if isinstance(node, ast.Global) for name in node.names}


def _binds(node: ast.AST) -> str | None:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name) | ast.MatchMapping(rest=name):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
            return name
    return None


class Flow:
    """Tells which expressions of a test file may depend on the solution.

    Names that share a statement are taken to depend on each other, in both directions and whatever the order: a list
    given to the solution may be changed by it, one name may stand for another's object, and what happens in a loop,
    an ``if`` or a ``try`` depends on how these went. So a name is cleared only if no chain of statements connects it
    with the solution. An assert connects just what each of its calls is given.
    """

    def __init__(self, tree: ast.Module, tests: Collection[str]) -> None:
        """Read a test file; ``tests`` are the ids of its test functions."""
        self._module = _scope(0, bound_names(_outside_functions(tree)), _outside_functions(tree))
        self._scopes: dict[Function, _Scope] = {}
        groups = [self._mentions(self._module, _outside_functions(statement)) for statement in tree.body]
        dependent = {_SOURCE}
        loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for number, (identifier, function) in enumerate(functions(tree), 1):
            scope = self._scopes[function] = _scope(number, local_names(function), ast.walk(function))
            # Fixtures and the callers of helpers may give anything; the literals of a parametrization are known.
            unknown = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)}
            for names, values in parametrizations(function):
                unknown -= set(names)
                groups.append({(number, name) for name in names} | self._mentions(self._module, ast.walk(values)))
            dependent |= {(number, name) for name in unknown}
            for statement in function.body:
                is_assert = isinstance(statement, ast.Assert)
                parts = [part for part in ast.walk(statement) if isinstance(part, _LINKS)] if is_assert else [statement]
                groups += [self._mentions(scope, ast.walk(part)) for part in parts]
            if identifier not in tests or function.name in loaded:  # whoever calls it depends on what it depends on
                used = {variable for variable in self._mentions(scope, ast.walk(function)) if variable[0] == 0}
                groups.append({(0, identifier.partition("::")[0]), *used})
        self._dependent = _connected(dependent, groups)

    def depends(self, function: Function, *parts: ast.AST) -> bool:
        """Whether parts of a function may have to do with the solution."""
        scope = self._scopes[function]
        return any(self._mentions(scope, ast.walk(part)) & self._dependent for part in parts)

    def _mentions(self, scope: _Scope, nodes: Iterable[ast.AST]) -> set[Variable]:
        found: set[Variable | None] = set()
        for node in nodes:
            match node:
                case ast.Import() | ast.ImportFrom():
                    found.update(variable for _, variable in _imported(node))
                case ast.Constant(value="solution"):  # as in `importorskip("solution")`
                    found.add(_SOURCE)
                case _ if name := node.id if isinstance(node, ast.Name) else _binds(node):
                    unbound = None if name in _PURE_BUILTINS else _SOURCE
                    found.add(scope.get(name, self._module.get(name, unbound)))
        return {variable for variable in found if variable}


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, Function):
        for child in ast.iter_child_nodes(node):
            yield from _outside_functions(child)


def _scope(number: int, variables: Iterable[str], nodes: Iterable[ast.AST]) -> _Scope:
    names: _Scope = {name: (number, name) for name in variables}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name, variable in _imported(node):
                names[name] = variable or names.get(name)
    return names


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Variable | None]]:
    """The names that an import binds, with what each stands for."""
    for alias in node.names:
        module = alias.name if isinstance(node, ast.Import) else "." * node.level + (node.module or "")
        yield (
            alias.asname or alias.name.partition(".")[0],
            None if module.partition(".")[0] in _PURE_MODULES else _SOURCE,
        )


def _connected(start: set[Variable], groups: Iterable[set[Variable]]) -> set[Variable]:
    """The variables that a chain of overlapping groups connects with some to start from."""
    found, rest = set(start), [group for group in groups if len(group) > 1]
    while touching := [group for group in rest if group & found]:
        found.update(*touching)
        rest = [group for group in rest if not group <= found]
    return found
