"""SPDX expressions: their usual spelling, and the licences that are taken from one."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from license_expression import AND, OR, Licensing
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from tasks.errors import BadInput

UNKNOWN_LICENCE = "LicenseRef-unknown"


def canonical(expression: str) -> str:
    """An SPDX expression in its usual spelling.

    Raises:
        BadInput: it is none.
    """
    try:
        return str(canonicalize_license_expression(expression))
    except InvalidLicenseExpression as error:
        raise BadInput(
            f"licence {expression!r} is no SPDX expression: {error}. Give one such as MIT, Apache-2.0 or "
            f"LicenseRef-MyCompany"
        ) from error


@lru_cache(maxsize=4096)
def _tree(expression: str) -> Any:
    return Licensing().parse(expression)


def required(expression: str) -> frozenset[str]:
    """The licences that bind whatever is chosen of what OR joins.

    Args:
        expression: canonical.
    """

    def walk(node: Any) -> frozenset[str]:
        if isinstance(node, AND):
            return frozenset().union(*(walk(part) for part in node.args))
        if isinstance(node, OR):
            return frozenset.intersection(*(walk(part) for part in node.args))
        return frozenset([str(node)])

    return walk(_tree(expression))


def taken(expression: str, cost: Callable[[str], float]) -> frozenset[str]:
    """The licences under which something is used: all of what AND joins, and of what OR joins the cheapest.

    Args:
        expression: canonical. ``GPL-2.0-only WITH Classpath-exception-2.0`` is one licence.
        cost: of one licence; the first of several that cost the same is taken.
    """

    def walk(node: Any) -> frozenset[str]:
        if isinstance(node, AND):
            return frozenset().union(*(walk(part) for part in node.args))
        if isinstance(node, OR):
            return min((walk(part) for part in node.args), key=lambda found: sum(map(cost, found)))
        return frozenset([str(node)])

    return walk(_tree(expression))


def without_exception(licence: str) -> str:
    """``GPL-2.0-only`` of ``GPL-2.0-only WITH Classpath-exception-2.0``."""
    return licence.partition(" WITH ")[0]


@lru_cache(maxsize=1024)
def is_allowed(expression: str, allow: tuple[str, ...]) -> bool:
    """Whether an SPDX expression, canonical, can be met by licences of a list: of ``A OR B`` one must be on it, of
    ``A AND B`` both, and ``A WITH exception`` counts as A."""
    allowed = {canonical(name) for name in allow}

    def is_off(licence: str) -> int:
        return int(without_exception(licence) not in allowed)

    return not any(map(is_off, taken(expression, is_off)))
