"""What changed in the make-up of the rows between two reports, and whether it is more than chance."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from tasks.curation.diversity.report import Distribution, DiversityReport, cell
from tasks.settings.mix import Axis
from tasks.settings.mix import Drift as Bounds

_MOVERS = 3
_EXPECTED = 5
"""Expected rows in each cell for the chi-squared distribution to hold."""
_TABLES = 2000
"""Random tables where it does not."""

Verdict = Literal["same", "chance", "small", "warning"]
Floats = npt.NDArray[np.float64]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mover(_Part):
    """A value whose share of the rows changed."""

    value: str
    before: float
    now: float

    def __str__(self) -> str:
        return f"{self.value} {self.before:.1%} to {self.now:.1%}"


class AxisDrift(_Part):
    """The change of one axis."""

    distance: float = Field(description="Jensen-Shannon distance with logarithms to base 2: 0 equal, 1 disjoint.")
    psi: float = Field(description="Population stability index, half a row added to each value.")
    p_value: float = Field(description="Chance of so large a difference between two samples of the same rows.")
    verdict: Verdict
    movers: list[Mover] = Field(description="Values whose share of the rows changed most, the largest change first.")
    words: str


class DriftReport(_Part):
    """From one report to a later one."""

    rows_before: int
    rows_now: int
    axes: dict[Axis, AxisDrift]
    measures: dict[str, tuple[float | None, float | None]] = Field(description="By name, before and now.")
    warnings: list[str] = Field(description="In words, an axis each; empty where nothing moved beyond the bounds.")
    caveat: str = Field(description="Why the measures do not compare; empty where they do.")

    def to_markdown(self) -> str:
        """Tables of axes and measures, and the warnings."""
        lines = [f"From {self.rows_before:,} to {self.rows_now:,} rows.", ""]
        lines += [f"- **Warning:** {cell(one)}" for one in self.warnings] + [""] * bool(self.warnings)
        lines += ["| axis | JS distance | PSI | p | finding |", "|---|---|---|---|---|"]
        lines += [
            f"| {axis} | {one.distance:.3f} | {one.psi:.3f} | {one.p_value:.3g} | {cell(one.words)} |"
            for axis, one in self.axes.items()
        ]
        lines += ["", "| measure | before | now |", "|---|---|---|"]
        lines += [f"| {name} | {_number(before)} | {_number(now)} |" for name, (before, now) in self.measures.items()]
        return "\n".join([*lines, *(["", self.caveat] if self.caveat else [])]) + "\n"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.3f}"


def js_distance(left: Floats, right: Floats) -> float:
    """Jensen-Shannon distance of two count vectors of shape (values,), base 2 (Endres & Schindelin 2003).

    1 where one of them is empty and the other is not.
    """
    if not left.sum() or not right.sum():
        return float(bool(left.sum()) != bool(right.sum()))
    p, q = left / left.sum(), right / right.sum()
    middle = (p + q) / 2
    divergence = sum(float((one[one > 0] * np.log2(one[one > 0] / middle[one > 0])).sum()) / 2 for one in (p, q))
    return float(np.sqrt(max(0.0, divergence)))


def psi(left: Floats, right: Floats) -> float:
    """Population stability index of two count vectors of shape (values,), half a row added to each value."""
    p, q = ((one + 0.5) / (one + 0.5).sum() for one in (left, right))
    return float(((q - p) * np.log(q / p)).sum()) if len(left) else 0.0


def _p_value(left: Floats, right: Floats, values_per_row: float) -> float:
    """Chi-squared test of homogeneity; where cells are too small for it, by random tables with the same margins.

    Several values of a row are not independent: the statistic is divided by their mean number, the most that this can
    inflate it (Rao & Scott 1984).
    """
    if len(left) < 2 or not left.sum() or not right.sum():
        return 1.0
    from scipy import stats  # noqa: PLC0415 - it takes longer to import than all else here

    table = np.stack([left, right])
    found: Any = stats.chi2_contingency(table, correction=False)
    if values_per_row > 1:
        return float(stats.chi2.sf(found.statistic / values_per_row, found.dof))
    if found.expected_freq.min() < _EXPECTED:
        method = stats.MonteCarloMethod(n_resamples=_TABLES, rng=np.random.default_rng(0))
        found = stats.chi2_contingency(table.astype(np.int64), correction=False, method=method)
    return float(found.pvalue)


def _axis_drift(axis: Axis, before: Distribution, now: Distribution, bounds: Bounds) -> AxisDrift:
    values = sorted(value for value, count in {**before.counts, **now.counts}.items() if count)
    left, right = (np.array([one.counts.get(value, 0) for value in values], np.float64) for one in (before, now))
    distance, index = js_distance(left, right), psi(left, right)
    rows = max(1, before.rows + now.rows)
    chance = _p_value(left, right, max(1.0, float(left.sum() + right.sum()) / rows))
    moved = [Mover(value=value, before=before.share(value), now=now.share(value)) for value in values]
    moved.sort(key=lambda one: (-abs(one.now - one.before), one.value))
    movers = [one for one in moved[:_MOVERS] if one.now != one.before]
    told = f"mostly {', '.join(map(str, movers))}" if movers else "the shares are equal"
    verdict: Verdict
    if not movers:
        verdict, words = "same", f"no change: {told}"
    elif before.rows and now.rows and chance >= bounds.significance:
        verdict, words = "chance", f"no more than chance explains (p {chance:.2g}): {told}"
    elif distance > bounds.warn_above or index > bounds.warn_above_psi:
        over = (
            f"distance {distance:.3f}, warn_above is {bounds.warn_above:g}"
            if distance > bounds.warn_above
            else f"PSI {index:.3f}, warn_above_psi is {bounds.warn_above_psi:g}"
        )
        verdict, words = "warning", f"{axis} moved ({over}): {told}"
    else:
        verdict, words = "small", f"more than chance, but small: {told}"
    return AxisDrift(distance=distance, psi=index, p_value=chance, verdict=verdict, movers=movers, words=words)


def _measures(report: DiversityReport) -> dict[str, float | None]:
    return {
        "Vendi score": report.sample.vendi,
        **{f"distinct-{size}": share for size, share in report.sample.distinct_n.items()},
        "compression ratio": report.sample.compression_ratio,
        "distinct shapes per program": report.structures.distinct / max(1, report.structures.programs),
        "entropy of the shapes": report.structures.entropy,
    }


def drift(before: DiversityReport, now: DiversityReport, bounds: Bounds) -> DriftReport:
    """What changed from one report to a later one.

    A change is a warning where it is more than chance by ``bounds.significance`` and larger than ``warn_above`` or
    ``warn_above_psi``. For axes of several values the distances are those of the values' occurrences.
    """
    axes = {
        axis: _axis_drift(axis, before.axes[axis], now.axes[axis], bounds)
        for axis in Axis
        if axis in before.axes and axis in now.axes
    }
    earlier, later = _measures(before), _measures(now)
    differs = before.sample.rows != now.sample.rows or before.sample.vectors != now.sample.vectors
    caveat = (
        f"The measures are of samples of {before.sample.rows:,} and {now.sample.rows:,} rows "
        f"({before.sample.vectors:,} and {now.sample.vectors:,} with a vector), so that they do not compare."
        if differs
        else ""
    )
    return DriftReport(
        rows_before=before.rows,
        rows_now=now.rows,
        axes=axes,
        measures={name: (earlier.get(name), later.get(name)) for name in {**earlier, **later}},
        warnings=[one.words for one in axes.values() if one.verdict == "warning"],
        caveat=caveat,
    )
