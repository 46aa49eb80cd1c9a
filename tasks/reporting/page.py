"""A report as one HTML file: it opens from disk, and asks nobody for anything.

All that comes from data is escaped: in the page by Jinja, in what scripts read as JSON without ``<``. Should something
slip through all the same, the policy of the page runs no script but its own two, which it knows by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import resources

import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from tasks.reporting.figures import Figures
from tasks.reporting.questions_map import QuestionsMap
from tasks.reporting.samples import Samples
from tasks.reporting.section import Cell, Section
from tasks.reporting.sections import headline, sections_of

_LARGE = 1000
"""Numbers from here on are told with one decimal, others by their first six digits."""
_DARK, _LIGHT = "#16181d", "#ffffff"
PAPERS = (_LIGHT, _DARK)
"""What charts are drawn on, in the light and in the dark scheme."""


def render(figures: Figures, found: QuestionsMap, samples: Samples) -> bytes:
    """The page, UTF-8."""
    models = ", ".join(figures.summary.models) or "nobody"
    about = f"What came of this run of kodforge. Released solutions are by {models}. Config {figures.fingerprint}."
    return page(f"Run {figures.run}", about, headline(figures), sections_of(figures, found, samples))


def page(title: str, about: str, numbers: Sequence[tuple[str, str]], sections: Sequence[Section]) -> bytes:
    """A page of these sections."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"cell": cell, "json": embedded}
    scripts = [Markup(libraries()), Markup(_file("report.js"))]  # noqa: S704 - our own, checked when they are read
    text = environment.from_string(_file("report.html.j2")).render(
        title=title,
        about=about,
        numbers=numbers,
        sections=sections,
        style=Markup(_file("report.css")),  # noqa: S704
        scripts=scripts,
        policy=policy(scripts),
        is_number=is_number,
    )
    return text.encode("utf-8", "replace")


def policy(scripts: Sequence[str]) -> str:
    """What the page may do: run these scripts, style itself, show images that it holds."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        f"form-action 'none'"
    )


@cache
def libraries() -> str:
    """Vega and what draws with it, as one script.

    Raises:
        ValueError: it cannot stand in a page.
    """
    return _checked(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _checked(script: str) -> str:
    """A script that ends where its element does, and is hashed as the browser reads it."""
    for wrong in ("</script", "<!--", "\r"):
        if wrong in script.lower():
            raise ValueError(f"a script with {wrong!r} in it cannot stand in a page")
    return script


def _file(name: str) -> str:
    text = (resources.files("tasks.reporting") / name).read_text(encoding="utf-8")
    return _checked(text) if name.endswith(".js") else text


def embedded(value: object) -> Markup:
    """JSON that can stand in a script element, whatever is in it."""
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, allow_nan=False)
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - it has no markup left


def cell(value: Cell) -> str:
    """A table's cell."""
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= _LARGE else f"{value:,g}"
    return value


def is_number(rows: Sequence[Sequence[Cell]], column: int) -> bool:
    """Whether a column of a table is one of numbers, or of numbers as they are told."""
    told = [row[column] for row in rows if row[column] not in (None, "")]
    return bool(told) and all(
        not isinstance(one, str) or one[:1] in "$+-" or one[:1].isdigit() or one in ("unknown", "not measured")
        for one in told
        if one is not None
    )
