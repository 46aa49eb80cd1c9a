"""What MkDocs calls: pages of the repository beyond docs/ are taken in, the reference is made, links are led there.

Links are written as they work in the repository. A page of docs/ that links to ``../benchmarks/README.md`` finds it in
the site at ``benchmarks/README.md``, and the README at the top, which is the first page, finds ``docs/guide.md`` at
``guide.md``.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs.builder import commands, data, settings

ROOT = Path(__file__).resolve().parents[2]
TAKEN_IN = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "benchmarks/corpora/*/README.md")
"""Pages of the repository outside docs/ that the site has, as globs."""
_LINK = re.compile(r"(\]\()([^)#\s]+)([^)]*\))")


def reference() -> dict[str, str]:
    """The generated pages, by their place in the site."""
    return {**settings.pages(), **commands.pages(), **data.pages()}


def taken_in() -> dict[str, Path]:
    """Pages of the repository outside docs/, by their place in the site, which is that in the repository."""
    found = [path for pattern in TAKEN_IN for path in sorted(ROOT.glob(pattern))]
    return {path.relative_to(ROOT).as_posix(): path for path in found}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for place, path in taken_in().items():
        files.append(File.generated(config, place, content=path.read_text()))
    for place, text in reference().items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    return led(markdown, page.file.src_uri)


def led(markdown: str, place: str) -> str:
    """A page with the links that cross the edge of docs/ as they are in the site.

    Args:
        markdown: the page as the repository has it.
        place: its place in the site.
    """
    outside = place in taken_in()
    here = posixpath.dirname(place if outside else f"docs/{place}")

    def lead(link: re.Match[str]) -> str:
        target = link[2]
        if ":" in target or target.startswith("/"):
            return link[0]
        there = posixpath.normpath(posixpath.join(here, target))
        if there.startswith("docs/") is not outside:
            return link[0]  # both within docs/, or both outside of it
        there = there.removeprefix("docs/")
        return f"{link[1]}{os.path.relpath(there, posixpath.dirname(place) or '.')}{link[3]}"

    return _LINK.sub(lead, markdown)
