"""Every set that a release holds beside its rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tasks.released import Released
from tasks.sets.curriculum import curriculum_rows
from tasks.sets.evaluation import evaluation_rows
from tasks.sets.reasoning import preference_rows, reasoning_rows
from tasks.sets.rl import rl_rows
from tasks.sets.sft import sft_rows
from tasks.sets.tables import SetTable, at_most, in_tables


def sets_of(released: Released) -> Iterator[SetTable]:
    """The sets that the config asks for, one after the other, in tables of at most ``release.rows_per_group`` rows.

    A set without rows is left out. No more than one table of each split of a set is in memory.

    Raises:
        BadInput: references were not run again in this run, or the mix of ``rl`` cannot be met and is to stop then.
    """
    config = released.run.config
    sets, size, seed = config.post_training.sets, config.release.rows_per_group, config.seed
    trained = {
        "sft": (sets.sft, sft_rows, ["question_id"]),
        "sft_reasoning": (sets.sft_reasoning, reasoning_rows, ["question_id", "reasoner"]),
        "preference": (sets.preference, preference_rows, ["chosen_id", "rejected_id"]),
    }
    for name, (options, rows, key) in trained.items():
        if options.enabled:
            yield from in_tables(name, at_most(partial(rows, released), options.rows, seed, key), size)
    others = {
        "rl": (sets.rl.enabled, rl_rows),
        "curriculum": (sets.curriculum, curriculum_rows),
        "evaluation": (sets.evaluation, evaluation_rows),
    }
    for name, (is_wanted, pieces) in others.items():
        if is_wanted:
            yield from in_tables(name, pieces(released), size)
