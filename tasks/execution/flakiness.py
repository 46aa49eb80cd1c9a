"""Passes that do not last: what a re-run changes, and which of that makes the outcome change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tasks.execution.examination import Judged
from tasks.execution.protocol import Conditions
from tasks.models import Verdict


@dataclass(frozen=True)
class Flaky:
    """Why a pass does not count.

    Attributes:
        over: names of what makes the outcome change.
    """

    over: list[str]
    reason: str


_AS_WRITTEN = Conditions()
_REPETITIONS = 3
_DAY_S, _HOUR_S = 86_400, 3_600
_STEP_S = 401 * _DAY_S + 7 * _HOUR_S + 13 * 60
"""Another year, month, day, weekday and hour. Only forward: no pair will ever run in the past."""
_ZONES_H = 23

_CHANGES = {
    "hash seed": ("hash_seed",),
    "random seed": ("random_seed",),
    "order": ("order",),
    "clock": ("clock_s", "zone_h"),
}
"""What changes alone, and by which fields of the conditions."""
_IN_WORDS = {
    "hash seed": "under another hash seed",
    "random seed": "under another random seed",
    "order": "under another order of tests",
    "clock": "at another time and in another time zone",
}


def rerun_conditions(number: int) -> Conditions:
    """What re-run 1, 2, … changes: everything, and each of them otherwise."""
    return Conditions(
        hash_seed=number,
        random_seed=number,
        order=number,
        clock_s=float(number * _STEP_S),
        zone_h=number % _ZONES_H - 11,
    )


def rerun(judge: Callable[[Conditions], Judged], number: int) -> Flaky | None:
    """Run a pass again under the conditions of re-run 1, 2, …; where it does not pass there, find out why.

    Args:
        judge: runs the pair under conditions.

    Returns:
        None where it passes.
    """
    conditions = rerun_conditions(number)
    failed = judge(conditions)
    return None if failed.verdict is Verdict.PASSED else _diagnosed(judge, conditions, failed)


def _diagnosed(judge: Callable[[Conditions], Judged], changed: Conditions, failed: Judged) -> Flaky:
    """Which of the changed conditions alone makes a pass end as something else.

    What ends in two ways under the same conditions is flaky over repetition, and nothing can be said of the rest.
    """
    for _ in range(_REPETITIONS):
        if (again := judge(_AS_WRITTEN)).verdict is not Verdict.PASSED:
            return _flaky(["repetition"], "when run again", again)
    if judge(changed).verdict is Verdict.PASSED:
        return _flaky(["repetition"], "in another run", failed)
    alone: dict[str, Judged] = {}
    for name, fields in _CHANGES.items():
        conditions = replace(_AS_WRITTEN, **{field: getattr(changed, field) for field in fields})
        if (found := judge(conditions)).verdict is Verdict.PASSED:
            continue
        if judge(conditions).verdict is Verdict.PASSED:
            return _flaky(["repetition"], "in another run", found)
        alone[name] = found
    if not alone:
        return _flaky(["combination"], "under another hash seed, random seed, order and clock together", failed)
    return _flaky(list(alone), " or ".join(_IN_WORDS[name] for name in alone), next(iter(alone.values())))


def _flaky(over: list[str], where: str, found: Judged) -> Flaky:
    return Flaky(over, f"passed, but {where} {found.verdict}: {found.reason}")
