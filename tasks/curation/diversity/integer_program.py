"""How many rows of each cell to keep: integer programs over counts, solved by HiGHS (Huangfu & Hall 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_EPSILON = 1e-6
"""Rows by which rounding may break a rule."""
_NODES = 20_000
"""Of the search tree at most: a limit that, unlike one of time, is the same on every machine."""
_GAP = 1e-4
"""How near the proven best the spread of the rows must come; the rules and the number of rows are exact."""
_RAKES = 50
_VIOLATION, _DEVIATION, _SPREAD = 1000.0, 1.0, 0.01
"""What weighs more when the number of rows is settled: rules, then shares, then the make-up of what there is."""


@dataclass(frozen=True)
class Program:
    """The cells and the rules that a choice of rows must keep.

    Attributes:
        available: shape (cells,), rows of each.
        signs, slopes, constants: shape (rules, cells) of -1, 0 and 1, (rules,) and (rules,); a rule holds where
            ``signs @ kept + slopes * kept.sum() + constants`` is at most 0.
        members, shares: shape (targets, cells) of 0 and 1, and (targets,): which cells have a targeted value, and its
            share. Within the rules, a choice nearer to the shares is better.
        size: rows to keep at most.
    """

    available: Counts
    signs: Floats
    slopes: Floats
    constants: Floats
    members: Floats
    shares: Floats
    size: int

    @property
    def limit(self) -> int:
        return min(self.size, int(self.available.sum()))

    def excess(self, kept: Counts) -> Floats:
        """Rows by which each rule is broken, shape (rules,); 0 or less where it is kept."""
        return np.asarray(self.signs @ kept + self.slopes * kept.sum() + self.constants)


@dataclass(frozen=True)
class _Group:
    """Variables of one kind: what a unit of each costs, and the least and the largest that it may be."""

    costs: Floats
    least: Floats
    most: Floats

    @classmethod
    def of(cls, size: int, cost: float = 0.0, least: float = 0.0, most: float = np.inf) -> _Group:
        return cls(np.full(size, cost), np.full(size, least), np.full(size, most))


@dataclass(frozen=True)
class _Line:
    """Constraints: a matrix for each group, None for zeros, and the least and the largest of the products."""

    blocks: Sequence[Any]
    least: Floats
    most: Floats


def _solved(
    groups: Sequence[_Group], lines: Sequence[_Line], whole: npt.ArrayLike = 0, gap: float = 0
) -> Floats | None:
    """The cheapest values of all variables, one group after the other; None where the constraints allow none.

    Args:
        whole: which variables of the first group are integers.
    """
    from scipy import optimize, sparse  # noqa: PLC0415 - takes long to import, and few runs have a mix

    lines = [line for line in lines if len(line.least)]
    matrix = [
        sparse.hstack(
            [
                sparse.csr_array((len(line.least), len(group.costs)) if block is None else block)
                for block, group in zip(line.blocks, groups, strict=True)
            ]
        )
        for line in lines
    ]
    costs = np.concatenate([group.costs for group in groups])
    integrality = np.zeros(len(costs), np.int64)
    integrality[: len(groups[0].costs)] = whole
    found = optimize.milp(
        costs,
        integrality=integrality,
        bounds=optimize.Bounds(
            np.concatenate([group.least for group in groups]), np.concatenate([group.most for group in groups])
        ),
        constraints=optimize.LinearConstraint(
            sparse.vstack(matrix, format="csr"),
            np.concatenate([line.least for line in lines]),
            np.concatenate([line.most for line in lines]),
        ),
        options={"node_limit": _NODES, "mip_rel_gap": gap},
    )
    return None if found.x is None else np.asarray(found.x, np.float64)


def _below(blocks: Sequence[Any], most: Floats) -> _Line:
    return _Line(blocks, np.full(len(most), -np.inf), most)


def _equal(blocks: Sequence[Any], value: float) -> _Line:
    return _Line(blocks, np.full(1, value), np.full(1, value))


def _largest(program: Program, whole: bool) -> int:
    """The largest number of rows, at least one, that keeps every rule, or a bound for it; 0 where none does."""
    cells = len(program.available)
    found = _solved(
        [
            _Group(np.zeros(cells), np.zeros(cells), program.available.astype(np.float64)),
            _Group.of(1, cost=-1, least=1, most=program.limit),
        ],
        [
            _equal([np.ones((1, cells)), -np.ones((1, 1))], 0),
            _below([program.signs, program.slopes[:, None]], -program.constants),
        ],
        whole=whole,
    )
    return 0 if found is None else int(found[cells] + _EPSILON)


def _compromise(program: Program) -> int:
    """The largest number of rows with which the rules are broken as little as they must be, summed over all rules.

    A linear-fractional program, linear in ``kept / rows`` and ``1 / rows`` (Charnes & Cooper 1962).
    """
    from scipy import sparse  # noqa: PLC0415

    cells, rules = len(program.available), len(program.slopes)
    shares, over = _Group.of(cells, most=1), _Group.of(rules)
    lines = [
        _equal([np.ones((1, cells)), None, None], 1),
        _below([sparse.eye_array(cells), -program.available[:, None], None], np.zeros(cells)),
        _below([program.signs, program.constants[:, None], -sparse.eye_array(rules)], -program.slopes),
    ]
    inverse = 1 / program.limit
    least = _solved([shares, _Group.of(1, least=inverse, most=1), _Group.of(rules, cost=1)], lines)
    if least is None:
        return program.limit
    lines.append(_below([None, None, np.ones((1, rules))], np.full(1, least[cells + 1 :].sum() + 1e-9)))
    fewest = _solved([shares, _Group.of(1, cost=1, least=inverse, most=1), over], lines)
    best = least if fewest is None else fewest
    return max(1, min(program.limit, int(1 / best[cells] + _EPSILON)))


def _raked(program: Program, rows: int, relaxed: Floats) -> Floats:
    """Rows per cell in the proportions of what is available, but with the totals of a choice that the rules allow.

    Raking (Deming & Stephan 1940): each value's cells are scaled to its total in turn, so that what must go goes
    evenly, rather than whole cells at once. What does not settle is left to the program.
    """
    bounds = [(mask > 0, total, total) for mask, total in zip(program.members, program.members @ relaxed, strict=True)]
    limits = -program.slopes * rows - program.constants
    for sign, limit in zip(program.signs, limits, strict=True):
        mask = sign != 0
        total, is_upper = float(relaxed[mask].sum()), bool(sign.max(initial=0) > 0)
        bounds.append((mask, 0.0, max(limit, total)) if is_upper else (mask, min(-limit, total), float(rows)))
    kept: Floats = program.available * (rows / program.available.sum())
    for _ in range(_RAKES):
        for mask, least, most in bounds:
            total = kept[mask].sum()
            wanted = min(max(total, least), most)
            if wanted != total and 0 < total < rows:
                kept[mask] *= wanted / total
                kept[~mask] *= (rows - wanted) / (rows - total)
        kept = np.minimum(kept, program.available)
        kept *= rows / kept.sum() if kept.any() else 0
    return kept.clip(max=program.available)


def _allotted(program: Program, rows: int, is_strict: bool) -> Counts | None:
    """So many rows over the cells: first by the rules, then near the shares, then near what is available.

    Args:
        is_strict: the rules are kept; else they are broken as little as possible.
    """
    from scipy import sparse  # noqa: PLC0415

    cells, targets, rules = len(program.available), len(program.shares), len(program.slopes)
    wanted = program.shares * rows
    own, off, over = sparse.eye_array(cells), sparse.eye_array(targets), sparse.eye_array(rules)
    free = _Group(np.zeros(cells), np.zeros(cells), program.available.astype(np.float64))
    distances = _Group.of(targets, cost=_DEVIATION)
    excesses = _Group.of(rules, cost=_VIOLATION, most=0 if is_strict else np.inf)
    lines = [
        _equal([np.ones((1, cells)), None, None], rows),
        _below([program.signs, None, -over], -program.constants - program.slopes * rows),
        _below([program.members, -off, None], wanted),
        _below([-program.members, -off, None], -wanted),
    ]
    totals = _solved([free, distances, excesses], lines)
    if totals is None:
        return None
    # Rounding the running total keeps the sum, and small cells are not all rounded away.
    natural = np.diff(np.rint(np.cumsum(_raked(program, rows, totals[:cells]))), prepend=0)
    groups = [distances, excesses, _Group.of(cells, cost=_SPREAD)]
    lines = [_Line([*line.blocks, None], line.least, line.most) for line in lines]
    lines += [_below([own, None, None, -own], natural), _below([-own, None, None, -own], -natural)]
    relaxed = _solved([free, *groups], lines)
    assert relaxed is not None
    # Of the relaxed optimum nearly all cells are whole; settling the others alone is quick, and nearly always enough.
    near = np.rint(relaxed[:cells])
    is_open = np.abs(relaxed[:cells] - near) > _EPSILON
    least, most = np.where(is_open, np.maximum(near - 1, 0), near), np.where(is_open, near + 1, near)
    narrow = _Group(free.costs, least, np.minimum(most, free.most))
    found = _solved([narrow, *groups], lines, whole=is_open, gap=_GAP)
    if found is None:
        found = _solved([free, *groups], lines, whole=1, gap=_GAP)
    return None if found is None else np.rint(found[:cells]).astype(np.int64)


def allot(program: Program) -> tuple[Counts, bool]:
    """The most rows that keep every rule, shape (cells,), and whether there are any.

    Of several such choices the one nearest to the shares, and then nearest to the make-up of what is available. Where
    no choice keeps the rules, the largest that breaks them as little as possible.
    """
    if not program.limit:
        return np.zeros(len(program.available), np.int64), True
    if bound := _largest(program, whole=False):
        kept = _allotted(program, bound, is_strict=True)
        if kept is None and (rows := _largest(program, whole=True)):
            kept = _allotted(program, rows, is_strict=True)
        if kept is not None:
            return kept, True
    closest = _allotted(program, _compromise(program), is_strict=False)
    if closest is None:
        raise ArithmeticError(f"HiGHS found no choice over {len(program.available)} cells, though there always is one")
    return closest, False
