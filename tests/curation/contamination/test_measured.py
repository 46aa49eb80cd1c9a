"""What `python -m benchmarks.contamination` measures does not fall far behind."""

from __future__ import annotations

from collections import defaultdict

import pytest

from benchmarks.contamination import CORPUS, planted, transcripts
from tasks.curation.contamination import BenchmarkIndex, read_benchmarks
from tasks.files import read_rows
from tasks.settings.decontamination import Decontamination

ITEMS = read_benchmarks(Decontamination().benchmarks)
HOSTS = list(transcripts())


@pytest.fixture(scope="module")
def index() -> BenchmarkIndex:
    return BenchmarkIndex(ITEMS, Decontamination())


@pytest.fixture(scope="module")
def recall(index: BenchmarkIndex) -> dict[tuple[str, str], float]:
    """Share of the leaks of odd items by kind that are at least so bad, without any embedding."""
    rows = [row for row in planted(ITEMS, HOSTS) if int(row[1].rpartition("/")[2]) % 2]
    outcomes = defaultdict(list)
    for (kind, item, _), hits in zip(rows, index.hits([row for _, _, row in rows]), strict=True):
        mine = {hit.outcome for hit in hits if hit.item_id == item}
        outcomes[kind, "caution"].append(bool(mine & {"caution", "rejected"}))
        outcomes[kind, "rejected"].append("rejected" in mine)
    return {key: sum(found) / len(found) for key, found in outcomes.items()}


@pytest.mark.parametrize(
    ("kind", "outcome", "least"),
    [
        ("verbatim", "rejected", 1),
        ("verbatim, question alone", "rejected", 1),
        ("renamed", "caution", 0.9),
        ("renamed", "rejected", 0.75),
        ("renamed, code alone", "caution", 0.7),
        ("half of the solution", "caution", 0.55),
        ("half of the tests", "caution", 0.75),
        ("translated, examples kept", "caution", 0.4),
    ],
)
def test_leaks_are_found(recall, kind, outcome, least):
    assert recall[kind, outcome] >= least


def test_of_the_demos_questions_only_the_planted_one_is_found(index):
    found = {
        row.id
        for row, hits in zip(HOSTS, index.hits(HOSTS), strict=True)
        if any(hit.outcome != "noted" for hit in hits)
    }
    assert found == {"leetcode/close-readings"}


def test_retold_prompts_are_of_known_items_and_none_is_there_twice():
    rows = list(read_rows(CORPUS / "retold.jsonl"))
    assert {row["item"] for row in rows} <= {item.item_id for item in ITEMS}
    assert len({(row["item"], row["kind"]) for row in rows}) == len(rows)
    by_kind = defaultdict(set)
    for row in rows:
        by_kind[row["kind"]].add(row["item"])
    assert len(by_kind["reworded"]) >= 60
    assert len(by_kind["translated"]) >= 40
