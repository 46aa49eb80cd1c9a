"""Questions from a repository of the user's own: its functions, its documents, and the conventions that it keeps."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from tasks.models import Reject, Seed
from tasks.settings import Granularity, SeedOptions
from tasks.sourcing import snippets
from tasks.sourcing.documents import document_seeds
from tasks.sourcing.trees import SourceFile
from tasks.syntax import parsed

_MOST_NAMES = 8
_USUAL = 0.5
"""Share of a repository's functions from which a habit is a convention."""


def conventions(files: Iterator[SourceFile]) -> str:
    """What most functions of a repository have in common, in a few lines; empty where there are none."""
    counts: Counter[str] = Counter()
    raised: Counter[str] = Counter()
    imported: Counter[str] = Counter()
    for file in files:
        tree = parsed(file.text)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                counts.update(["functions", *_habits(node)])
            elif isinstance(node, ast.Raise):
                name = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                raised.update([name.id] if isinstance(name, ast.Name) else [])
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.update([node.module.partition(".")[0]])
            elif isinstance(node, ast.Import):
                imported.update(alias.name.partition(".")[0] for alias in node.names)
    total = counts.pop("functions", 0)
    lines = [habit for habit, count in counts.most_common() if count >= _USUAL * total]
    if raised:
        lines.append(f"errors raised: {', '.join(name for name, _ in raised.most_common(_MOST_NAMES))}")
    if imported:
        lines.append(f"modules used most: {', '.join(name for name, _ in imported.most_common(_MOST_NAMES))}")
    return "\n".join(f"- {line}" for line in lines)


def _habits(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    arguments = [one for one in [*node.args.args, *node.args.kwonlyargs] if one.arg not in ("self", "cls")]
    if node.returns is not None and all(one.annotation is not None for one in arguments):
        yield "arguments and results have type hints"
    if node.args.kwonlyargs:
        yield "options are keyword-only"
    if text := ast.get_docstring(node):
        yield "functions have docstrings"
        if re.search(r"^\s*(Args|Returns|Raises):$", text, re.MULTILINE):
            yield "docstrings have Google's sections (Args, Returns, Raises)"
        elif re.search(r"^\s*-{3,}$", text, re.MULTILINE):
            yield "docstrings have numpydoc's sections"
        elif ":param" in text:
            yield "docstrings have reStructuredText fields (:param, :returns:)"


def read_seeds(subset: str, options: SeedOptions) -> Iterator[Seed | Reject]:
    """One seed per function (or file, by ``granularity``) and per page of the documents of a repository.

    Raises:
        BadInput: what ``source_files`` raises.
    """
    told = conventions(snippets.code_files(options))
    code = snippets.read_seeds(
        subset, options.model_copy(update={"granularity": options.granularity or Granularity.BOTH})
    )
    for seed in chain(code, document_seeds(subset, options) if options.path else ()):
        yield seed if isinstance(seed, Reject) else seed.model_copy(update={"context": told})
