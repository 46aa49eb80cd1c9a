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
_LINE = re.compile(r"([^\n\r]*)(\r\n?|\n|\Z)")
"""As browsers and Python count them."""
_BLANK = re.compile(r"\s{300}")
"""A program with so much nothing is shown without, too: what finds docstrings goes through all of it at each line."""
MOST_NUMBERED = 10_000
"""Lines of a program; one with more is shown without numbers, which would keep a browser busy for seconds."""
MOST_DIGITS = 8
"""After the point, before a value is shown as it is."""
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
        "beside": beside,
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
    """A program with its parts in classes of colour; escaped, each line in an element of its own that has a number."""
    return _coloured(text(value))


@lru_cache(maxsize=256)
def _coloured(shown: str) -> Markup:
    is_plain = len(shown) > LONGEST_COLOURED or _BLANK.search(shown)
    marked = str(escape(shown)) if is_plain else highlight(shown, _lexer(), _FORMATTER)
    if not shown.endswith("\n"):
        marked = marked.removesuffix("\n")  # which Pygments ends each program with
    return Markup(_in_lines(marked))  # noqa: S704 - Pygments escapes what it formats


def _in_lines(marked: str) -> str:
    """Each line of a marked program in an element, which the style numbers.

    Pygments ends at the end of a line what it has begun in it.
    """
    if marked.count("\n") + marked.count("\r") > MOST_NUMBERED:
        return marked
    return _LINE.sub(lambda line: f'<span class="line">{line[1]}</span>{line[2]}' if line[0] else "", marked)


@cache
def _lexer() -> PythonLexer:
    return PythonLexer(stripnl=False, ensurenl=False)


def percent(value: float | None) -> str:
    """A share; only all of it is 100%."""
    if value is None:
        return ""
    return f"{value:.0%}" if value >= 1 else f"{min(value, 0.99):.0%}"


def beside(value: float | None, *bounds: float) -> str:
    """A value that stands beside its bounds: with two digits, or as many more as it takes to be on the same side."""
    if value is None:
        return ""
    shown = (f"{value:.{digits}f}" for digits in range(2, MOST_DIGITS))
    return next((one for one in shown if all((float(one) < x) == (value < x) for x in bounds)), repr(value))


def number(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def query(pairs: Iterable[tuple[str, str]]) -> str:
    """As a query string; in an attribute Jinja escapes it once more."""
    return urlencode(list(pairs))
