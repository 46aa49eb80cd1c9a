"""Duplicates by words: which pairs are found, how they are clustered, and which row of a cluster stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.curation.dedup.clusters import KINDS, Edges, exact_edges, join
from tasks.curation.dedup.contradiction import contradiction, traits
from tasks.curation.dedup.near import Sets, band_rows, near_pairs, signatures
from tasks.curation.dedup.semantic import cells_for, learn_cells, place, similar_pairs
from tasks.shingles import canonical, normalise, shingles

LONG = (
    "Write a function that takes a list of sensor readings and returns the longest run of consecutive values that "
    "never fall by more than the given tolerance, as a pair of start index and length"
)


def jaccard(left: str, right: str) -> float:
    ours, theirs = shingles(left), shingles(right)
    return len(ours & theirs) / len(ours | theirs)


def near(*texts: str, threshold: float = 0.7) -> dict[tuple[int, int], float]:
    sets, keys = signatures([normalise(text) for text in texts], threshold, 256)
    left, right, similarity = near_pairs(keys, sets.take, threshold)
    return {(int(a), int(b)): float(s) for a, b, s in zip(left, right, similarity, strict=True)}


def test_few_changed_words_are_a_near_duplicate():
    changed = LONG.replace("sensor", "meter")
    assert near(LONG, changed) == {(0, 1): pytest.approx(jaccard(LONG, changed))}


def test_other_task_on_the_same_topic_is_none():
    other = "Write a function that takes a list of sensor readings and returns the median of all values above zero"
    assert near(LONG, other) == {}


@given(st.lists(st.text("abc ", max_size=30), min_size=1, max_size=8))
def test_similarities_are_those_of_the_sets_of_words(texts):
    texts = [normalise(text) for text in texts]
    sets, _ = signatures(texts, 0.7, 32)
    left, right = (np.array(side) for side in np.meshgrid(range(len(texts)), range(len(texts))))
    found = sets.jaccard(left.ravel(), right.ravel())
    pairs = zip(left.ravel(), right.ravel(), strict=True)
    assert found.tolist() == pytest.approx([jaccard(texts[a], texts[b]) for a, b in pairs])


def test_every_planted_near_duplicate_is_found_among_many():
    texts = []
    for i in range(300):
        base = " ".join(f"topic{i}word{j}" for j in range(40))
        texts += [base, base.replace(f"topic{i}word20", "changed")]
    assert set(near(*texts)) == {(2 * i, 2 * i + 1) for i in range(300)}


def test_thousands_of_likenesses_of_one_row_become_one_cluster_without_comparing_all_with_all():
    texts = [f"{LONG} in no more than {i} steps" for i in range(1000)]
    pairs = near(*texts)
    assert len(pairs) < 1000 * 999 / 4
    edges = Edges(*(np.array(side) for side in zip(*pairs, strict=True)), np.full(len(pairs), 2, np.int8))
    assert set(join(1000, [edges], np.zeros((1000, 1))).representative) == {0}


@pytest.mark.parametrize(("threshold", "permutations"), [(0.5, 128), (0.7, 128), (0.7, 256), (0.9, 256)])
def test_bands_find_a_pair_at_the_threshold(threshold, permutations):
    rows = band_rows(threshold, permutations)
    assert 1 - (1 - threshold**rows) ** (permutations // rows) > 0.999


def clusters(rows, *pairs, quality=None):
    kinds = np.array([KINDS.index(kind) for *_, kind in pairs], np.int8)
    ends = np.array([pair[:2] for pair in pairs], np.int64).reshape(-1, 2)
    criteria = np.array(quality, float) if quality else np.zeros((rows, 1))
    found = join(rows, [Edges(ends[:, 0], ends[:, 1], kinds)], criteria)
    return [(int(r), KINDS[k], int(s)) for r, k, s in zip(found.representative, found.kind, found.size, strict=True)]


def test_clusters_are_connected_components_and_the_first_row_stands_for_equals():
    assert clusters(4, (0, 1, "near"), (1, 2, "semantic")) == [
        (0, "", 3),
        (0, "near", 3),
        (0, "semantic", 3),
        (3, "", 1),
    ]


def test_best_verified_member_stays_by_the_first_criterion_in_which_they_differ():
    found = clusters(3, (0, 1, "near"), (1, 2, "near"), quality=[[1, 0.9], [2, 0.1], [2, 0.3]])
    assert {representative for representative, *_ in found} == {2}


def test_repeated_texts_are_tied_to_the_first_and_compared_once():
    edges, distinct = exact_edges([b"a" * 16, b"b" * 16, b"a" * 16, b"a" * 16])
    assert (edges.left.tolist(), edges.right.tolist(), distinct.tolist()) == ([0, 0], [2, 3], [0, 1])


def test_nothing_to_compare():
    assert exact_edges([])[1].tolist() == []
    assert join(0, [], np.empty((0, 1))).representative.tolist() == []
    assert near() == {}


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_cells_find_the_pairs_that_comparing_all_with_all_finds():
    chance = np.random.default_rng(5)
    middles = chance.normal(size=(40, 64))
    vectors = middles[chance.integers(0, 40, 4000)] + chance.normal(size=(4000, 64))
    vectors = unit(np.vstack([vectors, vectors[:400] + 0.3 * chance.normal(size=(400, 64))]))
    centroids = learn_cells(vectors[::2], cells_for(len(vectors)), 0)
    cells = place(vectors, centroids)
    found = set()
    for cell in range(len(centroids)):
        rows = np.flatnonzero((cells == cell).any(axis=1))
        left, right, _ = similar_pairs(rows, vectors[rows], 0.9)
        found |= set(zip(left.tolist(), right.tolist(), strict=True))
    left, right = np.nonzero(np.triu(vectors @ vectors.T >= 0.9, 1))
    every = set(zip(left.tolist(), right.tolist(), strict=True))
    assert len(every) >= 350
    assert found <= every
    assert len(found & every) >= 0.97 * len(every)


def test_rows_that_are_all_alike_keep_a_bounded_number_of_pairs_and_stay_connected():
    vectors = unit(np.ones((3000, 16)) + 0.01 * np.random.default_rng(1).normal(size=(3000, 16)))
    left, right, _ = similar_pairs(np.arange(3000), vectors, 0.9)
    assert len(left) <= 3000 * 16
    edges = Edges(left, right, np.full(len(left), 3, np.int8))
    assert set(join(3000, [edges], np.zeros((3000, 1))).representative) == {0}


def test_sets_behind_one_another_are_the_rows_of_both():
    one, other = (
        Sets.of(np.array(values, np.uint32).view(np.uint8), np.array([4 * len(values)]))
        for values in ([1, 2], [2, 3, 4])
    )
    both = Sets.concat([one, other])
    assert both.jaccard(np.array([0]), np.array([1])).tolist() == [pytest.approx(0.25)]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Add two numbers.", "add TWO  numbers"),
        ("# Title\n\n- first\n- second", "Title\n* first\n* second"),
        ("Use **bold** and `code`, a well-known way.", "use bold and code: a well known way"),
    ],
)
def test_case_punctuation_and_markup_do_not_make_a_difference(left, right):
    assert canonical(left) == canonical(right)


@pytest.mark.parametrize(
    ("left", "right"), [("x < limit", "x > limit"), ("a + b", "a - b"), ("Write it in C", "Write it in C++")]
)
def test_operators_make_a_difference(left, right):
    assert canonical(left) != canonical(right)


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        ("Return the largest leaf depth", "Return the smallest leaf depth", "opposites"),
        ("Keep items with x < limit", "Keep items with x > limit", "operators"),
        ("f(2) returns 5", "f(2) returns -5", "numbers"),
        ("Sort from small to large", "Sort from large to small", "order"),
        ("`f(a: int) -> int`: add", "`f(a: int, b: int) -> int`: add", "signature"),
        ("Keep at most 5 items", "Keep no more than 5 items", ""),
        ("Keep at least 5 items", "Keep no fewer than 5 items", ""),
        ("Add them. Return the sum.", "Return the sum. Add them.", ""),
        ("Count words in a text", "Count the words of a text", ""),
    ],
)
def test_what_tells_similar_questions_apart(left, right, reason):
    assert contradiction(traits(left), traits(right)) == reason
    assert contradiction(traits(right), traits(left)) == reason


def test_row_that_is_another_task_than_its_representative_leaves_the_cluster():
    edges = Edges(np.array([0, 1, 2]), np.array([1, 2, 3]), np.full(3, 2, np.int8))
    found = join(4, [edges], np.zeros((4, 1)), lambda left, right: (left < 2) & (right >= 2))
    assert found.representative.tolist() == [0, 0, 2, 2]
    assert found.size.tolist() == [2, 2, 2, 2]
