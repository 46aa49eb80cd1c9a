"""The curriculum: train rows, easiest first, by the solver where one was asked, in files of a bounded size."""

from __future__ import annotations

import os
import resource

import pytest

from tasks.arrow import values
from tasks.models import Difficulty
from tasks.released import Released
from tasks.sets.curriculum import curriculum_rows
from tasks.sets.tables import in_tables
from tests.sets.runs import curated, placed, solved, triplet, without_post_training

LABELS = {9: Difficulty.EASY, 8: Difficulty.EASY, 5: Difficulty.MEDIUM, 1: Difficulty.HARD, 2: Difficulty.HARD}


def row(name, passes, solver=None):
    text = " ".join(f"{name} {word}" for word in ("counts", "sorts", "joins", "splits", "turns"))
    rates = {"gpt_pass_percentage": passes / 10, "gpt_difficulty": LABELS[passes]}
    return triplet(name, text, solver=solver and solved(*solver), **rates)


@pytest.fixture
def tables(tmp_path):
    """The curriculum over rows in shards, in tables of a size."""

    def make(shards, size):
        run = without_post_training(placed(curated(tmp_path, shards)))
        return [
            (one.split, values(one.table, "question_id"))
            for one in in_tables("curriculum", curriculum_rows(Released(run)), size)
        ]

    return make


def test_rows_come_easiest_first_in_three_splits(tables):
    doubtful = row("aside", 9)
    doubtful.quality[0] = doubtful.quality[0].model_copy(update={"outcome": "caution", "value": 0.1})
    shards = [
        [row("medium", 5), row("easy", 9), row("unsolved", 9, (0, 4))],
        [row("easiest", 2, (4, 4)), row("hard", 1), doubtful],
    ]
    assert tables(shards, 10) == [("easy", ["easiest", "easy"]), ("medium", ["medium"]), ("hard", ["hard", "unsolved"])]


@pytest.fixture
def few_files():
    """Forty more files may be opened than are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    more = [os.open(os.devnull, os.O_RDONLY) for _ in range(40)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(more) + 1, hard))
    for one in more:
        os.close(one)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_pass_rates_may_be_many(tables, few_files):
    names = [f"q{number:02}" for number in range(60)]
    found = tables([[row(name, 5, (number, 60)) for number, name in enumerate(names)]], 100)
    assert [name for _, ids in found for name in ids] == names[:0:-1] + names[:1]


def test_tables_are_no_larger_than_asked_for_and_lose_no_row(tables):
    names = [f"q{number:02}" for number in range(25)]
    found = tables([[row(name, 9 - number % 2) for number, name in enumerate(names)]], 10)
    assert [len(ids) for _, ids in found] == [10, 10, 5]
    assert [name for _, ids in found for name in ids] == [*names[::2], *names[1::2]]
