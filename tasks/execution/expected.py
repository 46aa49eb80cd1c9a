"""What the tests must do, read off their source outside the box, where no solution can lie about it."""

from __future__ import annotations

import ast
import builtins
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

from tasks.syntax import UNREADABLE, nodes

_COMPOUND = (ast.If, ast.Try, ast.With, ast.For, ast.While)
_Branch = tuple[tuple[ast.AST, str], ...]
"""Where a statement stands: the blocks around it that may be passed over, outermost first."""


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a body and of the blocks in it that define names in the same scope."""
    return (node for node, _ in _placed(body, ()))


def _placed(body: Sequence[ast.stmt], branch: _Branch) -> Iterator[tuple[ast.stmt, _Branch]]:
    for node in body:
        yield node, branch
        if isinstance(node, _COMPOUND):
            for name in ("body", "orelse", "finalbody"):
                always = isinstance(node, ast.With) or name == "finalbody"
                yield from _placed(getattr(node, name, []), branch if always else (*branch, (node, name)))
            for handler in getattr(node, "handlers", []):
                yield from _placed(handler.body, (*branch, (handler, "body")))


def _is_unittest(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split(".")[-1] == "TestCase" for base in node.bases)


def expected_tests(source: str) -> list[str]:
    """Ids of the tests that pytest must collect, such as ``test_x`` and ``TestA::test_y``, in order.

    One whose definition takes the place of an earlier one comes once more. Definitions in different branches of an
    ``if`` or a ``try``, of which one is made, are one test.

    Raises:
        SyntaxError: the source does not parse; also ValueError for NUL bytes.
    """

    def visit(body: Sequence[ast.stmt], prefix: str, around: _Branch) -> Iterator[tuple[str, _Branch]]:
        for node, branch in _placed(body, around):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if node.name.startswith("test"):
                    yield f"{prefix}{node.name}", branch
            elif isinstance(node, ast.ClassDef):
                case = _is_unittest(node)
                methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                has_init = any(item.name in ("__init__", "__new__") for item in methods)
                if case or (node.name.startswith("Test") and not has_init):
                    yield from visit(node.body, f"{prefix}{node.name}::", branch)

    found: list[str] = []
    places: dict[str, list[_Branch]] = defaultdict(list)
    for test_id, branch in visit(_module(source).body, "", ()):
        earlier = places[test_id]
        if not earlier or any(place[: len(branch)] == branch for place in earlier):
            found.append(test_id)
        earlier.append(branch)
    return found


def test_functions(source: str) -> list[str]:
    """``expected_tests``, each once; none where the source does not parse."""
    with suppress(*UNREADABLE):
        return list(dict.fromkeys(expected_tests(source)))
    return []


def _module(source: str) -> ast.Module:
    module = nodes(source)[0]
    assert isinstance(module, ast.Module)
    return module


_SETUP = re.compile(
    r"(setup|teardown)(_(module|class|method|function))?|setUp\w*|tearDown\w*|pytestmark|pytest_plugins|__test__"
)


def is_plain(source: str) -> bool:
    """Whether tests are functions and methods, parametrized at most, without fixtures or set-up.

    Calling one after another then finds the same passes as pytest does.
    """
    tree = _module(source)
    scopes: list[Sequence[ast.stmt]] = [tree.body]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and (node.name.startswith("Test") or _is_unittest(node)):
            if node.bases or node.keywords or node.decorator_list:
                return False
            scopes.append(node.body)
    for depth, scope in enumerate(scopes):
        for node in scope:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                if not _is_plain_function(node, arguments=min(depth, 1)):
                    return False
            elif not isinstance(node, ast.FunctionDef | ast.ClassDef) and _tests_within(node):
                return False
            if _SETUP.fullmatch(getattr(node, "name", "")) or (depth and isinstance(node, ast.ClassDef)):
                return False
    named = {node.id for node in nodes(source) if isinstance(node, ast.Name)}
    return not any(_SETUP.fullmatch(name) for name in named) and "fixture" not in source


def _is_plain_function(node: ast.FunctionDef, arguments: int) -> bool:
    given = node.args
    if given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs or given.defaults:
        return False
    parameters = _parameters(node.decorator_list)
    if parameters is None or {argument.arg for argument in given.args[arguments:]} != parameters:
        return False
    return len(given.args) == arguments + len(parameters) and not any(
        isinstance(inner, ast.Yield | ast.YieldFrom) for inner in ast.walk(node)
    )


def _parameters(decorators: Sequence[ast.expr]) -> set[str] | None:
    """The names that a ``parametrize`` alone gives values to; none without decorators, None for other decorators."""
    match decorators:
        case []:
            return set()
        case [
            ast.Call(
                func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="pytest"), attr="mark"), attr="parametrize"),
                args=[names, _],
                keywords=[],
            )
        ]:
            try:
                found = ast.literal_eval(names)
            except UNREADABLE:
                return None
            if not isinstance(found, str | list | tuple):
                return None
            return {str(name).strip() for name in (found.split(",") if isinstance(found, str) else found)}
    return None


def _tests_within(node: ast.stmt) -> bool:
    """Whether a statement other than a definition defines tests, under a condition for instance."""
    return any(
        isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and inner.name.lower().startswith("test")
        for inner in ast.walk(node)
    )


def module_names(source: str) -> tuple[set[str], set[str]]:
    """(made, imported): names that a module binds itself, those that it gives to what it imports among them, and names
    that it imports as they are.

    Raises:
        SyntaxError: the source does not parse.
    """
    made = {name for node in nodes(source) if isinstance(node, ast.Global) for name in node.names}
    imported: set[str] = set()
    for node in _statements(_module(source).body):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                made.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                made |= {alias.asname for alias in names if alias.asname}
                imported |= {alias.name.partition(".")[0] for alias in names if not alias.asname}
            case _:
                stored = (
                    part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
                )
                made |= {part.id for part in stored}
    return made, imported - {"*"}


def star_names(source: str) -> tuple[set[str], set[str]]:
    """(given, withheld): what ``from solution import *`` gives to tests, of the names that they read.

    Withheld are builtins, and what the tests define or import themselves: a solution that has such a name would judge
    with it.

    Raises:
        SyntaxError: the source does not parse.
    """
    found = nodes(source)
    stars = (node for node in found if isinstance(node, ast.ImportFrom) and node.module == "solution")
    if not any(alias.name == "*" for node in stars for alias in node.names):
        return set(), set()
    made, imported = module_names(source)
    named = {node.id for node in found if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    own = {*dir(builtins), *made, *imported} - _imported_from_solution(found)
    return named - own, named & own


def _imported_from_solution(found: Sequence[ast.AST]) -> set[str]:
    return {
        alias.name
        for node in found
        if isinstance(node, ast.ImportFrom) and node.module == "solution"
        for alias in node.names
        if not alias.asname
    }


def entry_points(source: str) -> list[str]:
    """Names that the tests take from ``solution`` and use, sorted; empty where the source does not parse."""
    try:
        found_nodes = nodes(source)
    except UNREADABLE:
        return []
    imported: dict[str, str] = {}
    modules: set[str] = set()
    star = False
    bound = set(dir(builtins))
    used: set[str] = set()
    attributes: set[tuple[str, str]] = set()
    for node in found_nodes:
        match node:
            case ast.ImportFrom(module="solution", level=0):
                for alias in node.names:
                    star |= alias.name == "*"
                    imported[alias.asname or alias.name] = alias.name
            case ast.Import():
                for alias in node.names:
                    name = (alias.asname or alias.name).split(".")[0]
                    (modules if alias.name == "solution" else bound).add(name)
            case ast.ImportFrom():
                bound.update(alias.asname or alias.name for alias in node.names)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.ExceptHandler(name=str(name)):
                bound.add(name)
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute):
                attributes.add((owner, attribute))
                used.add(owner)
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
    found = {original for name, original in imported.items() if name in used and original != "*"}
    found |= {attribute for owner, attribute in attributes if owner in modules}
    if star:
        found |= used - bound - set(imported) - modules
    return sorted(found)
