"""A catalogue of packages and their APIs: the seeds of Package where no file of instructions is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tasks.errors import BadInput
from tasks.models import Provenance, Reject, Seed
from tasks.settings import SeedOptions
from tasks.sourcing import seed_questions
from tasks.sourcing.documents import module_of, public
from tasks.sourcing.snippets import is_test
from tasks.sourcing.trees import SourceFile, source_files, wanted
from tasks.syntax import parsed

MIN_MEMBERS = 2
MAX_CHARACTERS = 6000
_LONGEST_SIGNATURE = 400


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    if isinstance(node, ast.ClassDef):
        made = next((one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"), None)
        return _signature(made) if made else ""
    return re.sub(
        r"^\((self|cls)(, |\))", lambda found: "()" if found[2] == ")" else "(", f"({ast.unparse(node.args)})"
    )


def members(file: SourceFile) -> list[str]:
    """A line per public function, class and method that has a docstring: name, signature, first line of it."""
    tree = parsed(file.text)
    if tree is None:
        return []
    lines = []
    for name, node in public(tree):
        told = (ast.get_docstring(node) or "").strip().partition("\n\n")[0]
        signature = _signature(node)
        if told and len(signature) <= _LONGEST_SIGNATURE:
            lines.append(f"{name}{signature}: {' '.join(told.split())}")
    return lines


def read_seeds(subset: str, options: SeedOptions) -> Iterator[Seed | Reject]:
    """One seed per module that has an API, or per row of a file of instructions.

    Raises:
        BadInput: a package is not installed, or what ``seed_questions.read_seeds`` raises.
    """
    if options.path and options.packages:
        raise BadInput(
            f"subset {subset} reads a file of instructions or packages, not both. Leave out path or packages"
        )
    if options.path:
        yield from seed_questions.read_seeds(subset, options, usual="package_instruct")
        return
    for file in source_files(options, (".py",)):
        module = module_of(file.path)
        if is_test(file.path) or not wanted(options, file.path, module):
            continue
        lines = members(file)
        if len(lines) < MIN_MEMBERS:
            continue
        text = ""
        for line in lines:
            if len(text) + len(line) >= MAX_CHARACTERS:
                break
            text += f"{line}\n"
        yield Seed(
            seed_id=f"{file.origin}:{module}",
            subset=subset,
            text=text,
            title=module,
            topic=file.origin,
            libraries=options.libraries or [f"{file.origin}=={file.version}"],
            source=Provenance(origin=file.origin, version=file.version, path=module, licence=file.licence),
        )
