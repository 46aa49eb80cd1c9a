"""Tests that do the same as another, and functions of a test file that repeat the solution instead of checking it."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from tasks.labeling.reading.dataflow import Function, functions, local_names, parametrizations

SIMILAR = 0.8
"""The share of a solution's function that a copy of it has."""
_GRAM = 4  # how many tokens in a row are compared
_SMALLEST = 15  # nodes of a function whose like is not written twice by chance

_SILENT = {"annotation", "returns", "type_comment", "type_params", "ctx", "kind", "msg"}
_FIXED = {"attr", "module", "value"}  # fields whose text never is a local name
_STRUCTURE = (",", ")")


def _tokens(node: ast.AST, rename: Callable[[str], str]) -> Iterator[str]:
    """A syntax tree in prefix form, without annotations, docstrings and messages."""
    if isinstance(node, ast.AnnAssign) and node.value:
        node = ast.Assign(targets=[node.target], value=node.value)
    yield type(node).__name__
    for field, value in ast.iter_fields(node):
        if field in _SILENT:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                if not _is_silent(item):
                    yield from _tokens(item, rename)
            elif isinstance(item, str) and field not in _FIXED and not isinstance(node, ast.keyword | ast.alias):
                yield rename(item)
            else:
                yield repr(item)
        yield _STRUCTURE[0]
    yield _STRUCTURE[1]


def _is_silent(node: ast.AST) -> bool:
    if isinstance(node, ast.AnnAssign):
        return not node.value
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def duplicated(tests: Mapping[str, Function]) -> dict[str, str]:
    """Tests to the first that does the same; names of local variables and parameters, and messages, may differ."""
    first: dict[tuple[str, ...], str] = {}
    found = {}
    for name, function in tests.items():
        earlier = first.setdefault(_identity(name, function), name)
        if earlier != name:
            found[name] = earlier
    return found


def _identity(name: str, function: Function) -> tuple[str, ...]:
    """What two tests have in common exactly if they do the same."""
    given = {parameter for names, _ in parametrizations(function) for parameter in names}
    fixtures = {node.arg for node in ast.walk(function.args) if isinstance(node, ast.arg)} - given - {"self"}
    numbers: dict[str, str] = {}
    local = local_names(function) - fixtures

    def rename(name: str) -> str:
        return numbers.setdefault(name, f"_{len(numbers)}") if name in local else name

    tokens = [token for statement in _body(function) for token in _tokens(statement, rename)]
    for names, values in parametrizations(function):
        tokens += [*map(rename, names), *_tokens(values, str)]
    marks = [ast.dump(mark) for mark in function.decorator_list if "parametrize" not in ast.unparse(mark)]
    owner = name.rpartition("::")[0] if fixtures or _uses_self(function) else ""
    return (owner, *sorted(fixtures), *tokens, *marks)


def copied(found: Mapping[str, Function], solution: ast.Module) -> dict[str, str]:
    """Functions of a test file to the function or method of the solution that they repeat, as a whole or within.

    Compared are runs of tokens of the syntax trees, all local names being one: a copy keeps ``SIMILAR`` of those of
    the solution's function. Two solutions to one question mostly share a third of them.
    """
    originals = {
        name.replace("::", "."): _grams(function)
        for name, function in functions(solution)
        if _is_telling(function) and not function.name.startswith("__")  # methods such as __init__ are all alike
    }
    copies = {}
    for name, function in found.items():
        grams = _grams(function)
        shares = {original: (known & grams).total() / known.total() for original, known in originals.items()}
        closest = max(shares, key=shares.__getitem__, default="")
        if closest and shares[closest] >= SIMILAR:
            copies[name] = closest
    return copies


def _is_telling(function: Function) -> bool:
    nodes = [node for statement in _body(function) for node in ast.walk(statement)]
    return len(nodes) >= _SMALLEST and sum(isinstance(node, ast.stmt) for node in nodes) >= 2


def _grams(function: Function) -> Counter[tuple[str, ...]]:
    local = local_names(function)

    def rename(name: str) -> str:
        return "_" if name in local else "recursion" if name == function.name else name

    tokens = [token for statement in _body(function) for token in _tokens(statement, rename) if token not in _STRUCTURE]
    return Counter(zip(*(tokens[start:] for start in range(_GRAM)), strict=False))


def _body(function: Function) -> list[ast.stmt]:
    return [statement for statement in function.body if not _is_silent(statement)]


def _uses_self(function: Function) -> bool:
    """Whether a method takes more from its object than unittest's assert methods."""
    nodes = list(ast.walk(function))
    asserting = [node.value for node in nodes if isinstance(node, ast.Attribute) and node.attr.startswith("assert")]
    return any(isinstance(node, ast.Name) and node.id == "self" and node not in asserting for node in nodes)
