"""Which tests can judge from a process of their own, and what a solution that shares their process must not use.

The tests alone decide the tier: a solution must not be able to choose the weaker one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Set

from tasks.execution.expected import module_names
from tasks.syntax import nodes

_IMPORTS = frozenset(
    [
        "solution",
        "pytest",
        "unittest",
        "math",
        "cmath",
        "random",
        "itertools",
        "functools",
        "collections",
        "heapq",
        "bisect",
        "operator",
        "string",
        "re",
        "decimal",
        "fractions",
        "statistics",
        "datetime",
        "time",
        "json",
        "typing",
        "dataclasses",
        "copy",
        "numbers",
        "textwrap",
        "array",
        "numpy",
        "__future__",
    ]
)
"""What tests may import and still not touch the solution's process from outside: nothing here patches or inspects."""
_FIXTURES = frozenset(
    [
        "capsys",
        "capfd",
        "capsysbinary",
        "capfdbinary",
        "monkeypatch",
        "tmp_path",
        "tmpdir",
        "tmp_path_factory",
        "tmpdir_factory",
        "caplog",
        "recwarn",
        "mocker",
        "request",
    ]
)
_SHARED_CALLS = {
    "open": "opens files",
    "input": "replaces input",
    "exec": "runs code from text",
    "eval": "runs code from text",
    "globals": "looks at its own names",
    "vars": "looks into objects",
    "setattr": "sets attributes by name",
    "delattr": "removes attributes by name",
}
_SHARED_ATTRIBUTES = {
    "seed": "seeds a random generator that the solution would have to share",
    "warns": "expects a warning",
    "deprecated_call": "expects a warning",
    "assertWarns": "expects a warning",
    "assertLogs": "expects log records",
    "mock": "mocks",
    "patch": "mocks",
    "__dict__": "looks into objects",
    "__code__": "looks into functions",
    "__globals__": "looks into functions",
    "__closure__": "looks into functions",
}


def why_shared(test: str) -> str:
    """Why tests need the solution in their own process; empty where they can be isolated from it.

    Raises:
        SyntaxError: the tests do not parse.
    """
    found = nodes(test)
    ours = _solution_names(found)
    for node in found:
        if why := _why(node, ours):
            return f"line {getattr(node, 'lineno', 0)}: {why}"
    return ""


def _solution_names(found: Iterable[ast.AST]) -> set[str]:
    names = set()
    for node in found:
        if isinstance(node, ast.ImportFrom) and node.module == "solution":
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname or alias.name for alias in node.names if alias.name == "solution"}
    return names


def _why(node: ast.AST, ours: set[str]) -> str:
    match node:
        case ast.Import(names=names):
            return next((f"imports {alias.name}" for alias in names if _outside(alias.name)), "")
        case ast.ImportFrom(module=module, level=level):
            return f"imports {module}" if level or _outside(module or "") else ""
        case ast.AsyncFunctionDef() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
            return "is asynchronous"
        case ast.FunctionDef(args=arguments):
            used = _FIXTURES & {argument.arg for argument in arguments.args}
            return f"uses the fixture {min(used)}" if used else ""
        case ast.ClassDef(name=name, bases=bases):
            own = name.startswith("Test") or any(ast.unparse(base).endswith("TestCase") for base in bases)
            inherits = {part.id for base in bases for part in ast.walk(base) if isinstance(part, ast.Name)} & ours
            return f"derives {name} from the solution" if inherits else "" if own else f"has a class of its own, {name}"
        case ast.Call(func=ast.Name(id=name)) if _SHARED_CALLS.get(name):
            return _SHARED_CALLS[name]
        case ast.Attribute(attr=attribute) if attribute in _SHARED_ATTRIBUTES:
            return _SHARED_ATTRIBUTES[attribute]
        case ast.Attribute(value=ast.Name(id=owner), ctx=ast.Store() | ast.Del()) if owner in ours:
            return f"changes {owner} from outside"
    return ""


def _outside(module: str) -> bool:
    return module.partition(".")[0] not in _IMPORTS or module.startswith("unittest.")


_FORGING_IMPORTS = frozenset(
    [
        "_pytest",
        "pytest",
        "pluggy",
        "unittest",
        "gc",
        "ctypes",
        "_ctypes",
        "cffi",
        "importlib",
        "imp",
        "pkgutil",
        "runpy",
        "builtins",
        "site",
        "faulthandler",
        "linecache",
        "code",
        "codeop",
        "coverage",
        "sandbox_image",
        "conftest",
        "sitecustomize",
        "pdb",
        "bdb",
    ]
)
_FORGING_NAMES = frozenset(["eval", "exec", "compile", "__import__", "globals", "locals", "__builtins__", "breakpoint"])
_FORGING_ATTRIBUTES = frozenset(
    [
        "_getframe",
        "_current_frames",
        "meta_path",
        "path_hooks",
        "settrace",
        "setprofile",
        "excepthook",
        "unraisablehook",
        "_exit",
        "currentframe",
        "getouterframes",
        "getinnerframes",
        "walk_stack",
        "__subclasses__",
        "__globals__",
        "__builtins__",
        "__code__",
        "__closure__",
        "__mro__",
        "__bases__",
        "__base__",
        "__self__",
        "__loader__",
        "__spec__",
        "f_back",
        "f_globals",
        "f_locals",
        "f_builtins",
        "tb_frame",
        "tb_next",
        "gi_frame",
        "cr_frame",
        "ag_frame",
    ]
)
_FORGING_MEMBERS = {("sys", "modules"), ("inspect", "stack"), ("inspect", "getsource"), ("inspect", "trace")}
_FORGING_TEXTS = (
    "/proc",
    "test_solution",
    "conftest",
    "sitecustomize",
    "pytest",
    "__subclasses__",
    "__globals__",
    "_getframe",
)


def forging_means(solution: str) -> str:  # noqa: PLR0912 - a table
    """The first thing in a solution with which it could forge a verdict from within the tests' process.

    A screen, no boundary: it makes forging in the shared tier harder, and costs a pair that needs such means for
    honest work its verdict there. Empty where nothing is found.

    Raises:
        SyntaxError: the solution does not parse.
    """
    parts = nodes(solution)
    modules = {
        alias.asname or alias.name.partition(".")[0]
        for node in parts
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in parts:
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute, ctx=ast.Store()) if owner in modules:
                return f"line {node.lineno} changes {owner}.{attribute}"
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if (owner, attribute) in _FORGING_MEMBERS:
                return f"line {node.lineno} uses {owner}.{attribute}"
            case ast.Import(names=names):
                found = next((alias.name for alias in names if alias.name.split(".")[0] in _FORGING_IMPORTS), "")
                if found:
                    return f"line {node.lineno} imports {found}"
            case ast.ImportFrom(module=str(module), names=names):
                if module.split(".")[0] in _FORGING_IMPORTS:
                    return f"line {node.lineno} imports {module}"
                if hidden := _FORGING_ATTRIBUTES & {alias.name for alias in names}:
                    return f"line {node.lineno} imports {min(hidden)}"
            case ast.Name(id=name) if name in _FORGING_NAMES:
                return f"line {node.lineno} uses {name}"
            case ast.Attribute(attr=attribute) if attribute in _FORGING_ATTRIBUTES:
                return f"line {node.lineno} uses .{attribute}"
            case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, name, *_]) if not isinstance(
                name, ast.Constant
            ):
                return f"line {node.lineno} names an attribute that only the run will know"
            case ast.FunctionDef(name="__eq__" | "__ne__" as name) if _ignores_other(node):
                return f"line {node.lineno} defines {name} that does not look at what it compares with"
            case ast.Constant(value=str(text)):
                if found := next((word for word in _FORGING_TEXTS if word in text), ""):
                    return f"line {node.lineno} has the text {found!r}"
    return ""


def taken_over(solution: str, withheld: Set[str]) -> str:
    """Which of the names that a star import must not give to tests a solution has; empty where it has none.

    Raises:
        SyntaxError: the solution does not parse.
    """
    found = sorted(module_names(solution)[0] & {*withheld, "__getattr__"}) if withheld else []
    return f"it defines {found[0]}, which the tests would take" if found else ""


def _ignores_other(function: ast.FunctionDef) -> bool:
    """Whether a comparison method never reads its second argument."""
    if len(function.args.args) < 2:
        return True
    other = function.args.args[1].arg
    return not any(isinstance(node, ast.Name) and node.id == other for node in ast.walk(function))
