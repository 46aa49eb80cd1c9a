"""Method 4: a question grounded in one page of documentation: a docstring, or a page of a document."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tasks.models import Provenance, Reject, Seed
from tasks.settings import SeedOptions
from tasks.sourcing.pages import MAX_CHARACTERS, MIN_CHARACTERS, SUFFIXES, Page, Unreadable, pages
from tasks.sourcing.snippets import is_test, topic_of
from tasks.sourcing.trees import SourceFile, may_hold, source_files, told, wanted
from tasks.syntax import parsed

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def module_of(path: str) -> str:
    """The dotted name of a module, by its path."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def public(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """(qualified name, node) of each public function, class and method of a module, in order."""

    def visit(
        node: ast.AST, prefix: str
    ) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, _DEFINITIONS) and not child.name.startswith("_"):
                yield f"{prefix}{child.name}", child
                if isinstance(child, ast.ClassDef):
                    yield from visit(child, f"{prefix}{child.name}.")

    return visit(tree, "")


def docstrings(file: SourceFile) -> Iterator[tuple[str, str]]:
    """(qualified name, docstring) of each public function, class and method of a file, by parse alone."""
    if tree := parsed(file.text):
        for name, node in public(tree):
            if text := ast.get_docstring(node):
                yield f"{module_of(file.path)}.{name}", text


def _seed(subset: str, file: SourceFile, name: str, text: str, topic: str, libraries: list[str]) -> Seed:
    return Seed(
        seed_id=f"{file.origin}:{name}",
        subset=subset,
        text=text,
        title=name,
        topic=topic,
        libraries=libraries,
        source=Provenance(origin=file.origin, version=file.version, path=name, licence=file.licence),
    )


def read_seeds(subset: str, options: SeedOptions) -> Iterator[Seed | Reject]:
    """One seed per docstring or page of bounded length, with the libraries and versions that its solutions may use.

    Raises:
        BadInput: what ``source_files`` raises.
    """
    if options.path:
        yield from document_seeds(subset, options)
    for file in source_files(options.model_copy(update={"path": ""}), (".py",)):
        if is_test(file.path) and not file.path.endswith("/__init__.py"):
            continue
        if file.problem and told(options, file):
            yield file.unusable(subset, file.problem)
        if not may_hold(options, file.path, f"{module_of(file.path)}."):
            continue
        topic = ".".join(module_of(file.path).split(".")[:3])
        for name, text in dict(docstrings(file)).items():
            if MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS and wanted(options, file.path, name):
                libraries = options.libraries or [f"{file.origin}=={file.version}"]
                yield _seed(subset, file, name, text, topic, libraries)


def _pages(file: SourceFile) -> tuple[list[Page], str]:
    """(pages, what is wrong with the document)"""
    if file.problem:
        return [], file.problem
    try:
        return list(pages(file.path, file.text)), ""
    except Unreadable as error:
        return [], str(error)


def document_seeds(subset: str, options: SeedOptions) -> Iterator[Seed | Reject]:
    """One seed per page of the documents that ``options.path`` holds, and a reject per document that cannot be read.

    Raises:
        BadInput: what ``source_files`` raises.
    """
    for file in source_files(options.model_copy(update={"packages": []}), SUFFIXES):
        found, problem = _pages(file)
        if problem and told(options, file):
            yield file.unusable(subset, problem)
        for number, page in enumerate(found):
            name = f"{file.path}#{page.heading}" if page.heading else file.path
            if wanted(options, file.path, name):
                seed = _seed(subset, file, name, page.text, topic_of(file.path) or file.path, options.libraries)
                yield seed.model_copy(update={"seed_id": f"{seed.seed_id}#{number}"})
