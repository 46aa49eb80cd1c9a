"""Kinds of licences, by the categories of AboutCode's ScanCode LicenseDB and the names of Creative Commons licences."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, get_args

from license_expression import get_license_index

from tasks.errors import BadInput
from tasks.licences.expressions import UNKNOWN_LICENCE, canonical, without_exception

Family = Literal[
    "public-domain",
    "permissive",
    "copyleft",
    "strong-copyleft",
    "non-commercial",
    "no-derivatives",
    "not-open",
    "custom",
    "unknown",
]
"""``copyleft``: what is made of it stays under its terms, in part (MPL, LGPL) or whole; ``strong-copyleft``: whole.
``not-open``: proprietary, source-available or restricted. ``custom``: a ``LicenseRef-`` of the user's own."""
FAMILIES: tuple[Family, ...] = get_args(Family)
_OF_CATEGORY: dict[str, frozenset[Family]] = {
    "Public Domain": frozenset({"public-domain"}),
    "Permissive": frozenset({"permissive"}),
    "Copyleft Limited": frozenset({"copyleft"}),
    "Copyleft": frozenset({"copyleft", "strong-copyleft"}),
    "Commercial": frozenset({"not-open"}),
    "Proprietary Free": frozenset({"not-open"}),
    "Source-available": frozenset({"not-open"}),
    "Free Restricted": frozenset({"not-open"}),
}
NO_CONDITIONS = frozenset({"0BSD", "MIT-0", "CC0-1.0", "PDDL-1.0", "Unlicense", "WTFPL"})
"""Licences that ask nothing of those who pass the work on."""


@cache
def _categories() -> dict[str, str]:
    return {
        name: str(entry["category"])
        for entry in get_license_index()
        for name in (entry["spdx_license_key"], *entry["other_spdx_license_keys"])
        if name
    }


@cache
def families(licence: str) -> frozenset[Family]:
    """The kinds that one licence is of; empty where the database does not have it.

    Args:
        licence: one SPDX id, perhaps with an exception, which is not looked at.
    """
    name = without_exception(licence)
    if name == UNKNOWN_LICENCE:
        return frozenset({"unknown"})
    if name.startswith(("LicenseRef-", "DocumentRef-")) and name not in _categories():
        return frozenset({"custom"})
    found = set(_OF_CATEGORY.get(_categories().get(name, ""), frozenset()))
    if re.search(r"-NC\b", name):
        found.add("non-commercial")
    if re.search(r"-ND\b", name):
        found.add("no-derivatives")
    if name in NO_CONDITIONS:
        found.add("public-domain")
    return frozenset(found)


def checked_names(names: list[str], setting: str) -> frozenset[str]:
    """SPDX ids and families of a setting, the ids in their usual spelling.

    Raises:
        BadInput: one is neither.
    """
    found = set()
    for name in names:
        if name.lower() in FAMILIES:
            found.add(name.lower())
            continue
        try:
            found.add(one_licence(name))
        except BadInput as error:
            raise BadInput(
                f"{setting} names {name!r}, which is neither an SPDX id such as MIT nor a family. "
                f"Choose one of {', '.join(FAMILIES)}, or give an SPDX id"
            ) from error
    return frozenset(found)


def one_licence(name: str) -> str:
    """One SPDX id in its usual spelling.

    Raises:
        BadInput: it is none, or an expression of several.
    """
    found = canonical(name)
    if re.search(r" (AND|OR) ", found):
        raise BadInput(f"licence {name!r} is an expression of several licences. Give one SPDX id")
    return found
