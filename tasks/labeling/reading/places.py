"""Where a function asserts something, and whether it could fail there."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tasks.labeling.reading.claims import called, truth
from tasks.labeling.reading.dataflow import Function

SWALLOWED = "it never fails: what it raises is swallowed"
"""Excuses asserts only: ``pytest.fail`` and ``pytest.raises`` fail with what ``except Exception`` does not catch."""
_CATCH_ALL = {"Exception", "BaseException"}
_CATCH_ASSERTIONS = {"AssertionError", *_CATCH_ALL}
_LEAVING = (ast.Return, ast.Raise, ast.Continue, ast.Break)


@dataclass(frozen=True)
class Place:
    """A place that asserts, the block that it watches if any, and why it cannot fail where it stands, in words."""

    node: ast.Assert | ast.Raise | ast.Call
    block: ast.With | ast.AsyncWith | None
    excuse: str | None


def places(function: Function, asserts: Callable[[ast.Call], bool]) -> Iterator[Place]:
    """The places of a function and of those nested in it that assert; ``asserts`` tells which calls do."""
    yield from (Place(call, None, None) for call in _calls(function) if asserts(call))
    yield from _places(function.body, None, asserts)


def _places(body: Sequence[ast.stmt], excuse: str | None, asserts: Callable[[ast.Call], bool]) -> Iterator[Place]:
    for statement in body:
        match statement:
            case ast.Assert():
                yield Place(statement, None, excuse)
            case ast.Raise() if _raised(statement) == "AssertionError":
                yield Place(statement, None, excuse)
            case ast.With(items=items) | ast.AsyncWith(items=items):
                watching = [item.context_expr for item in items]
                calls = list(filter(asserts, _calls(statement)))
                yield from (Place(call, statement if call in watching else None, excuse) for call in calls)
            case _:
                yield from (Place(call, None, excuse) for call in _calls(statement) if asserts(call))
        # A function defined here runs elsewhere.
        inherited = None if isinstance(statement, Function | ast.ClassDef) else excuse
        for block, own in _blocks(statement):
            yield from _places(block, own or inherited, asserts)
        if isinstance(statement, _LEAVING):
            excuse = excuse or "it never runs: its block is left before"


def _calls(statement: ast.AST) -> Iterator[ast.Call]:
    """The calls of a statement that lie in none of its blocks."""
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield from (node for node in ast.walk(child) if isinstance(node, ast.Call))


def _blocks(statement: ast.stmt) -> Iterator[tuple[Sequence[ast.stmt], str | None]]:
    """The blocks of a statement, each with why asserts in it cannot fail, if they cannot."""
    match statement:
        case ast.If(test=test, body=body, orelse=orelse):
            yield body, "it never runs: its condition is never true" if truth(test) is False else None
            yield orelse, "it never runs: the other branch always does" if truth(test) else None
        case ast.While(test=items, body=body, orelse=orelse) | ast.For(iter=items, body=body, orelse=orelse):
            yield body, "it never runs: its loop has no turns" if truth(items) is False else None
            yield orelse, None
        case (
            ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody)
            | ast.TryStar(body=body, handlers=handlers, orelse=orelse, finalbody=finalbody)
        ):
            tells = orelse or isinstance(body[-1], ast.Return | ast.Break | ast.Assign)  # what follows of its outcome
            yield body, SWALLOWED if not tells and any(map(_swallows, handlers)) else None
            yield from ((block, None) for block in (*(handler.body for handler in handlers), orelse, finalbody))
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            managers = [item.context_expr for item in items if isinstance(item.context_expr, ast.Call)]
            kinds = [kind for manager in managers if called(manager) == "suppress" for kind in manager.args]
            late = _first_late(items, body)
            yield body[:late], SWALLOWED if any(_names(kind) & _CATCH_ASSERTIONS for kind in kinds) else None
            yield body[late:], "it never runs: the exception that it is about has ended its block"
        case ast.Match(cases=cases):
            yield from ((case.body, None) for case in cases)
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body) | ast.ClassDef(body=body):
            yield body, None
        case ast.AsyncFor(body=body, orelse=orelse):
            yield from ((body, None), (orelse, None))


def _first_late(items: Sequence[ast.withitem], body: Sequence[ast.stmt]) -> int:
    """Index of the first assert about an exception in the very block that it ends; the block's length without any."""
    caught = {
        item.optional_vars.id
        for item in items
        if isinstance(item.optional_vars, ast.Name)
        and isinstance(item.context_expr, ast.Call)
        and called(item.context_expr) in ("raises", "assertRaises", "assertRaisesRegex")
    }
    for index, statement in enumerate(body):
        if isinstance(statement, ast.Assert) and any(getattr(node, "id", "") in caught for node in ast.walk(statement)):
            return index
    return len(body)


def _swallows(handler: ast.ExceptHandler) -> bool:
    """Whether a handler lets a test go on after a failed assert as if nothing had happened."""
    return (not handler.type or bool(_names(handler.type) & _CATCH_ASSERTIONS)) and all(map(_is_mute, handler.body))


def _is_mute(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Continue() | ast.Return():
            return True
        case ast.Expr(value=ast.Constant() | ast.Call(func=ast.Name("print"))):
            return True
        case ast.Assert(test=test):
            return bool(truth(test))
    return False


def raises_anyhow(block: ast.With | ast.AsyncWith, watch: ast.Call, depends: Callable[[ast.AST], bool]) -> bool:
    """Whether a block watched by ``pytest.raises(...)`` raises by itself what is expected of the solution."""
    if block.items[-1].context_expr is not watch or watch.keywords or not watch.args:
        return False
    expected = _names(watch.args[0])
    for statement in block.body:
        match statement:
            case ast.Raise(exc=ast.expr() as exception) if expected & {_raised(statement), *_CATCH_ALL}:
                if not depends(exception):
                    return True
            case ast.Assert(test=test) if expected & _CATCH_ASSERTIONS and truth(test) is False:
                return True
    return False


def _raised(statement: ast.Raise) -> str:
    """The name of the exception that a statement raises; empty where it raises the current one again."""
    return ast.unparse(statement.exc).partition("(")[0].rpartition(".")[2] if statement.exc else ""


def _names(kinds: ast.expr) -> set[str]:
    """The names of exceptions, given as one or as a tuple."""
    listed = kinds.elts if isinstance(kinds, ast.Tuple) else [kinds]
    return {ast.unparse(kind).rpartition(".")[2] for kind in listed}
