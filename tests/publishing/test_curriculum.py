"""The curriculum: train rows, easiest first, by the solver where one was asked, in files of a bounded size."""

from __future__ import annotations

import pytest

from tasks.arrow import arrow_schema
from tasks.artifacts import Outcome
from tasks.models import ReleaseRow, Split
from tasks.publishing.curriculum import curriculum
from tasks.run import Run, StageName
from tasks.settings import BuildConfig
from tests.publishing.rows import release_row


@pytest.fixture
def run(tmp_path):
    config = BuildConfig(store=str(tmp_path), run="r")
    return Run(config=config, teachers=config.teachers)


def test_rows_come_easiest_first_in_three_splits(run):
    shards = [
        [release_row("medium", 5), release_row("easy", 9), release_row("never solved", 9, (0, 4))],
        [
            release_row("easiest", 2, (4, 4)),
            release_row("hard", 1),
            release_row("aside", 10, split=Split.USE_WITH_CAUTION),
        ],
    ]
    stage = run.stage(StageName.CURATED)
    receipts = [
        stage.run_shard(f"part-{n}", ReleaseRow, [n], lambda rows=rows: Outcome.of(rows))
        for n, rows in enumerate(shards)
    ]
    columns = [name for name in arrow_schema(ReleaseRow).names if name != "split"]
    found = [
        (split, table.column("question_id").to_pylist()) for split, table in curriculum(run, receipts, columns, 10)
    ]
    assert found == [("easy", ["easiest", "easy"]), ("medium", ["medium"]), ("hard", ["hard", "never solved"])]


def test_tables_are_no_larger_than_asked_for_and_lose_no_row(run):
    rows = [release_row(f"q{number}", 9 - number % 2) for number in range(25)]
    receipt = run.stage(StageName.CURATED).run_shard("part-0", ReleaseRow, [], lambda: Outcome.of(rows))
    tables = [table for _, table in curriculum(run, [receipt], arrow_schema(ReleaseRow).names, 10)]
    assert [table.num_rows for table in tables] == [10, 10, 5]
    names = [name for table in tables for name in table.column("question_id").to_pylist()]
    assert names == [f"q{n}" for n in range(0, 25, 2)] + [f"q{n}" for n in range(1, 25, 2)]
