"""Which tests can judge from a process of their own, and what a solution that shares their process must not use.

The tests alone decide the tier: a solution must not be able to choose the weaker one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from tasks.execution.expected import module_names, star_names
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
        "test_solution",
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
        alias.asname or alias.name.partition(".")[0]: alias.name if alias.asname else alias.name.partition(".")[0]
        for node in parts
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in parts:
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute, ctx=ast.Store()) if owner in modules:
                return f"line {node.lineno} changes {owner}.{attribute}"
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if _is_member(
                modules.get(owner, owner), attribute
            ):
                return f"line {node.lineno} uses {modules.get(owner, owner)}.{attribute}"
            case ast.Call(func=ast.Name(id="vars" | "dir"), args=[ast.Name(id=owner)]) if _is_member(
                modules.get(owner), "__dict__"
            ):
                return f"line {node.lineno} looks into {modules[owner]}"
            case ast.Import(names=names):
                found = next((alias.name for alias in names if alias.name.split(".")[0] in _FORGING_IMPORTS), "")
                if found:
                    return f"line {node.lineno} imports {found}"
            case ast.ImportFrom(module=str(module), names=names):
                if module.split(".")[0] in _FORGING_IMPORTS:
                    return f"line {node.lineno} imports {module}"
                if hidden := [alias.name for alias in names if _is_hidden(module, alias.name)]:
                    return f"line {node.lineno} imports {min(hidden)}"
            case ast.Name(id=name) if name in _FORGING_NAMES:
                return f"line {node.lineno} uses {name}"
            case ast.Attribute(attr=attribute) if attribute in _FORGING_ATTRIBUTES:
                return f"line {node.lineno} uses .{attribute}"
            case ast.Call(func=ast.Name(id="getattr" | "setattr"), args=[_, name, *_]) if not isinstance(
                name, ast.Constant
            ):
                return f"line {node.lineno} names an attribute that only the run will know"
            case ast.Call(
                func=ast.Name(id="getattr" | "setattr"), args=[ast.Name(id=owner), ast.Constant(value=str(name)), *_]
            ) if _is_hidden(modules.get(owner, ""), name):
                return f"line {node.lineno} uses .{name}"
            case ast.Constant(value=str(text)):
                if found := next((word for word in _FORGING_TEXTS if word in text), ""):
                    return f"line {node.lineno} has the text {found!r}"
    return blind_comparison(solution)


def _is_member(module: str | None, name: str) -> bool:
    return (module, name) in _FORGING_MEMBERS or (name == "__dict__" and module in {of for of, _ in _FORGING_MEMBERS})


def _is_hidden(module: str, name: str) -> bool:
    """Whether a name out of a module, or out of anything, is a means to forge; ``*`` where one would be among them."""
    return name in _FORGING_ATTRIBUTES or _is_member(module, "__dict__" if name == "*" else name)


def blind_comparison(solution: str) -> str:
    """Where a solution defines an equality that does not look at what it compares with; empty where nowhere.

    An object with such a one equals what the tests expect, whichever tier they run in, where they ask it.

    Raises:
        SyntaxError: the solution does not parse.
    """
    parts = nodes(solution)
    functions = {node.name: node for node in parts if isinstance(node, ast.FunctionDef)}
    for line, name, value in _bound(parts):
        found = functions.get(value.id) if isinstance(value, ast.Name) else value
        if name in ("__eq__", "__ne__") and isinstance(found, ast.FunctionDef | ast.Lambda) and _ignores_other(found):
            return f"line {line} defines {name} that does not look at what it compares with"
    return ""


def _bound(parts: Iterable[ast.AST]) -> Iterator[tuple[int, str, ast.AST]]:
    """(line, name, value) of what a source gives a name, be it in a class, from outside, or for ``type(...)``."""
    for node in parts:
        match node:
            case ast.FunctionDef(name=name):
                yield node.lineno, name, node
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
                    yield node.lineno, name, value
            case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str(name)), value]):
                yield node.lineno, name, value
            case ast.Dict(keys=keys, values=values):
                for key, value in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield node.lineno, key.value, value


_HOOKS = re.compile(r"(setup|teardown)(_module|_function)?|setUpModule|tearDownModule|load_tests|pytest\w*")
"""What pytest takes of the tests' module beside tests, and calls."""


def taken_over(solution: str, test: str) -> str:
    """What a solution has that a star import must not give to tests; empty where it has nothing of the kind.

    Raises:
        SyntaxError: one of them does not parse.
    """
    if not any(
        isinstance(node, ast.ImportFrom)
        and node.module == "solution"
        and any(alias.name == "*" for alias in node.names)
        for node in nodes(test)
    ):
        return ""
    made, imported = module_names(solution)
    withheld = star_names(test)[1]
    found = sorted(made & {*withheld, *({"__getattr__"} if withheld else ())})
    found += sorted(filter(_HOOKS.fullmatch, made | imported))
    return f"it defines {found[0]}, which the tests would take" if found else ""


def _ignores_other(function: ast.FunctionDef | ast.Lambda) -> bool:
    """Whether a comparison method never reads its second argument."""
    if len(function.args.args) < 2:
        return True
    other = function.args.args[1].arg
    return not any(isinstance(node, ast.Name) and node.id == other for node in ast.walk(function))
