"""The questions that curation's scale is measured on are what their file of truths says."""

from __future__ import annotations

from collections import Counter

import pyarrow.parquet as pq
import pytest

from benchmarks.questions import FAR, NEAR, RATES, jaccard, write_questions
from tasks.shingles import normalise

ROWS = 3000


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(questions by id, truths), of one file."""
    path = tmp_path_factory.mktemp("questions") / "rows.parquet"
    truth = write_questions(path, ROWS, seed=1)
    return {row["id"]: row["question"] for row in pq.read_table(path).to_pylist()}, pq.read_table(truth).to_pylist()


def pairs(written, kind):
    questions, truths = written
    found = [(questions[row["id"]], questions[row["original"]]) for row in truths if row["kind"] == kind]
    assert len(found) > 20
    return found


def test_every_kind_is_planted_at_its_rate(written):
    counts = Counter(row["kind"] for row in written[1])
    assert len(written[0]) == ROWS
    for kind, rate in RATES.items():
        assert counts[kind] == pytest.approx(rate * ROWS, rel=0.5, abs=5)


def test_exact_duplicates_have_the_same_words(written):
    assert all(normalise(one) == normalise(other) for one, other in pairs(written, "exact"))
    assert any(one != other for one, other in pairs(written, "exact"))


def test_near_duplicates_are_as_near_as_promised(written):
    assert all(NEAR[0] <= jaccard(*pair) <= NEAR[1] for pair in pairs(written, "near"))


def test_semantic_duplicates_are_out_of_reach_of_minhash(written):
    assert all(jaccard(*pair) < FAR for pair in pairs(written, "semantic"))


def test_base_questions_are_different_tasks(written):
    questions, truths = written
    base = [questions[row["id"]] for row in truths if row["kind"] == "base"][:300]
    nearest = [max(jaccard(one, other) for other in base[:number]) for number, one in enumerate(base) if number]
    assert max(nearest) < 0.5


def test_the_same_seed_gives_the_same_rows(tmp_path):
    some, more, other = (tmp_path / f"{name}.parquet" for name in ("some", "more", "other"))
    for path, rows, seed in ((some, 900, 1), (more, 1200, 1), (other, 900, 2)):
        write_questions(path, rows, seed)
    assert pq.read_table(some) == pq.read_table(more).slice(0, 900)
    assert pq.read_table(some) != pq.read_table(other)


def test_the_questions_do_not_tell_what_they_are(tmp_path):
    write_questions(tmp_path / "rows.parquet", 10)
    assert pq.read_schema(tmp_path / "rows.parquet").names == ["id", "question"]
