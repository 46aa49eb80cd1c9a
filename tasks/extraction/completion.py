"""Answers to `complete` rows: a whole function or class, or what continues the stub."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from textwrap import dedent, indent

from tasks.execution.aliases import bound_names
from tasks.syntax import parsed
from tasks.teachers.replies import definitions, fenced_blocks, unix

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_INDENT = 4


def stub_in(question: str) -> str:
    """The code that a question asks to complete: the question itself, or its last fenced block that defines something;
    empty where there is none."""
    text = unix(question)
    if (tree := parsed(text)) is not None and definitions(tree):
        return text
    return next(
        (block.text for block in reversed(fenced_blocks(text)) if block.tree and definitions(block.tree)),
        "",
    )


def completed(stub: str, code: str) -> str:
    """The module that a stub and an answer to it make; the answer itself where they do not fit together.

    The stub's last function or class is the one to complete. An answer that defines it, or something else, stands in
    its place, behind those imports and helpers of the stub that it uses and does not repeat. Any other answer continues
    the stub, indented as it should be.
    """
    tree, answer = parsed(stub), parsed(code)
    if tree is None or (target := _target(tree)) is None:
        return code
    if answer is not None and definitions(answer) and not _is_within(answer, target):
        return _behind_preamble(stub, tree, target, code, answer)
    return next(_continuations(stub, target, code), code)


def _target(tree: ast.Module) -> _Definition | None:
    return next((node for node in reversed(tree.body) if isinstance(node, _DEFINITIONS)), None)


def _is_within(answer: ast.Module, target: ast.stmt) -> bool:
    """Whether code is the inside of a function or class: it returns from one, or defines methods of the other."""
    if isinstance(target, ast.ClassDef):
        return all(
            isinstance(node, _FUNCTIONS) and node.args.args and node.args.args[0].arg in ("self", "cls")
            for node in answer.body
        )
    return any(isinstance(node, ast.Return | ast.Yield | ast.YieldFrom) for node in _outside_functions(answer))


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [one for one in ast.iter_child_nodes(node) if not isinstance(one, (*_DEFINITIONS, ast.Lambda))]


def _behind_preamble(stub: str, tree: ast.Module, target: ast.stmt, code: str, answer: ast.Module) -> str:
    bound = bound_names(list(ast.walk(answer)))
    used = names_read(answer)
    kept: list[str] = []
    for node in reversed(tree.body[: tree.body.index(target)]):
        names = bound_names([node] if isinstance(node, _DEFINITIONS) else list(ast.walk(node)))
        if names and not names <= bound and (_is_future(node) or names & used):
            kept.insert(0, _source(stub, node))
            used |= names_read(node)
    return in_front(kept, code, answer) if kept else code


def in_front(kept: Sequence[str], code: str, tree: ast.Module) -> str:
    """Code behind what it needs; its imports from ``__future__`` stay in front of all."""
    at = max((node.end_lineno or 0 for node in tree.body if _is_future(node)), default=0)
    lines = code.split("\n")
    parts = ["\n".join(lines[:at]), *kept, "\n".join(lines[at:])]
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def names_read(tree: ast.AST) -> set[str]:
    """Names that code uses, wherever they are bound."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _source(source: str, node: ast.stmt) -> str:
    """The lines of a statement, its decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    return "\n".join(source.split("\n")[first - 1 : node.end_lineno])


def _continuations(stub: str, target: _Definition, code: str) -> Iterator[str]:
    """Modules in which code goes on where the stub ends, the likeliest first: with an indentation of its own, or with
    that of its first line lost."""
    stands, head = _open(stub, target)
    pad = " " * (target.body[0].col_offset if target.body[0].lineno > target.lineno else target.col_offset + _INDENT)
    text = code.strip("\n").rstrip()
    first, *rest = text.split("\n")
    for inside in (indent(dedent(text), pad), "\n".join([f"{pad}{first.lstrip()}", *rest])):
        joined = f"{head}\n{inside}\n"
        made = parsed(joined)
        if not made or not made.body:
            continue
        last = made.body[-1]
        if isinstance(last, _DEFINITIONS) and last.name == target.name and any(map(does_something, last.body[stands:])):
            yield joined


def _open(stub: str, target: _Definition) -> tuple[int, str]:
    """How many statements of a stub's last body stand, and the stub up to there: without a placeholder at its end."""
    last, lines = target.body[-1], stub.split("\n")[: target.end_lineno]
    if not _is_placeholder(last):
        return len(target.body), "\n".join(lines)
    cut = lines[last.lineno - 1].encode()[: last.col_offset].decode().rstrip()
    return len(target.body) - 1, "\n".join([*lines[: last.lineno - 1], *([cut] if cut else [])])


def _is_placeholder(node: ast.stmt) -> bool:
    match node:
        case (
            ast.Pass()
            | ast.Raise(exc=ast.Name(id="NotImplementedError") | ast.Call(func=ast.Name(id="NotImplementedError")))
        ):
            return True
        case ast.Expr(value=ast.Constant(value=value)):
            return value is ...
    return False


def does_something(node: ast.stmt) -> bool:
    """Whether a statement is code, and not a word that happens to be Python, as ``Sure`` and ``Answer: yes`` are."""
    match node:
        case ast.Pass() | ast.Global() | ast.Nonlocal() | ast.Delete() | ast.AnnAssign(value=None):
            return False
        case ast.Expr(value=value):
            return isinstance(value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom)
    return True
