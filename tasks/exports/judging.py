"""Which rows the reward function can judge answers to, without running anything."""

from __future__ import annotations

from tasks.execution.expected import entry_points, expected_tests
from tasks.execution.tiers import why_shared
from tasks.exports.examples import Problem
from tasks.star_import import with_star_import
from tasks.syntax import UNREADABLE


def why_not_judged(problem: Problem, any_tier: bool) -> str:
    """Why no answer to a problem can be judged; empty where it can.

    One such row would stop the training, as the reward function refuses a batch that it is in.

    Args:
        any_tier: take tests too that need the answer in their own process, where it could forge what they say.
    """
    if problem.io:
        return ""
    test = with_star_import(problem.test)  # as the reward function runs them
    try:
        if not expected_tests(test):
            return "its tests define no test function"
        if missing := sorted(set(problem.entry_points) - set(entry_points(test))):
            return f"its tests do not use the entry point {missing[0]}"
        why = "" if any_tier else why_shared(test)
    except UNREADABLE as error:
        return f"its tests do not parse: {error}"
    return f"its tests cannot be isolated from the answer: {why}" if why else ""
