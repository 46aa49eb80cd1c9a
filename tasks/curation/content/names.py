"""What the names in a source stand for, as far as its text tells: imports, assignments, and places of paths."""

from __future__ import annotations

import ast
import builtins
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

Place = Literal["inside", "outside", "unknown"]
"""Of a path: below the folder that the code runs in or a temporary one; certainly elsewhere; not told."""

_SCRATCH = re.compile(r"(?:/private)?(?:/var)?/tmp(?:/|$)|/dev/(?:null|shm/|std|fd/)")
_ABSOLUTE = re.compile(r"[/~\\]|[A-Za-z]:[\\/]")
_FIXTURES = frozenset({"tmp_path", "tmpdir", "tmp_path_factory", "tmpdir_factory"})
"""Pytest's own temporary folders."""
_KEEPS = frozenset({"str", "pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath", "os.fspath", "os.fsdecode"})
_KEEPS_TOO = frozenset({"os.path.abspath", "os.path.normpath", "os.path.realpath", "os.path.expandvars"})
_DEEPEST = 50


def literal_place(path: str) -> Place:
    """
    >>> literal_place("out/table.csv"), literal_place("../table.csv"), literal_place("/tmp/table.csv")
    ('inside', 'outside', 'inside')
    """
    if ".." in re.split(r"[/\\]", path):
        return "outside"
    return "outside" if _ABSOLUTE.match(path) and not _SCRATCH.match(path) else "inside"


class Names:
    """The names of one source.

    Args:
        nodes: all nodes of its tree.
    """

    def __init__(self, nodes: Sequence[ast.AST]) -> None:
        self.modules: set[str] = set()
        self._aliases: dict[str, str] = {}
        self._starred: list[str] = []
        self._values: dict[str, list[ast.expr]] = defaultdict(list)
        self._defined: set[str] = set()
        self._parameters: set[str] = set()
        self._places: dict[str, Place | None] = {}
        for node in nodes:
            self._read_import(node)
            self._read_binding(node)

    def _read_import(self, node: ast.AST) -> None:
        match node:
            case ast.Import(names=names):
                for one in names:
                    self.modules.add(one.name)
                    self._aliases[one.asname or one.name.partition(".")[0]] = (
                        one.name if one.asname else one.name.partition(".")[0]
                    )
            case ast.ImportFrom(module=str(module), names=names):
                self.modules.add(module)
                for one in names:
                    if one.name == "*":
                        self._starred.append(module)
                    else:
                        self._aliases[one.asname or one.name] = f"{module}.{one.name}"

    def _read_binding(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                self._bind(target, value)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._bind(target, value)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                self._bind(target, value)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self._defined.add(name)
            case ast.arg(arg=name):
                self._parameters.add(name)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            for one in target.elts:
                self._bind(one, value)
        elif isinstance(target, ast.Name | ast.Attribute):
            self._values[ast.unparse(target)].append(value)

    def qualified(self, node: ast.expr, depth: int = 0) -> str:
        """The dotted name of what an expression is, through imports, ``getattr`` and ``__import__``; empty where it is
        no name. What is called is followed by ``()``, as in ``pathlib.Path().unlink``."""
        if depth > _DEEPEST:
            return ""
        match node:
            case ast.Name(id=name):
                return self._of_name(name, depth)
            case ast.Attribute(value=value, attr=name):
                before = self.qualified(value, depth + 1)
                return f"{before}.{name}" if before else ""
            case ast.Call():
                return self._of_call(node, depth)
        return ""

    def _of_call(self, node: ast.Call, depth: int) -> str:
        name = self.qualified(node.func, depth + 1)
        match name, node.args:
            case "getattr", [value, ast.Constant(value=str(attribute)), *_]:
                before = self.qualified(value, depth + 1)
                return f"{before}.{attribute}" if before else ""
            case "__import__" | "importlib.import_module", [ast.Constant(value=str(module)), *_]:
                return module
        return f"{name}()" if name else ""

    def _of_name(self, name: str, depth: int) -> str:
        if name in self._aliases:
            return self._aliases[name]
        if name in self._defined | self._parameters:
            return ""
        if values := self._values.get(name):
            told = self.qualified(values[0], depth + 1) if len(values) == 1 else ""
            return "" if told == name else told
        for module in self._starred:
            if module in ("os", "shutil", "subprocess", "socket", "os.path", "pathlib"):
                return f"{module}.{name}"
        return name if hasattr(builtins, name) else ""

    def place(self, node: ast.expr, depth: int = 0) -> Place:
        """Where a path leads. A relative path is taken to stay below the folder unless it says ``..``, and a name that
        is bound more than once leads where all its values do."""
        if depth > _DEEPEST:
            return "unknown"
        match node:
            case ast.Constant(value=str(path)):
                return literal_place(path)
            case ast.Constant(value=bytes(path)):
                return literal_place(path.decode("latin-1"))
            case ast.Constant():
                return "inside"
            case ast.JoinedStr(values=[first, *rest]):
                return self._joined([first, *rest], depth)
            case ast.FormattedValue(value=value) | ast.Subscript(value=value) | ast.Starred(value=value):
                return self.place(value, depth + 1)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._joined([left, right], depth, as_paths=True)
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
                return self._joined([left, right], depth)
            case ast.IfExp(body=body, orelse=other) | ast.BoolOp(values=[body, other]):
                return _worst([self.place(body, depth + 1), self.place(other, depth + 1)])
            case ast.Name() | ast.Attribute():
                return self._named_place(node, depth)
            case ast.Call(func=func, args=args):
                return self._called_place(func, args, depth)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return _worst([self.place(part, depth + 1) for part in parts])
        return "unknown"

    def _named_place(self, node: ast.Name | ast.Attribute, depth: int) -> Place:
        name = ast.unparse(node)
        values = self._values.get(name, [])
        if name in _FIXTURES and not values:
            return "inside"
        if not values:
            if isinstance(node, ast.Attribute) and node.attr in ("name", "stem", "path"):
                return self.place(node.value, depth + 1)
            return "unknown"
        if name not in self._places:
            self._places[name] = None  # what a name says of itself, as in path = path / "x", says nothing
            found = [self.place(value, depth + 1) for value in values if not self._is_itself(value)]
            found += ["unknown"] * (name in self._parameters - _FIXTURES)
            self._places[name] = _worst(found)
        return self._places[name] or "unknown"

    def _is_itself(self, value: ast.expr) -> bool:
        return any(
            self._places.get(ast.unparse(part), "") is None
            for part in ast.walk(value)
            if isinstance(part, ast.Name | ast.Attribute)
        )

    def _called_place(self, func: ast.expr, args: Sequence[ast.expr], depth: int) -> Place:
        name = self.qualified(func)
        if name in ("pathlib.Path.home", "os.path.expanduser"):
            return "outside"
        if name.startswith("tempfile.") or (name in ("os.getcwd", "pathlib.Path.cwd", "os.listdir") and not args):
            return "inside"
        if name in _KEEPS | _KEEPS_TOO | {"os.path.join"} and args:
            return self._joined(args, depth, as_paths=True)
        if name in ("os.listdir", "os.scandir", "os.walk", "glob.glob", "glob.iglob") and args:
            return self.place(args[0], depth + 1)
        if isinstance(func, ast.Attribute) and not name.startswith(("os.", "sys.")):
            return self._joined([func.value, *args], depth)
        return "unknown"

    def _joined(self, parts: Sequence[ast.expr], depth: int, *, as_paths: bool = False) -> Place:
        """Of parts put together: where the first leads, unless a later one climbs up or, of paths, is absolute."""
        for part in parts[1:]:
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                path = part.value if as_paths else part.value.lstrip("/~\\")
                if literal_place(path) == "outside":
                    return "outside"
        return self.place(parts[0], depth + 1)


def _worst(places: Sequence[Place]) -> Place:
    order: list[Place] = ["outside", "unknown", "inside"]
    return min(places, key=order.index, default="unknown")


def calls(nodes: Sequence[ast.AST]) -> Iterator[ast.Call]:
    return (node for node in nodes if isinstance(node, ast.Call))


def argument(call: ast.Call, position: int, *keywords: str) -> ast.expr | None:
    """An argument by its position or one of its names."""
    for keyword in call.keywords:
        if keyword.arg in keywords:
            return keyword.value
    return call.args[position] if len(call.args) > position else None
