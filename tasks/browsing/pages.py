"""The browser's pages: Jinja templates in which everything that comes from a run is escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache, lru_cache
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tasks.redaction import without_known

LONGEST = 100_000
"""Characters of a text that a page shows."""
LONGEST_COLOURED = 30_000
"""Longer programs are shown without colours, which take time that grows with the text."""
SHARED = "report.css"
"""The style of a run's report, colours included, which the pages add to."""
ASSETS = {SHARED: "text/css", "browse.css": "text/css", "browse.js": "text/javascript"}
_FORMATTER = HtmlFormatter(nowrap=True, classprefix="s-")


def render(template: str, **values: Any) -> str:
    """A page, or a part of one."""
    return _environment().get_template(f"{template}.html.j2").render(**values)


@cache
def asset(name: str) -> bytes:
    """A file of the pages' own."""
    folder = resources.files("tasks.reporting") if name == SHARED else resources.files("tasks.browsing") / "static"
    return (folder / name).read_bytes()


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("tasks.browsing", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "text": text,
        "python": python,
        "percent": percent,
        "number": number,
        "query": query,
        "pretty": pretty,
    }
    return made


def text(value: str) -> str:
    """A text as it may be shown: what this process knows to be secret is hidden, and no more than fits a page."""
    if len(value) <= LONGEST:
        return without_known(value)
    return f"{without_known(value[:LONGEST])}\n… {len(value) - LONGEST:,} characters more"


@lru_cache(maxsize=256)
def python(value: str) -> Markup:
    """A program with its parts in classes of colour; escaped, each line in an element of its own."""
    shown = text(value)
    marked = highlight(shown, _lexer(), _FORMATTER) if len(shown) <= LONGEST_COLOURED else str(escape(shown))
    return Markup(marked)  # noqa: S704 - Pygments escapes what it formats


@cache
def _lexer() -> PythonLexer:
    return PythonLexer(stripnl=False, ensurenl=False)


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def number(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def query(pairs: Iterable[tuple[str, str]]) -> str:
    """As a query string; in an attribute Jinja escapes it once more."""
    return urlencode(list(pairs))


def pretty(value: str) -> str:
    """JSON indented; anything else as it is."""
    try:
        return json.dumps(json.loads(value), indent=1, ensure_ascii=False)
    except ValueError:
        return value
