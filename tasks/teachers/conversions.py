"""How the demo teacher tells a task in another style: as an entry of its transcripts has it, else as a stub that is put
together from the entry's question and solution."""

from __future__ import annotations

import ast
import json
import re
import textwrap
from typing import Any

from tasks.syntax import header, parse

_IMPORTED = re.compile(r"^from solution import (?:\(([^)]*)\)|(.+))$", re.MULTILINE)
_ABSTAINS = "NOT_CONVERTIBLE: I have no transcript of this task as a program that reads its input."
Function = ast.FunctionDef | ast.AsyncFunctionDef


def completion(entry: dict[str, Any], prompt: str) -> str:
    """The reply to a prompt that asks for a stub.

    Args:
        prompt: holds the solution that the stub is to be of.
    """
    if "completion" in entry:
        told = str(entry["completion"])
        return told if told.startswith("NOT_CONVERTIBLE") else _in_tags("Completion", told)
    attempts = [one for one in entry["attempts"] if "solution" in one]
    chosen = next((one for one in attempts if one["solution"].strip() in prompt), attempts[0])
    test = chosen.get("test") or next(other["test"] for other in entry["attempts"] if "test" in other)
    return _in_tags("Completion", _stub(chosen["solution"], _names(test), entry["question"]))


def problem(entry: dict[str, Any]) -> str:
    """The reply to a prompt that asks for a problem with standard input and output."""
    if "problem" not in entry:
        return _ABSTAINS
    told = entry["problem"]
    if isinstance(told, str):
        return told
    inputs = [{"stdin": one[0], "stdout": one[1]} for one in told["inputs"]]
    return (
        f"<|Question Begin|>\n{told['statement']}<|Question End|>\n\n{_in_tags('Driver', told['driver'])}\n"
        f"<|Inputs Begin|>\n```json\n{json.dumps({'inputs': inputs})}\n```\n<|Inputs End|>\n"
    )


def _in_tags(name: str, code: str) -> str:
    return f"<|{name} Begin|>\n```python\n{code}```\n<|{name} End|>\n"


def _names(test: str) -> list[str]:
    listed = ",".join(one[0] or one[1] for one in _IMPORTED.findall(test))
    return [name.split(" as ")[0].strip() for name in listed.split(",") if name.strip()]


def _stub(solution: str, names: list[str], question: str) -> str:
    """The declarations of some names; the first one says what is to be done."""
    tree = parse(solution)
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    told = dict.fromkeys(names, "As the task above says.") | {names[0]: question.strip()}
    declared = [
        _class(node, told[node.name]) if isinstance(node, ast.ClassDef) else _function(node, told[node.name])
        for node in sorted(_definitions(tree), key=lambda one: names.index(one.name) if one.name in names else -1)
        if node.name in names
    ]
    parts = ["\n".join(imports)] if imports else []
    return "\n\n\n".join([*parts, *declared]) + "\n"


def _definitions(tree: ast.Module) -> list[Function | ast.ClassDef]:
    return [node for node in tree.body if isinstance(node, Function | ast.ClassDef)]


def _function(node: Function, says: str) -> str:
    return f"{header(node)}:\n{_docstring(says)}"


def _class(node: ast.ClassDef, says: str) -> str:
    marks = [f"@{ast.unparse(one)}\n" for one in node.decorator_list]
    bases = ", ".join(ast.unparse(one) for one in [*node.bases, *node.keywords])
    parts = [_docstring(says)]
    parts += [textwrap.indent(ast.unparse(one), "    ") for one in node.body if isinstance(one, ast.AnnAssign)]
    for one in node.body:
        if isinstance(one, Function) and (one.name == "__init__" or not one.name.startswith("_")):
            kinds = "".join(f"@{ast.unparse(mark)}\n" for mark in one.decorator_list)
            parts.append(textwrap.indent(f"{kinds}{header(one)}: ...", "    "))
    return f"{''.join(marks)}class {node.name}{f'({bases})' if bases else ''}:\n" + "\n\n".join(parts)


def _docstring(says: str) -> str:
    raw = "r" if "\\" in says else ""
    quotes = "'''" if '"""' in says or says.endswith('"') else '"""'
    return textwrap.indent(f"{raw}{quotes}{says}\n{quotes}", "    ", lambda line: bool(line.strip()))
