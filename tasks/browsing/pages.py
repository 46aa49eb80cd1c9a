"""The browser's pages: Jinja templates in which everything that comes from a run is escaped, and keys are hidden."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import cache, lru_cache
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tasks.redaction import hider, without_known

LONGEST = 100_000
"""Characters of a text that a page shows."""
LONGEST_START = 200
"""Of a text that a list shows the beginning of."""
LONGEST_COLOURED = 30_000
"""Longer programs are shown without colours, which take time that grows with the text."""
_BLANK = re.compile(r"\s{300}")
"""A program with so much nothing is shown without, too: what finds docstrings goes through all of it at each line."""
SHARED = "report.css"
"""The style of a run's report, colours included, which the pages add to."""
ASSETS = {SHARED: "text/css", "browse.css": "text/css", "browse.js": "text/javascript"}
_FORMATTER = HtmlFormatter(nowrap=True, classprefix="s-")
_hide: ContextVar[Callable[[str], str]] = ContextVar("hide", default=without_known)
"""Takes what is secret out of the texts of the page that is made."""


def render(template: str, **values: Any) -> str:
    """A page, or a part of one."""
    before = _hide.set(hider())
    try:
        return _environment().get_template(f"{template}.html.j2").render(**values)
    finally:
        _hide.reset(before)


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
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "text": text,
        "start": start,
        "python": python,
        "percent": percent,
        "number": number,
        "query": query,
    }
    return made


def _finalized(value: object) -> object:
    """What stands for the value of an expression; markup was made of texts without what is secret."""
    return _hide.get()(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def text(value: str) -> str:
    """A text as it may be shown: what this process knows to be secret is hidden, and no more than fits a page."""
    shown = _hide.get()(value)
    if len(shown) <= LONGEST:
        return shown
    return f"{shown[:LONGEST]}\n… {len(shown) - LONGEST:,} characters more"


def start(value: str) -> str:
    """The beginning of a text, likewise."""
    return _hide.get()(value)[:LONGEST_START]


def python(value: str) -> Markup:
    """A program with its parts in classes of colour; escaped, each line in an element of its own."""
    return _coloured(text(value))


@lru_cache(maxsize=256)
def _coloured(shown: str) -> Markup:
    is_plain = len(shown) > LONGEST_COLOURED or _BLANK.search(shown)
    marked = str(escape(shown)) if is_plain else highlight(shown, _lexer(), _FORMATTER)
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
