"""What a stub declares, and whether that is what a program's tests use."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.models import RejectReason
from tasks.syntax import mentions, parse

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
Import = ast.Import | ast.ImportFrom
_EXCEPTION = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Interrupt|Iteration)\b")


@dataclass(frozen=True)
class Refusal:
    """Why a reply, or a row, cannot be used."""

    reason: RejectReason
    why: str


def definitions(tree: ast.Module) -> dict[str, Definition]:
    """Functions, classes and methods of a program by name, as in ``f``, ``A``, ``A.m``; a second one of a name, such
    as a property's setter, as in ``A.m#2``."""
    found: dict[str, Definition] = {}

    def visit(body: Sequence[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, Definition):
                name, number = f"{prefix}{node.name}", 1
                while (key := name if number == 1 else f"{name}#{number}") in found:
                    number += 1
                found[key] = node
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{name}.")

    visit(tree.body, "")
    return found


def is_docstring(node: ast.stmt) -> bool:
    """Whether a statement is a text and nothing else."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _says_nothing(node: ast.stmt) -> bool:
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
            return name == "NotImplementedError"
    return False


def check_stub(
    stub: ast.Module, solution: ast.Module, names: Sequence[str], test: str, question: str
) -> Refusal | None:
    """Why a stub cannot stand for a question; None where it can.

    Args:
        names: functions and classes that the tests use; the solution defines them.
        question: what it was made of. Exceptions that it names have to be named by the stub.
    """
    if refusal := _with_bodies(stub, solution):
        return refusal
    if beside := next(filter(_is_beside, stub.body), None):
        known = {ast.unparse(node) for node in solution.body}
        if not isinstance(beside, ast.Assign | ast.AnnAssign) or ast.unparse(beside) not in known:
            return Refusal(RejectReason.MALFORMED_REPLY, f"the stub holds more than declarations, line {beside.lineno}")
    declared, wanted = definitions(stub), definitions(solution)
    used = {name: wanted[name] for name in names}
    for name in names:
        if isinstance(node := wanted[name], ast.ClassDef):
            used |= {key: one for key, one in wanted.items() if _is_used_method(key, node, test)}
    if why := _what_differs(declared, wanted, used):
        return Refusal(RejectReason.NO_CONTRACT, why)
    if silent := next((name for name in names if not _is_told(declared[name])), None):
        return Refusal(RejectReason.NO_CONTRACT, f"{silent} has no docstring that says what to do")
    told = ast.unparse(stub)
    if lost := sorted({name for name in _EXCEPTION.findall(question) if mentions(test, name)} - _words(told)):
        why = f"the stub leaves out {lost[0]}, which the question names and the tests expect"
        return Refusal(RejectReason.NO_CONTRACT, why)
    return None


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def _with_bodies(stub: ast.Module, solution: ast.Module) -> Refusal | None:
    if _bare(stub) == _bare(solution):
        return Refusal(RejectReason.UNCHANGED, "the stub is the solution")
    for name, node in definitions(stub).items():
        if not isinstance(node, ast.ClassDef) and not all(map(_says_nothing, node.body)):
            return Refusal(RejectReason.UNCHANGED, f"{name} is not a stub: it has a body")
    return None


def _bare(tree: ast.Module) -> str:
    """A program without its docstrings."""
    copied = parse(ast.unparse(tree))
    for node in ast.walk(copied):
        if isinstance(node, Definition | ast.Module):
            node.body = [one for one in node.body if not is_docstring(one)]
    return ast.dump(copied)


def _is_beside(node: ast.stmt) -> bool:
    return not isinstance(node, Definition | Import) and not is_docstring(node)


def _is_used_method(name: str, owner: ast.ClassDef, test: str) -> bool:
    """Whether tests use a method of a class: they name it, or it is called without being named."""
    prefix, _, method = name.partition("#")[0].rpartition(".")
    return prefix == owner.name and (method == "__init__" or (not method.startswith("_") and mentions(test, method)))


def _what_differs(
    declared: Mapping[str, Definition], wanted: Mapping[str, Definition], used: Mapping[str, Definition]
) -> str:
    if missing := next((name for name in used if name not in declared), ""):
        return f"the stub does not declare {missing}"
    if strange := next((name for name in declared if name not in wanted), ""):
        return f"the stub declares {strange}, which the solution does not define"
    for name, node in declared.items():
        mine, theirs = _form(node), _form(wanted[name])
        if mine != theirs:
            return f"the stub declares `{mine}`, and the solution defines `{theirs}`"
    return ""


def _form(node: Definition) -> str:
    """All of a declaration that a caller depends on: its kind, and parameters with their kinds and defaults, without
    annotations."""
    if isinstance(node, ast.ClassDef):
        bases = [ast.unparse(one) for one in [*node.bases, *node.keywords]]
        marks = [f"@{ast.unparse(one)}" for one in node.decorator_list]
        methods = {one.name for one in node.body if isinstance(one, Function)}
        fields = [] if "__init__" in methods else [*_fields(node)]
        return "; ".join([*marks, f"class {node.name}({', '.join(bases)})", *fields])
    keyword = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    kinds = [f"@{mark} " for mark in ("property", "staticmethod", "classmethod") if mark in _marks(node)]
    return f"{''.join(kinds)}{keyword} {node.name}({_parameters(node.args)})"


def _fields(node: ast.ClassDef) -> Iterator[str]:
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            yield one.target.id + (f" = {ast.unparse(one.value)}" if one.value else "")


def _marks(node: Function) -> set[str]:
    return {one.id for one in node.decorator_list if isinstance(one, ast.Name)}


def _parameters(arguments: ast.arguments) -> str:
    copied = parse(f"def f({ast.unparse(arguments)}): ...").body[0]
    assert isinstance(copied, ast.FunctionDef)
    for node in ast.walk(copied.args):
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.unparse(copied.args)


def _is_told(node: Definition) -> bool:
    """Whether a function, or a class or one of its methods, has a docstring."""
    inner = node.body if isinstance(node, ast.ClassDef) else []
    return any((ast.get_docstring(one) or "").strip() for one in (node, *inner) if isinstance(one, Definition))


def unbound_names(stub: ast.Module) -> list[str]:
    """Names that a stub uses and does not define, in annotations for instance, in order of appearance."""
    bound = set(dir(builtins)) | {"self"}
    for node in ast.walk(stub):
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                bound |= {alias.asname or alias.name.partition(".")[0] for alias in names}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                bound.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
    used = [node.id for node in ast.walk(stub) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    return list(dict.fromkeys(name for name in used if name not in bound))


def import_lines(tree: ast.Module) -> dict[str, str]:
    """The imports of a program's top level: the statement that imports it alone, by the name that it binds."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, Import):
            for alias in node.names:
                only: Import = ast.Import([alias])
                if isinstance(node, ast.ImportFrom):
                    only = ast.ImportFrom(node.module, [alias], node.level)
                found[alias.asname or alias.name] = ast.unparse(only)
    return found


def preamble(tree: ast.Module) -> dict[str, str]:
    """What a program's top level imports, and assigns to one name at a time, by the name; aliases of types are such."""
    found = import_lines(tree)
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.setdefault(name, ast.unparse(node))
    return found
