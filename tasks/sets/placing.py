"""Every row of a run to its group and split, from what sourcing and curation know of all rows.

Rows that curation rejected count as well: through a duplicate that is gone, two that stay can be related.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tasks.arrow import arrow_schema, values
from tasks.artifacts import Receipt
from tasks.errors import BadInput
from tasks.models import Placing, Split
from tasks.run import Run, StageName
from tasks.sets.groups import Positions, Seeds, Ties, groups, same
from tasks.sets.held_out import HeldOutReport, Rows, hold_out
from tasks.sets.levels import COLUMNS, levels

_EVIDENCE = (StageName.TRIPLETS, StageName.SIGNATURES, StageName.EDGES, StageName.EXAMINATIONS)


def evidence(run: Run) -> list[Receipt]:
    """The shards that say which rows of a run are related.

    Raises:
        BadInput: curation has not finished in this run.
    """
    return [receipt for stage in _EVIDENCE for receipt in _receipts(run, stage)]


def _receipts(run: Run, stage: StageName) -> list[Receipt]:
    if stage is StageName.EDGES and not any(part.rows_out for part in run.receipts(StageName.TRIPLETS)):
        return []  # nothing was compared
    return run.receipts(stage)


@dataclass(frozen=True)
class Placings:
    """Of each shard of released rows the columns of ``Placing``, in order."""

    tables: dict[str, pa.Table]
    report: HeldOutReport


def place(run: Run, parts: Sequence[Receipt]) -> Placings:
    """Groups over all rows of a run, and which of them are held out.

    Rows are tied that share more than half of their seeds, that have the same question, or that curation found to be
    near or semantic duplicates, also where it found that the one task contradicts the other. A group with a row that is
    in `use_with_caution`, or that overlaps with a benchmark by more than a note, is not held out: the one would leave
    relatives of an evaluation row where somebody may train on them, the other would measure what is known of the
    benchmark.

    Args:
        parts: the released rows, shards of the same names as those of the triplets.
    """
    every = _receipts(run, StageName.TRIPLETS)
    ids, seeds = _read_triplets(run, every)
    kept = _Kept.read(run, parts, every)
    bars = _contaminated(run, every) | kept.in_doubt
    ties = [seeds.ties(run.config.post_training.held_out.common_seed), same(_digests(run, len(ids))), *_pairs(run)]
    group = _named(groups(len(ids), ties), kept.numbers)
    rows = Rows(group, kept.subset, kept.difficulty, kept.is_train, bars)
    held, report = hold_out(rows, ids, run.config.post_training.held_out, run.config.seed)
    return Placings({part.name: kept.placings(part.name, ids, group, held) for part in parts}, report)


def _read_triplets(run: Run, every: Sequence[Receipt]) -> tuple[list[str], Seeds]:
    ids, seeds = [], Seeds()
    for part in every:
        table = run.stage(StageName.TRIPLETS).table(part, ["question_id", "lineage.method", "lineage.sources"])
        ids += values(table, "question_id")
        seeds.add(values(table, "method"), values(table, "sources"))
    return ids, seeds


def _digests(run: Run, rows: int) -> NDArray[np.bytes_]:
    """Of each row's question.

    Raises:
        BadInput: curation signed other triplets than there are.
    """
    blocks = _receipts(run, StageName.SIGNATURES)
    stage = run.stage(StageName.SIGNATURES)
    found = [one for block in blocks for one in values(stage.table(block, ["exact"]), "exact")]
    if len(found) != rows:
        raise BadInput(
            f"run {run.config.run!r} has {rows} triplets, and curation signed {len(found)}. Run it again: "
            f"`kodforge run` does what is missing"
        )
    return np.array(found, "S16")


def _pairs(run: Run) -> list[Ties]:
    stage = run.stage(StageName.EDGES)
    tables = (stage.table(part, ["left", "right"]) for part in _receipts(run, StageName.EDGES))
    return [(table["left"].to_numpy(), table["right"].to_numpy()) for table in tables]


def _contaminated(run: Run, every: Sequence[Receipt]) -> NDArray[np.bool_]:
    stage = run.stage(StageName.EXAMINATIONS)
    return np.array(
        [
            any(hit["outcome"] != "noted" for hit in hits)
            for part in every
            for hits in values(stage.table(part.name, ["hits"]), "hits")
        ],
        np.bool_,
    )


def _named(group: Positions, released: Positions) -> Positions:
    """Groups by their first row that is released, where they have one: that one can be looked up."""
    first = np.full(len(group), len(group))
    np.minimum.at(first, group[released], released)
    found = first[group]
    return np.where(found < len(group), found, group)


@dataclass(frozen=True)
class _Kept:
    """Of all rows those that are released.

    Attributes:
        parts: of each shard the numbers of its rows among all, and their splits.
        subset, difficulty, is_train, in_doubt: shape (rows,), of all.
    """

    parts: dict[str, tuple[Positions, list[str]]]
    subset: NDArray[np.object_]
    difficulty: NDArray[np.object_]
    is_train: NDArray[np.bool_]
    in_doubt: NDArray[np.bool_]

    @classmethod
    def read(cls, run: Run, parts: Sequence[Receipt], every: Sequence[Receipt]) -> _Kept:
        count = sum(part.rows_out for part in every)
        ends = np.cumsum([part.rows_out for part in every]).tolist()
        starts = {part.name: end - part.rows_out for part, end in zip(every, ends, strict=True)}
        found = cls(
            parts={},
            subset=np.full(count, "", object),
            difficulty=np.full(count, "", object),
            is_train=np.zeros(count, np.bool_),
            in_doubt=np.zeros(count, np.bool_),
        )
        for part in parts:
            table = run.stage(run.last_stage).table(part, ["question_id", "subset", "split", *COLUMNS])
            known = values(run.stage(StageName.TRIPLETS).table(part.name, ["question_id"]), "question_id")
            places = {name: number for number, name in enumerate(known, starts[part.name])}
            numbers = np.array([places[name] for name in values(table, "question_id")], np.int64)
            splits = values(table, "split")
            found.parts[part.name] = numbers, splits
            found.subset[numbers] = values(table, "subset")
            found.difficulty[numbers] = [level.value for level, _ in levels(table)]
            found.is_train[numbers] = [split == Split.TRAIN for split in splits]
            found.in_doubt[numbers] = [split != Split.TRAIN for split in splits]
        return found

    @property
    def numbers(self) -> Positions:
        return np.concatenate([np.empty(0, np.int64), *(numbers for numbers, _ in self.parts.values())])

    def placings(self, part: str, ids: Sequence[str], group: Positions, held: NDArray[np.bool_]) -> pa.Table:
        numbers, splits = self.parts[part]
        taken = zip(held[numbers].tolist(), splits, strict=True)
        return pa.table(
            {
                "question_id": [ids[number] for number in numbers],
                "group": [ids[number] for number in group[numbers]],
                "split": [Split.EVALUATION.value if one else split for one, split in taken],
            },
            schema=arrow_schema(Placing),
        )
