"""What a solution uses, and what shape it has, in one walk over its syntax tree."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from tasks.syntax import parsed

_OF_NODES: dict[type[ast.AST], str] = {
    ast.ListComp: "comprehension",
    ast.SetComp: "comprehension",
    ast.DictComp: "comprehension",
    ast.GeneratorExp: "generator-expression",
    ast.Yield: "generator",
    ast.YieldFrom: "generator",
    ast.With: "context-manager",
    ast.AsyncWith: "context-manager",
    ast.Try: "exception-handling",
    ast.TryStar: "exception-handling",
    ast.Raise: "raising-errors",
    ast.Lambda: "lambda",
    ast.AsyncFunctionDef: "async",
    ast.Await: "async",
    ast.Match: "pattern-matching",
    ast.Slice: "slicing",
    ast.JoinedStr: "string-formatting",
    ast.BitAnd: "bitwise",
    ast.BitOr: "bitwise",
    ast.BitXor: "bitwise",
    ast.LShift: "bitwise",
    ast.RShift: "bitwise",
    ast.Invert: "bitwise",
    ast.While: "while-loop",
    ast.NamedExpr: "assignment-expression",
    ast.Starred: "unpacking",
    ast.Nonlocal: "closure",
    ast.Global: "global-state",
    ast.Assert: "assertions",
}
_OF_MODULES = {
    "re": "regex",
    "heapq": "heap",
    "bisect": "bisect",
    "itertools": "itertools",
    "functools": "functools",
    "dataclasses": "dataclass",
    "enum": "enum",
    "asyncio": "async",
    "threading": "threading",
    "datetime": "datetime",
    "decimal": "exact-arithmetic",
    "fractions": "exact-arithmetic",
    "random": "randomness",
    "json": "json",
    "csv": "csv",
    "sqlite3": "sql",
    "numpy": "numpy",
    "pandas": "pandas",
}
_OF_NAMES = {
    "deque": "deque",
    "Counter": "counter",
    "defaultdict": "defaultdict",
    "cache": "memoisation",
    "lru_cache": "memoisation",
    "cached_property": "memoisation",
    "memo": "memoisation",
    "sorted": "sorting",
    "sort": "sorting",
    "format": "string-formatting",
    "contextmanager": "context-manager",
    "super": "inheritance",
    "isinstance": "type-checks",
}
"""By what is called, imported or used as a decorator."""
_OWN = {"class", "recursion", "decorator", "typing", "operator-overloading", "inheritance"}
SKILLS = tuple(sorted({*_OF_NODES.values(), *_OF_MODULES.values(), *_OF_NAMES.values(), *_OWN}))
"""Every skill that ``read_program`` can tell."""

_LEFT_OUT = {"ctx", "annotation", "returns", "type_comment", "type_ignores", "type_params", "simple", "is_async"}
_FIELDS = {
    kind: tuple(name for name in kind._fields if name not in _LEFT_OUT)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_LEAVES = (ast.Constant, ast.Name, ast.alias, ast.arg, ast.Import, ast.ImportFrom)
for _leaf in _LEAVES:
    _FIELDS[_leaf] = ()
_DIGEST = 8
"""Bytes of a structure's hash."""


@dataclass
class Program:
    """What was read from a solution.

    Attributes:
        names: modules it imports, what it imports from them, functions and methods that it calls, and variables.
        structure: 16 hexadecimal digits; empty where the source does not parse.
    """

    skills: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    structure: str = ""


class _Reader:
    def __init__(self) -> None:
        self.skills: set[str] = set()
        self.modules: set[str] = set()
        self.names: set[str] = set()
        self.variables: set[str] = set()
        self._functions: list[tuple[str, int, int]] = []
        self._calls: list[tuple[str, int]] = []

    def imported(self, node: Any) -> None:
        if isinstance(node, ast.Import):
            self.modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif not node.level:
            self.modules.add(node.module.partition(".")[0])
            self.names |= {alias.name for alias in node.names}

    def call(self, node: Any) -> None:
        target = node.func
        if isinstance(target, ast.Name):
            name = target.id
        elif isinstance(target, ast.Attribute):
            name = target.attr
            if isinstance(target.value, ast.Attribute):  # as in numpy.linalg.det
                self.names.add(target.value.attr)
        else:
            return
        self.names.add(name)
        own = isinstance(target, ast.Name) or (isinstance(target.value, ast.Name) and target.value.id in _OWNERS)
        if own:
            self._calls.append((name, node.lineno))

    def function(self, node: Any) -> None:
        self._functions.append((node.name, node.lineno, node.end_lineno))
        arguments = node.args
        every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        if node.returns is not None or any(one.annotation is not None for one in every):
            self.skills.add("typing")
        if node.name.startswith("__") and node.name not in ("__init__", "__post_init__"):
            self.skills.add("operator-overloading")
        self._decorated(node)

    def class_(self, node: Any) -> None:
        self.skills.add("class")
        if node.bases:
            self.skills.add("inheritance")
        self._decorated(node)

    def _decorated(self, node: Any) -> None:
        for decorator in node.decorator_list:
            self.skills.add("decorator")
            target = decorator.func if isinstance(decorator, ast.Call) else decorator
            name = getattr(target, "id", "") or getattr(target, "attr", "")
            self.names.add(name)

    def variable(self, node: Any) -> None:
        if isinstance(node.ctx, ast.Store):
            self.variables.add(node.id)

    def argument(self, node: Any) -> None:
        self.variables.add(node.arg)

    def annotated(self, _: Any) -> None:
        self.skills.add("typing")

    def finish(self) -> None:
        spans: dict[str, list[tuple[int, int]]] = {}
        for name, start, end in self._functions:
            spans.setdefault(name, []).append((start, end))
        if any(start < line <= end for name, line in self._calls for start, end in spans.get(name, ())):
            self.skills.add("recursion")
        self.skills |= {_OF_MODULES[name] for name in self.modules & _OF_MODULES.keys()}
        self.skills |= {_OF_NAMES[name] for name in self.names & _OF_NAMES.keys()}


_OWNERS = {"self", "cls"}
_READ: dict[type[ast.AST], Callable[[_Reader, Any], None]] = {
    ast.Import: _Reader.imported,
    ast.ImportFrom: _Reader.imported,
    ast.Call: _Reader.call,
    ast.FunctionDef: _Reader.function,
    ast.AsyncFunctionDef: _Reader.function,
    ast.ClassDef: _Reader.class_,
    ast.AnnAssign: _Reader.annotated,
    ast.Name: _Reader.variable,
    ast.arg: _Reader.argument,
}


def _body(node: ast.AST, statements: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a block without its docstring."""
    first = statements[0] if statements and not isinstance(node, ast.Expression) else None
    is_docstring = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return statements[1:] if is_docstring else statements


def _walk(tree: ast.Module, reader: _Reader) -> str:
    """Let the reader see every node; the shape of the tree: kinds of nodes in order, and the lengths of their lists.

    Names, values, annotations, docstrings and what is imported are left out, operators stay.
    """
    shape: list[str] = []
    kinds: set[type[ast.AST]] = set()
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        kind = type(node)
        kinds.add(kind)
        shape.append(kind.__name__)
        if kind in _READ:
            _READ[kind](reader, node)
        for name in _FIELDS[kind]:
            value = getattr(node, name, None)
            if isinstance(value, list):
                if name == "body":
                    value = _body(node, value)
                shape.append(str(len(value)))
                stack += [one for one in value if isinstance(one, ast.AST)]
            elif isinstance(value, ast.AST):
                stack.append(value)
            else:
                shape.append("-" if value is None else "+")
    reader.skills |= {_OF_NODES[kind] for kind in kinds & _OF_NODES.keys()}
    return blake2b(" ".join(shape).encode(), digest_size=_DIGEST).hexdigest()


def read_program(source: str) -> Program:
    """Skills, libraries beyond the standard library, names and structure of a solution; nothing where it is no Python.

    Two sources have the same structure where they differ in names, constants, annotations, docstrings and imported
    modules only.
    """
    tree = parsed(source)
    if tree is None or not tree.body:
        return Program()
    reader = _Reader()
    structure = _walk(tree, reader)
    reader.finish()
    libraries = sorted(reader.modules - sys.stdlib_module_names - {"solution"})
    return Program(sorted(reader.skills), libraries, reader.names | reader.modules | reader.variables, structure)
