"""The set ``rl``: prompts with verified rewards, for reinforcement learning (Light-RL).

Which rows it holds is an integer program over the mix that the config asks for. It is solved twice: for candidates, a
few more than wanted, and, after their references were run again, among those that passed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from tasks.arrow import arrow_schema, values
from tasks.artifacts import Receipt
from tasks.curation.diversity.axes import COLUMNS as AXIS_COLUMNS
from tasks.curation.diversity.mix import Choice, check_mix, choose
from tasks.errors import BadInput
from tasks.models import Difficulty, Reference, ReleaseRow, Split, Style, Tier
from tasks.released import Released
from tasks.run import StageName
from tasks.sets.columns import ABOUT, ABOUT_FIELDS, entry_points
from tasks.sets.conversations import MESSAGES, user
from tasks.sets.levels import COLUMNS, levels
from tasks.sets.tables import Piece, split_rows
from tasks.settings import Axis, BuildConfig, SolverRates

REPORT = "rl.md"
"""Of a run: how the mix of the set was met, as Markdown."""
DATA_SOURCE = "kodforge"
_AS_THEY_ARE = ("test", "io", "solution")
_REWARD = pa.struct(
    [
        pa.field("kind", pa.string()),
        pa.field("wall_s", pa.float64()),
        pa.field("memory_mb", pa.int64()),
        pa.field("integrity_tier", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        *ABOUT_FIELDS,
        pa.field("data_source", pa.string()),
        pa.field("prompt", MESSAGES),
        *(arrow_schema(ReleaseRow).field(name) for name in _AS_THEY_ARE),
        pa.field("entry_points", pa.list_(pa.string())),
        pa.field("libraries", pa.list_(pa.string())),
        pa.field("pass_rate", pa.float64()),
        pa.field("reward", _REWARD),
    ]
)
_CANDIDATE = ["question_id", "subset", "style", "split", "labels", "mutation_score", "lineage", *COLUMNS]
_READ = ["question", "split", "test_info", "lineage", *ABOUT, *_AS_THEY_ARE, *COLUMNS]


def check_rl(config: BuildConfig) -> None:
    """Refuse a mix that no row of a run can meet.

    Raises:
        BadInput: a target names a value that cannot occur, or a style that the run does not tell its rows in.
    """
    rules = config.post_training.sets.rl
    try:
        check_mix(rules, config.selected)
    except BadInput as error:
        raise BadInput(f"post_training.sets.rl: {error}") from error
    told = [Style.INSTRUCT.value, *config.post_training.styles.into]
    if missing := [style for style, share in rules.targets.get(Axis.STYLE, {}).items() if share and style not in told]:
        raise BadInput(
            f"post_training.sets.rl: targets.style names {missing[0]!r}, and the run tells its rows as "
            f"{', '.join(told)}. Add it to post_training.styles.into, or leave it out"
        )


def candidates(released: Released, among: Collection[str] | None = None) -> pd.DataFrame:
    """The train rows that may be chosen, as ``choose`` takes them.

    Rows whose tests the solution could reach are left out, unless the config takes any tier. Of equal kind those come
    first that a solver solves sometimes, if they are preferred, then those that are not easy, whose tests are out of
    the solution's reach, and whose tests catch most mutants.

    Args:
        among: ids; None for all.
    """
    rules = released.run.config.post_training.sets.rl
    columns = ["id", "quality", *(AXIS_COLUMNS[axis] for axis in rules.axes)]
    frames = [pd.DataFrame(columns=columns)]
    for table in released.tables(_CANDIDATE):
        rows = []
        for row, (level, rate) in zip(table.to_pylist(), levels(table), strict=True):
            between = row["solver"] is not None and 0 < rate < 1
            is_free = rules.solver_rates is not SolverRates.REQUIRE_BETWEEN or between
            is_safe = rules.any_tier or row["lineage"]["integrity_tier"] == Tier.ISOLATED
            if row["split"] != Split.TRAIN or not is_free or not is_safe:
                continue
            if among is None or row["question_id"] in among:
                teaches = rules.solver_rates is SolverRates.IGNORE or between
                rows.append(_candidate(row, level, teaches))
        frames.append(pd.DataFrame(rows, columns=columns))
    every = pd.concat(frames, ignore_index=True)
    every["quality"] = every["quality"].rank(method="dense")
    return every


def _candidate(row: Mapping[str, Any], level: Difficulty, teaches: bool) -> dict[str, object]:
    quality = (
        # where no solver was asked, that is better than known to teach nothing
        2 if teaches else 1 if row["solver"] is None else 0,
        level is not Difficulty.EASY,
        row["lineage"]["integrity_tier"] == Tier.ISOLATED,
        row["mutation_score"] or 0.0,
    )
    return {
        "id": row["question_id"],
        "subset": row["subset"],
        "style": row["style"],
        "difficulty": level.value,
        "quality": quality,
        **row["labels"],
    }


def pick(released: Released) -> tuple[dict[str, list[tuple[str, str]]], Choice]:
    """Rows whose references are to be run again: (id, subset) of each, by the name of their shard; and the choice."""
    rules = released.run.config.post_training.sets.rl
    frame = candidates(released)
    size = None if rules.size is None else math.ceil(rules.size * (1 + rules.spare))
    choice = choose(frame, rules.model_copy(update={"size": size}), released.run.config.seed)
    kept = set(frame["id"].iloc[choice.keep])
    picked = {}
    for part in released.parts:
        table = released.rows(part, ["question_id", "subset"])
        picked[part.name] = [
            (row["question_id"], row["subset"]) for row in table.to_pylist() if row["question_id"] in kept
        ]
    return picked, choice


def rl_rows(released: Released) -> Iterator[Piece]:
    """The chosen rows, in the order of the run; how the mix was met is in ``REPORT``.

    Raises:
        BadInput: references were not run again in this run, or the mix cannot be met and is to stop then.
    """
    run = released.run
    stage = run.stage(StageName.REFERENCES)
    passed = {one for part in run.receipts(StageName.REFERENCES) for one in _ids(stage.rows(part, Reference))}
    frame = candidates(released, passed)
    choice = choose(frame, run.config.post_training.sets.rl, run.config.seed)
    run.store.write(choice.to_markdown().encode(), run.config.run, REPORT)
    kept = set(frame["id"].iloc[choice.keep])
    for part in released.parts:
        yield from split_rows(_rows(released, part, kept), SCHEMA)


def _ids(rows: list[Reference]) -> Iterator[str]:
    return (row.question_id for row in rows)


def _rows(released: Released, part: Receipt, kept: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    sandbox = released.run.config.sandbox
    table = released.rows(part, _READ)
    table = table.filter(pa.array([one in kept for one in values(table, "question_id")], pa.bool_()))
    for row, (level, rate) in zip(table.to_pylist(), levels(table), strict=True):
        made = {
            "data_source": DATA_SOURCE,
            "prompt": [user(row["question"])],
            "entry_points": entry_points(row),
            "libraries": row["lineage"]["libraries"],
            "difficulty": level.value,
            "pass_rate": rate,
            "reward": {
                "kind": "stdin_stdout" if row["io"] else "unit_tests",
                "wall_s": sandbox.wall_s,
                "memory_mb": sandbox.memory_mb,
                "integrity_tier": row["lineage"]["integrity_tier"],
            },
        }
        yield row["split"], {**row, **made}
