"""Documents cut into pages of bounded length, at their headings: HTML, reStructuredText, Markdown and notebooks."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

MIN_CHARACTERS = 400
MAX_CHARACTERS = 12_000
_CHROME = ("script", "style", "nav", "footer", "aside", "form", "noscript", "svg")
"""Elements of a page that are not its text."""
_DOCUTILS = {
    "report_level": 5,
    "halt_level": 5,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "doctitle_xform": False,
    "syntax_highlight": "none",
    "_disable_config": True,
}


class Unreadable(Exception):
    """A document that its parser gives up on."""


@dataclass(frozen=True)
class Page:
    """A piece of a document: the heading that it begins with (empty where none), and its text."""

    heading: str
    text: str


def _html(text: str) -> tuple[str, list[tuple[int, str]]]:
    from bs4 import BeautifulSoup  # noqa: PLC0415 - what reads documents takes long to import, here and below
    from markdownify import markdownify  # noqa: PLC0415

    soup = BeautifulSoup(text, "html.parser")
    for element in soup.find_all(_CHROME):
        element.decompose()
    for link in soup.select("a.headerlink"):
        link.decompose()
    main = soup.find("main") or soup.select_one("[role=main]") or soup.find("article") or soup.body or soup
    return _markdown(markdownify(str(main), heading_style="ATX", strip=["a", "img"]))


def _markdown(text: str) -> tuple[str, list[tuple[int, str]]]:
    from markdown_it import MarkdownIt  # noqa: PLC0415

    tokens = MarkdownIt("commonmark").parse(text)
    headings = [
        (token.map[0], following.content.strip())
        for token, following in pairwise(tokens)
        if token.type == "heading_open" and token.map
    ]
    return text, headings


def _notebook(text: str) -> tuple[str, list[tuple[int, str]]]:
    import nbformat  # noqa: PLC0415

    parts = []
    for cell in nbformat.reads(text, as_version=4).cells:  # type: ignore[no-untyped-call]
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code" and cell.source.strip():
            parts.append(f"```python\n{cell.source}\n```")
    return _markdown("\n\n".join(parts))


def _rst(text: str) -> tuple[str, list[tuple[int, str]]]:
    import docutils.core  # noqa: PLC0415
    from docutils import nodes  # noqa: PLC0415

    tree = docutils.core.publish_doctree(text, settings_overrides={**_DOCUTILS, "warning_stream": io.StringIO()})
    lines = text.split("\n")
    headings = []
    for title in tree.findall(nodes.title):
        if title.line is None or not isinstance(title.parent, nodes.section):
            continue
        start = title.line - 1  # docutils counts from 1 and names the line of the underline, or of the title
        if start > 0 and lines[start].strip() and _is_adornment(lines[start]):
            start -= 1
        if start > 0 and _is_adornment(lines[start - 1]):
            start -= 1
        headings.append((start, title.astext()))
    return text, headings


def _is_adornment(line: str) -> bool:
    return re.fullmatch(r"([^\w\s])\1+", line.strip()) is not None


_READERS: dict[str, Callable[[str], tuple[str, list[tuple[int, str]]]]] = {
    ".html": _html,
    ".htm": _html,
    ".md": _markdown,
    ".markdown": _markdown,
    ".ipynb": _notebook,
    ".rst": _rst,
    ".rst.txt": _rst,
}
SUFFIXES = tuple(_READERS)


def pages(name: str, text: str, longest: int = MAX_CHARACTERS, shortest: int = MIN_CHARACTERS) -> Iterator[Page]:
    """The pages of a document whose format its name tells.

    A page ends at a heading. Sections shorter than ``shortest`` characters join the one before them, one longer than
    ``longest`` is cut at an empty line.

    Raises:
        Unreadable: the document is not what its name says.
    """
    read = _READERS[max((suffix for suffix in SUFFIXES if name.endswith(suffix)), key=len)]
    try:
        text, headings = read(text.replace("\r\n", "\n"))
    except Exception as error:  # whatever a broken document makes its parser raise
        raise Unreadable(f"cannot be read as {name.rpartition('.')[2]}: {type(error).__name__}: {error}") from error
    lines = text.split("\n")
    starts = sorted({0: "", **dict(headings)}.items())
    ends = [start for start, _ in starts[1:]] + [len(lines)]
    held: Page | None = None
    for (start, heading), end in zip(starts, ends, strict=True):
        section = Page(heading, "\n".join(lines[start:end]).strip())
        if held and len(held.text) + len(section.text) + 2 <= longest and _joins(held, section, shortest):
            held = Page(held.heading or section.heading, f"{held.text}\n\n{section.text}".strip())
            continue
        if held:
            yield from _cut(held, longest, shortest)
        held = section
    if held:
        yield from _cut(held, longest, shortest)


def _joins(held: Page, section: Page, shortest: int) -> bool:
    return len(held.text) < shortest or len(section.text) < shortest


def _cut(page: Page, longest: int, shortest: int) -> Iterator[Page]:
    rest = page.text
    while len(rest) > longest:
        at = rest.rfind("\n\n", shortest, longest)
        at = at if at > 0 else longest
        yield Page(page.heading, rest[:at].strip())
        rest = rest[at:].strip()
    if len(rest) >= shortest:
        yield Page(page.heading, rest)
