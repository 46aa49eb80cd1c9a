"""Which tests can judge an answer at all, without running anything."""

from __future__ import annotations

from tasks.execution.expected import entry_points, expected_tests
from tasks.execution.tiers import why_shared
from tasks.syntax import UNREADABLE


def why_no_judge(test: str, needed: tuple[str, ...], any_tier: bool, advice: str = "") -> str:
    """Why tests can judge no answer, whatever it is; empty where they can.

    Args:
        test: as it is run.
        needed: entry points that the tests must use.
        any_tier: take tests too that need the answer in their own process, where it could forge what they say.
        advice: what to do about such tests where they are not taken; it follows the reason.
    """
    try:
        if not expected_tests(test):
            return "its tests define no test function"
        if missing := sorted(set(needed) - set(entry_points(test))):
            return f"its tests do not use the entry point {missing[0]}"
        why = "" if any_tier else why_shared(test)
    except UNREADABLE as error:
        return f"its tests do not parse: {error}"
    return f"its tests cannot be isolated from the answer: {why}{advice}" if why else ""
