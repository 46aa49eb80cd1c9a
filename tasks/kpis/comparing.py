"""What moved from run to run, and whether targets are met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.intervals import Difference, difference_of_estimates, difference_of_shares, holm
from tasks.kpis.figures import Figure, RunKpis
from tasks.settings.kpis import KpiName, Target

LEVEL = 0.05


@dataclass(frozen=True)
class Move:
    """What became of a number since an earlier run.

    Attributes:
        difference: None where there is no telling what chance would do.
        told: ``chance``: as runs alike differ; ``moved``: beyond it, all numbers that are looked at taken into account;
            ``perhaps``: beyond it for a number looked at alone.
    """

    name: KpiName
    earlier: float
    later: float
    difference: Difference | None
    told: Literal["chance", "moved", "perhaps", "counted"]


@dataclass(frozen=True)
class Met:
    """A target and what became of it. ``sure``: the whole interval is on the same side of it."""

    name: KpiName
    target: Target
    figure: Figure
    outcome: Literal["met", "missed", "not measured"]
    sure: bool


def moves(later: RunKpis, earlier: RunKpis) -> list[Move]:
    """The numbers that both runs have, in order."""
    pairs = [(one.name, earlier.of(one.name).figure, one.figure) for one in later.kpis]
    found = [(name, one, other, _difference(one, other)) for name, one, other in pairs]
    adjusted = iter(holm([difference.p for *_, difference in found if difference]))
    told = []
    for name, one, other, difference in found:
        if one.value is None or other.value is None:
            continue
        verdict: Literal["chance", "moved", "perhaps", "counted"] = "counted"
        if difference:
            verdict = "moved" if next(adjusted) < LEVEL else "perhaps" if difference.p < LEVEL else "chance"
        told.append(Move(name, one.value, other.value, difference, verdict))
    return told


def _difference(one: Figure, other: Figure) -> Difference | None:
    if one.passes is not None and other.passes is not None:
        return difference_of_shares((one.passes, other.passes), (one.count, other.count))
    if one.value is None or other.value is None or one.error is None or other.error is None:
        return None
    return difference_of_estimates((one.value, other.value), (one.error, other.error))


def targets(kpis: RunKpis, wanted: dict[KpiName, Target]) -> list[Met]:
    """What became of each target. A number that was not measured misses it."""
    return [_met(name, kpis.of(name).figure, target) for name, target in wanted.items()]


def _met(name: KpiName, figure: Figure, target: Target) -> Met:
    if figure.value is None:
        return Met(name, target, figure, "not measured", False)
    met = _within(figure.value, target)
    bounds: Sequence[float | None] = (figure.low, figure.high)
    sides = {_within(bound, target) for bound in bounds if bound is not None}
    return Met(name, target, figure, "met" if met else "missed", sides <= {met})


def _within(value: float, target: Target) -> bool:
    low, high = target.at_least, target.at_most
    return (low is None or value >= low) and (high is None or value <= high)
