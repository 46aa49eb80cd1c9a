"""Method 4: a question grounded in one page of documentation, here the docstrings of installed packages."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tasks.errors import BadInput
from tasks.models import Provenance, Seed, Subset
from tasks.settings import SeedOptions
from tasks.sourcing.packages import SourceFile, source_files, wanted
from tasks.syntax import parse

MIN_CHARACTERS = 400
MAX_CHARACTERS = 12_000


def docstrings(file: SourceFile) -> Iterator[tuple[str, str]]:
    """(qualified name, docstring) of each public function, class and method of a file, by parse alone."""
    module = file.path.removesuffix(".py").replace("/", ".")

    def visit(node: ast.AST, prefix: str) -> Iterator[tuple[str, str]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if child.name.startswith("_"):
                    continue
                name = f"{prefix}.{child.name}"
                if text := ast.get_docstring(child):
                    yield name, text
                if isinstance(child, ast.ClassDef):
                    yield from visit(child, name)

    try:
        tree = parse(file.text)
    except SyntaxError:  # a template or a file for another Python: no pages in it
        return
    yield from visit(tree, module)


def read_seeds(subset: Subset, options: SeedOptions) -> Iterator[Seed]:
    """One seed per docstring of bounded length, with the library and version that its solutions may use.

    Raises:
        BadInput: a package is not installed, or a path was given.
    """
    if options.path:
        raise BadInput(f"subset {subset} reads docstrings of installed packages, not {options.path!r}. Give `packages`")
    for package in options.packages:
        for file in source_files(package):
            for name, text in docstrings(file):
                if MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS and wanted(name, options.include):
                    yield Seed(
                        seed_id=f"{package}:{name}",
                        subset=subset,
                        text=text,
                        title=name,
                        libraries=[f"{package}=={file.version}"],
                        source=Provenance(origin=package, version=file.version, path=name, licence=file.licence),
                    )
