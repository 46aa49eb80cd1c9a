"""Choosing the rows that meet a target mix, with a reason for each row that is left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from tasks.curation.diversity.axes import COLUMNS, Coded, coded, frame_of, known_values
from tasks.curation.diversity.integer_program import Counts, Program, allot
from tasks.curation.diversity.measures import row_hashes
from tasks.curation.diversity.report import cell as table_cell
from tasks.errors import BadInput
from tasks.settings.mix import Axis, Infeasible, Mix

MOST_CELLS = 10_000
"""Combinations of constrained values that the integer program takes on."""
_ROUNDING = 1e-6
_LARGEST_KEY = 2**40


class ValueShare(BaseModel):
    """One value of a constrained axis: what was wanted of it, what there was, and what was kept."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    axis: Axis
    value: str
    wanted: float | None = Field(description="Share of the rows kept; None where the mix does not name the value.")
    available: int = Field(description="Rows that have it.")
    kept: int
    achieved: float = Field(description="Share of the rows kept.")


@dataclass(frozen=True)
class Choice:
    """Which rows stay.

    Attributes:
        keep: shape (kept,), positions in ascending order.
        left_out: positions in ascending order, each with the reason in words. Together with ``keep`` all rows.
        achieved: every value of the constrained axes.
        feasible: whether every constraint of the mix is met.
        message: one line on the outcome: which values are short, or hold the size down.
    """

    keep: npt.NDArray[np.int64]
    left_out: list[tuple[int, str]]
    achieved: list[ValueShare]
    feasible: bool
    message: str

    def to_markdown(self) -> str:
        """The message, and the table of what was achieved."""
        lines = [
            table_cell(self.message),
            "",
            "| axis | value | wanted | available | kept | achieved |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {one.axis} | {table_cell(one.value)} | {'' if one.wanted is None else f'{one.wanted:.1%}'} "
            f"| {one.available} | {one.kept} | {one.achieved:.1%} |"
            for one in self.achieved
        ]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class _Rule:
    """How many rows of a value there may be at most (``is_upper``) or must be at least.

    Attributes:
        told: it in words.
        share: of the rows kept.
        rows: beyond the share.
    """

    axis: Axis
    value: str
    told: str
    is_upper: bool
    share: float = 0.0
    rows: int = 0


@dataclass(frozen=True)
class _Cells:
    """Rows by their constrained values.

    Attributes:
        of_rows: shape (rows,), the cell of each.
        members: for each axis and value shape (cells,), whether the cell has it.
        values: rows available for each value of the constrained axes, whether constrained itself or not.
    """

    of_rows: Counts
    members: dict[tuple[Axis, str], npt.NDArray[np.bool_]]
    values: dict[Axis, dict[str, int]]
    available: Counts


def check_mix(mix: Mix, subsets: Collection[str] = ()) -> None:
    """Refuse targets whose values cannot occur.

    Args:
        subsets: all that there can be; empty where they are not known.

    Raises:
        BadInput: names the value, and those that are known.
    """
    known: Mapping[Axis, Collection[str]] = {**known_values(), **({Axis.SUBSET: subsets} if subsets else {})}
    for axis, shares in mix.targets.items():
        for value in shares:
            if axis in known and value not in known[axis]:
                raise BadInput(
                    f"targets.{axis} names {value!r}, which is no {axis}. Known are {', '.join(known[axis])}"
                )


def _constrained(mix: Mix, axis: Axis, found: Coded) -> list[str]:
    """Values of an axis that a rule is about, in order."""
    named = {*mix.targets.get(axis, {}), *(found.values if axis in mix.max_share else ())}
    return sorted(named)


def _cells(frame: pd.DataFrame, mix: Mix) -> _Cells:
    keys = np.zeros(len(frame), np.int64)
    has: dict[tuple[Axis, str], npt.NDArray[np.bool_]] = {}
    values: dict[Axis, dict[str, int]] = {}
    size = 1
    for axis in mix.axes:
        found = coded(frame, axis)
        values[axis] = found.counts()
        for value in _constrained(mix, axis, found):
            has[axis, value] = np.zeros(len(frame), np.bool_)
            if value in found.values:
                has[axis, value][found.rows[found.codes == found.values.index(value)]] = True
            keys = keys * 2 + has[axis, value]
            size *= 2
            if size > _LARGEST_KEY:
                keys = np.unique(keys, return_inverse=True)[1]
                size = int(keys.max()) + 1
    _, first, of_rows, available = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    if len(available) > MOST_CELLS:
        raise BadInput(
            f"the mix tells apart {len(available)} combinations of values over {', '.join(mix.axes)}; at most "
            f"{MOST_CELLS} can be balanced at once. Name fewer values in `targets`, or leave an axis out of `max_share`"
        )
    return _Cells(of_rows, {key: mask[first] for key, mask in has.items()}, values, available)


def _rules(mix: Mix, cells: _Cells) -> Iterator[_Rule]:
    for axis, value in cells.members:
        share, cap = mix.targets.get(axis, {}).get(value), mix.max_share.get(axis)
        if share is not None:
            told = f"{share:.3g} wanted, within {mix.tolerance:g}"
            if share > mix.tolerance:
                yield _Rule(axis, value, told, is_upper=False, share=share - mix.tolerance)
            if share + mix.tolerance < 1:
                yield _Rule(axis, value, told, is_upper=True, share=share + mix.tolerance)
            if mix.min_per_value:
                told = f"{mix.min_per_value} rows wanted at least"
                yield _Rule(axis, value, told, is_upper=False, rows=mix.min_per_value)
        if cap is not None and cap < 1:
            yield _Rule(axis, value, f"max_share.{axis} is {cap:g}", is_upper=True, share=cap)


def _program(mix: Mix, cells: _Cells, rules: Sequence[_Rule], size: int) -> Program:
    count = len(cells.available)
    signs = np.array([1 if rule.is_upper else -1 for rule in rules], np.float64)
    held = np.array([cells.members[rule.axis, rule.value] for rule in rules], np.float64).reshape(-1, count)
    targets = [(key, mix.targets[key[0]][key[1]]) for key in cells.members if key[1] in mix.targets.get(key[0], {})]
    return Program(
        available=cells.available,
        signs=signs[:, None] * held,
        slopes=-signs * np.array([rule.share for rule in rules], np.float64),
        constants=np.array([rule.rows for rule in rules], np.float64),
        members=np.array([cells.members[key] for key, _ in targets], np.float64).reshape(-1, count),
        shares=np.array([share for _, share in targets], np.float64),
        size=size,
    )


def _achieved(mix: Mix, frame: pd.DataFrame, cells: _Cells, keep: npt.NDArray[np.int64]) -> list[ValueShare]:
    kept_frame = frame.iloc[keep].reset_index(drop=True)
    rows = []
    for axis in mix.axes:
        kept = coded(kept_frame, axis).counts()
        wanted = mix.targets.get(axis, {})
        for value in (*wanted, *(one for one in cells.values[axis] if one not in wanted)):
            count = kept.get(value, 0)
            rows.append(
                ValueShare(
                    axis=axis,
                    value=value,
                    wanted=wanted.get(value),
                    available=cells.values[axis].get(value, 0),
                    kept=count,
                    achieved=count / max(1, len(keep)),
                )
            )
    return rows


def _told(rule: _Rule, kept: int, rows: int, available: int) -> str:
    return f"{rule.axis} {rule.value}: {rule.told}, {kept} of {rows} rows kept, {available} available"


def _message(program: Program, rules: Sequence[_Rule], cells: _Cells, kept: Counts, is_feasible: bool) -> str:
    """What came of it, and the rules that are broken or that keep the number of rows down, the worst first."""
    rows, every = int(kept.sum()), int(cells.available.sum())
    excess = program.excess(kept)
    broken = max(_ROUNDING, min(1.0, excess.max(initial=0.0)))
    named = []
    for rule, over in sorted(zip(rules, excess, strict=True), key=lambda pair: -pair[1]):
        member = cells.members[rule.axis, rule.value]
        count, available = int(kept[member].sum()), int(cells.available[member].sum())
        is_tight = not rule.is_upper and count == available and over > -1
        if over >= broken if not is_feasible else is_tight and rows < program.limit:
            named.append(f"{rule.axis} {rule.value}: {rule.told}, {count} of {rows} rows kept, {available} available")
    told = "; ".join(named)
    if not is_feasible:
        return f"No choice of rows meets the mix; the closest keeps {rows} of {every}. {told}"
    return f"{rows} of {every} rows meet the mix.{f' Held down by {told}' if told else ''}"


def _reasons(program: Program, rules: Sequence[_Rule], cells: _Cells, kept: Counts) -> list[str]:
    """For each cell, why no more of its rows stay."""
    rows = int(kept.sum())
    after = program.signs + (program.slopes + program.excess(kept))[:, None]
    reasons = []
    for number in range(len(kept)):
        blocking = [rule for rule, over in zip(rules, after[:, number], strict=True) if over > _ROUNDING]
        upper = next((one for one in blocking if one.is_upper and cells.members[one.axis, one.value][number]), None)
        if upper is not None:
            count = int(kept[cells.members[upper.axis, upper.value]].sum())
            why = f"{upper.axis} {upper.value} has its share ({upper.told}): {count} of {rows} rows"
        elif rows == program.size:
            why = f"the {program.size} rows that `size` allows are chosen"
        elif blocking:
            count = int(kept[cells.members[blocking[0].axis, blocking[0].value]].sum())
            lack = f"{blocking[0].axis} {blocking[0].value} ({blocking[0].told}; {count} of {rows} rows)"
            why = f"one more row of another kind would take {lack} further from its share"
        else:
            why = "the shares cannot all be met with more rows"
        reasons.append(f"{why}; better or equal rows of its kind stay" if kept[number] else why)
    return reasons


def choose(rows: pd.DataFrame | pa.Table, mix: Mix, seed: int) -> Choice:
    """The most rows that meet the mix, by integer programming over the combinations of the constrained values.

    Of rows with the same constrained values those of the largest ``quality`` stay, among equals by a hash of ``id``
    and ``seed``. The same rows in another order give the same ids.

    Args:
        rows: columns id (unique), those of the mix's axes (see ``axes.COLUMNS``), and quality; without that column,
            or where it is missing, chance decides, after all rows that have one.

    Raises:
        BadInput: a column is missing, an id occurs twice, a target's value cannot occur, there are too many
            combinations, or the mix cannot be met and ``on_infeasible`` is ``stop``.
    """
    check_mix(mix)
    frame = frame_of(rows, ["id", *(COLUMNS[axis] for axis in mix.axes)])
    if frame["id"].duplicated().any():
        twice = frame["id"][frame["id"].duplicated()].iat[0]
        raise BadInput(f"id {twice!r} occurs twice among the rows. Ids must be unique")
    if frame.empty:
        return Choice(np.empty(0, np.int64), [], [], True, "There are no rows to choose from")
    cells = _cells(frame, mix)
    rules = list(_rules(mix, cells))
    program = _program(mix, cells, rules, mix.size or len(frame))
    kept, is_feasible = allot(program)
    message = _message(program, rules, cells, kept, is_feasible)
    if not is_feasible and mix.on_infeasible is Infeasible.STOP:
        raise BadInput(
            f"{message}. Lower these targets, raise mix.tolerance, make more such rows, or set "
            f"mix.on_infeasible to closest"
        )
    order = _order(frame, cells, seed)
    ranks = np.empty(len(frame), np.int64)
    starts = np.concatenate([[0], np.cumsum(cells.available)[:-1]])
    ranks[order] = np.arange(len(frame)) - starts[cells.of_rows[order]]
    stays = ranks < kept[cells.of_rows]
    keep = np.flatnonzero(stays)
    reasons = _reasons(program, rules, cells, kept)
    gone = np.flatnonzero(~stays)
    left_out = [(int(place), reasons[cell]) for place, cell in zip(gone, cells.of_rows[gone], strict=True)]
    return Choice(keep, left_out, _achieved(mix, frame, cells, keep), is_feasible, message)


def _order(frame: pd.DataFrame, cells: _Cells, seed: int) -> npt.NDArray[np.int64]:
    """Positions by cell, within a cell the rows that stay first."""
    quality = frame["quality"].to_numpy(np.float64) if "quality" in frame.columns else np.zeros(len(frame))
    hashes = row_hashes(frame["id"], seed)
    return np.lexsort((hashes, np.nan_to_num(-quality, nan=np.inf, posinf=np.inf, neginf=-np.inf), cells.of_rows))
