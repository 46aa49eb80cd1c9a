"""The map of questions: who is drawn, where they lie, and that it is the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.reporting.questions_map import draw_key, project, project_words, questions_map
from tasks.run import StageName
from tests.kpis.runs import ALL, finished, write
from tests.reporting.runs import shards, signature

SORTING = ["Sort a list of numbers.", "Sort a list of words in order.", "Sort the numbers of a list."]
TREES = ["Walk a binary tree by levels.", "Find the depth of a binary tree.", "Mirror a binary tree."]


def test_alike_questions_lie_nearer_to_each_other_than_to_others(tmp_path):
    places, explained = project_words([*SORTING, *TREES])
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert [int(nearest) // 3 for nearest in distances.argmin(axis=1)] == [0, 0, 0, 1, 1, 1]
    assert 0 < explained < 1
    assert np.abs(places).max() == 1


def test_the_two_dimensions_are_those_of_the_greatest_variance():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(200, 5)) * [0.1, 5, 0.1, 2, 0.1]
    places, explained = project(vectors)
    assert abs(np.corrcoef(places[:, 0], vectors[:, 1])[0, 1]) > 0.99
    assert abs(np.corrcoef(places[:, 1], vectors[:, 3])[0, 1]) > 0.99
    assert explained == pytest.approx(29 / 29.03, abs=0.01)
    assert np.array_equal(project(vectors)[0], places)
    assert np.allclose(project(vectors[::-1].copy())[0][::-1], places)


@pytest.mark.parametrize(
    "texts", [[], ["one question"], ["a", "b"], ["same", "same", "same", "same", "same"], [""] * 5]
)
def test_few_or_equal_questions_have_places_too(texts):
    places, explained = project_words(texts)
    assert places.shape == (len(texts), 2)
    assert np.isfinite(places).all() and 0 <= explained <= 1


def test_those_with_the_least_hashes_are_drawn_whatever_the_shards(tmp_path):
    ids = [f"Docs_{number:08d}_I" for number in range(50)]
    wanted = sorted(ids, key=draw_key)[:7]
    for name, cuts in (("a", (50,)), ("b", (1, 20, 50))):
        run = finished(tmp_path, name)
        blocks = zip((0, *cuts), cuts, strict=False)
        rows = {f"block-{start}": ([signature(one, one) for one in ids[start:end]], []) for start, end in blocks}
        shards(run, StageName.SIGNATURES, rows)
        found = questions_map(run, most=7)
        assert [point.question_id for point in found.points] == wanted
        assert found.questions == 50


def test_vectors_are_taken_where_there_are_some_and_labels_from_the_triplets(tmp_path):
    run = finished(tmp_path)
    vectors = ([1, 0, 0], [0, 1, 0], [0, 0.9, 0.1])
    rows = [signature(name, "q " * 100, list(vector)) for name, vector in zip(ALL, vectors, strict=False)]
    write(run, StageName.SIGNATURES, rows)
    found = questions_map(run)
    assert found.way == "meaning"
    places = {point.question_id: (point.x, point.y) for point in found.points}
    assert abs(places[ALL[1]][0] - places[ALL[2]][0]) < abs(places[ALL[1]][0] - places[ALL[0]][0])
    assert {point.difficulty for point in found.points} == {"medium"}
    assert all(len(point.question) <= 90 for point in found.points)


def test_a_run_that_compared_nothing_has_an_empty_map(tmp_path):
    found = questions_map(finished(tmp_path))
    assert (found.points, found.questions, found.way) == ([], 0, "words")
