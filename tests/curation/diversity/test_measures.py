"""Measures of diversity: their fixed points, and reports that do not depend on how the rows were cut into shards."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.curation.diversity.measures import Accumulator, compression_ratio, distinct_n, vendi_score
from tasks.curation.diversity.report import DiversityReport, entropy
from tasks.errors import BadInput
from tasks.settings.mix import Axis


@given(st.integers(1, 12), st.integers(1, 20))
def test_vendi_score_of_equal_vectors_is_one(count, width):
    vector = np.linspace(1, 2, width)
    assert vendi_score(np.tile(vector, (count, 1))) == pytest.approx(1)


@given(st.integers(1, 30))
def test_vendi_score_of_orthogonal_vectors_is_their_number(count):
    assert vendi_score(np.eye(count) * np.arange(1, count + 1)) == pytest.approx(count)


@given(st.integers(2, 6), st.integers(2, 6))
def test_vendi_score_counts_groups(groups, copies):
    vectors = np.repeat(np.eye(groups), copies, axis=0)
    assert vendi_score(vectors) == pytest.approx(groups)


@pytest.mark.parametrize("vectors", [np.zeros((2, 3)), np.empty((0, 3)), np.array([[1.0, np.nan]])])
def test_vendi_score_refuses_vectors_without_direction(vectors):
    with pytest.raises(BadInput, match="finite vectors other than zero"):
        vendi_score(vectors)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [({"a": 5, "b": 5, "c": 5}, 1.0), ({"a": 9}, 0.0), ({}, 0.0), ({"a": 9, "b": 0}, 0.0)],
)
def test_entropy_runs_from_one_value_to_all_alike(counts, expected):
    assert entropy(counts) == pytest.approx(expected)


def test_uneven_counts_have_less_entropy():
    assert 0 < entropy({"a": 99, "b": 1}) < entropy({"a": 60, "b": 40}) < 1


def test_distinct_n_is_the_share_of_different_ngrams():
    assert distinct_n(["one two one two"], 1) == 0.5
    assert distinct_n(["one two one two"], 2) == pytest.approx(2 / 3)
    assert distinct_n(["One two", "one TWO"], 2) == 0.5
    assert distinct_n(["one"], 2) == 0.0


def test_repetition_compresses_better():
    varied = [f"{number * 7919 % 10007} words of sort {number * 31 % 97}" for number in range(50)]
    assert compression_ratio([varied[0]] * 50) > compression_ratio(varied) > 1
    assert compression_ratio([]) == 0.0


def test_report_counts_what_is_there(rows):
    frame = rows(300)
    accumulator = Accumulator()
    accumulator.add(frame)
    report = accumulator.report()
    assert report.rows == 300
    assert report.axes[Axis.DIFFICULTY].counts == frame["difficulty"].value_counts().to_dict()
    assert report.axes[Axis.TOPIC].counts == frame["topics"].str[0].value_counts().to_dict()
    assert report.axes[Axis.SKILL].counts["recursion"] == 150
    assert report.axes[Axis.LIBRARY].share("pandas") == 0.2
    assert report.axes[Axis.LIBRARY].counts["none"] == 240
    assert sum(report.axes[Axis.LENGTH].counts.values()) == 300
    assert (report.structures.programs, report.structures.distinct) == (300, 7)
    docs = frame[frame["subset"] == "Docs"]["difficulty"].value_counts()
    assert report.difficulty_by_subset["Docs"] == {level: docs[level] for level in ("easy", "medium", "hard")}
    assert report.sample.vendi is None


@pytest.mark.parametrize(
    ("words", "bucket"),
    [(0, "below 25 words"), (24, "below 25 words"), (25, "25-49 words"), (400, "400 words and more")],
)
def test_length_falls_into_its_bucket(rows, words, bucket):
    accumulator = Accumulator()
    accumulator.add(rows(1).assign(words=words))
    assert accumulator.report().axes[Axis.LENGTH].counts == {bucket: 1}


def test_rows_without_a_value_are_counted_as_such(rows):
    frame = rows(2).assign(difficulty=None, language="", structure="")
    accumulator = Accumulator()
    accumulator.add(frame)
    report = accumulator.report()
    assert report.axes[Axis.DIFFICULTY].counts == report.axes[Axis.LANGUAGE].counts == {"unknown": 2}
    assert report.structures.programs == 0


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 60), max_size=4), seed=st.integers(0, 5), data=st.data())
def test_shards_and_their_order_do_not_matter(cuts, seed, data):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": [f"q{number}" for number in range(60)],
            "subset": rng.choice(["Taco", "Docs"], 60),
            "style": "instruct",
            "difficulty": rng.choice(["easy", "hard"], 60),
            "topics": [[str(topic)] for topic in rng.choice(["strings", "graphs"], 60)],
            "skills": [["class"] if number % 2 else [] for number in range(60)],
            "libraries": [[] for _ in range(60)],
            "language": "en",
            "words": rng.integers(5, 500, 60),
            "structure": [f"{number % 5:016x}" for number in range(60)],
            "text": [f"question {number}" for number in rng.integers(0, 40, 60)],
        }
    )
    vectors = rng.normal(size=(60, 4))
    whole = Accumulator(seed=3, sample=20)
    whole.add(frame, vectors)
    edges = [0, *sorted(cuts), 60]
    parts = []
    for start, end in pairwise(edges):
        part = Accumulator(seed=3, sample=20)
        part.add(frame.iloc[start:end], vectors[start:end])
        parts.append(part)
    parts = data.draw(st.permutations(parts))
    left = parts[0]
    for part in parts[1:]:
        left = left.merge(part)
    right = parts[-1]
    for part in reversed(parts[:-1]):
        right = part.merge(right)
    assert left.report() == right.report() == whole.report()


def test_arrow_tables_do_as_well(rows):
    frame = rows(50)
    one, other = Accumulator(), Accumulator()
    one.add(frame)
    other.add(pa.Table.from_pandas(frame))
    assert one.report() == other.report()


def test_report_survives_json(rows):
    accumulator = Accumulator(seed=1, sample=10)
    accumulator.add(rows(40), np.random.default_rng(0).normal(size=(40, 8)))
    report = accumulator.report()
    assert DiversityReport.model_validate_json(report.model_dump_json()) == report
    assert report.sample.vectors == report.sample.rows == 10
    assert 1 <= report.sample.vendi <= 8


def test_seed_draws_another_sample(rows):
    reports = []
    for seed in (0, 1):
        accumulator = Accumulator(seed=seed, sample=10)
        accumulator.add(rows(200))
        reports.append(accumulator.report())
    assert reports[0].axes == reports[1].axes
    assert reports[0].sample != reports[1].sample


def test_markdown_shows_axes_measures_and_difficulty(rows):
    accumulator = Accumulator()
    accumulator.add(rows(100))
    text = accumulator.report().to_markdown()
    assert "| difficulty | 3 |" in text
    assert "| shapes of solutions | 7 of 100 programs |" in text
    assert "| subset | rows | easy | medium | hard |" in text
    assert "not measured (no vectors)" in text


def test_no_rows_make_an_empty_report(rows):
    accumulator = Accumulator()
    accumulator.add(rows(0))
    report = accumulator.report()
    assert report.rows == report.structures.distinct == report.sample.rows == 0
    assert report.to_markdown()


def test_bad_tables_are_refused(rows):
    with pytest.raises(BadInput, match="lack the columns topics, words"):
        Accumulator().add(rows(3).drop(columns=["topics", "words"]))
    with pytest.raises(BadInput, match="2 vectors for 3 rows"):
        Accumulator().add(rows(3), np.ones((2, 4)))
    with pytest.raises(BadInput, match="cannot be merged"):
        Accumulator(seed=0).merge(Accumulator(seed=1))
