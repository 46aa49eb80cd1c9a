"""Whether a solution has the names that tests use, and what it would have to be called to have them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import TypeVar

from tasks.execution.expected import entry_points
from tasks.syntax import UNREADABLE, nodes

D = TypeVar("D", ast.FunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Fit:
    """How the names of a solution fit those of tests.

    Attributes:
        missing: what it lacks, as the rest of a sentence that begins with "the solution"; empty where it has all.
        alias: ``wanted = own``, under which its only function would serve; empty where none is needed, or none can do.
    """

    missing: str = ""
    alias: str = ""


@dataclass(frozen=True)
class _Callable:
    """What may be called by another name: how it is reached, and its arguments without ``self``."""

    reached: str
    arguments: ast.arguments


def fit(solution: str, test: str) -> Fit:
    """Compare names. There is an alias where the tests use one function that is missing, and the solution has a single
    one, of whatever name, that takes the arguments they give. LeetCode's ``class Solution`` with one method is one."""
    try:
        found = nodes(solution)
    except UNREADABLE:
        return Fit(missing="does not parse")
    bound = bound_names(found)
    missing = [name for name in entry_points(test) if name not in bound]
    if not missing:
        return Fit()
    module = found[0]
    assert isinstance(module, ast.Module)
    only = _only(module)
    if len(missing) > 1 or only is None:
        return Fit(f"has no {missing[0]}")
    if not _takes(only.arguments, missing[0], test):
        return Fit(f"has no {missing[0]}, and {only.reached} takes other arguments")
    return Fit(f"has no {missing[0]}", f"{missing[0]} = {only.reached}")


def _only(module: ast.Module) -> _Callable | None:
    """The only public function of a module; where it has none, the only public method of its only class."""
    functions, classes = _public(module.body, ast.FunctionDef), _public(module.body, ast.ClassDef)
    if len(functions) == 1:
        return _Callable(functions[0].name, functions[0].args)
    if functions or len(classes) != 1:
        return None
    methods = _public(classes[0].body, ast.FunctionDef)
    if len(methods) != 1 or methods[0].decorator_list or methods[0].args.posonlyargs or not methods[0].args.args:
        return None
    given = copy(methods[0].args)
    given.args = given.args[1:]
    return _Callable(f"{classes[0].name}().{methods[0].name}", given)


def _public(body: Sequence[ast.stmt], kind: type[D]) -> list[D]:
    return [node for node in body if isinstance(node, kind) and not node.name.startswith("_")]


def under(solution: str, alias: str) -> str:
    """The solution with an alias behind it, as it is run and may be stored."""
    return f"{solution}\n\n{alias}\n"


def _takes(given: ast.arguments, name: str, test: str) -> bool:
    """Whether arguments are those that tests give under a name; calls with unpacked ones are not looked at."""
    positional = [*given.posonlyargs, *given.args]
    least, most = len(positional) - len(given.defaults), None if given.vararg else len(positional)
    names = {one.arg for one in (*given.args, *given.kwonlyargs)}
    for node in nodes(test):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != name:
            continue
        if any(isinstance(one, ast.Starred) for one in node.args) or any(one.arg is None for one in node.keywords):
            continue
        count = len(node.args) + len(node.keywords)
        unknown = not given.kwarg and any(one.arg not in names for one in node.keywords)
        if count < least or (most is not None and len(node.args) > most) or unknown:
            return False
    return True


def bound_names(module: Sequence[ast.AST]) -> set[str]:
    """Names that a module with these nodes may have once it is imported."""
    found: set[str] = set()
    for node in module:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found |= {alias.asname or alias.name.partition(".")[0] for alias in names}
    return found
