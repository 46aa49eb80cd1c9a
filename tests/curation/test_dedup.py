"""Duplicates: one representative stays, and names the others."""

from tasks.curation.dedup import Candidate, find_duplicates, jaccard, normalise, shingles

LONG = (
    "Write a function that takes a list of sensor readings and returns the longest run of consecutive values that "
    "never fall by more than the given tolerance, as a pair of start index and length"
)


def decide(*texts: str, quality: dict[int, float] | None = None):
    candidates = [Candidate(str(i), text, ((quality or {}).get(i, 0.0),)) for i, text in enumerate(texts)]
    return {d.question_id: (d.representative, d.kind) for d in find_duplicates(candidates, 0.7, 128)}


def test_case_and_punctuation_do_not_make_a_difference():
    assert decide("Add two numbers.", "add TWO numbers") == {"0": ("0", ""), "1": ("0", "exact")}


def test_best_verified_member_of_a_cluster_stays():
    found = decide("Add two numbers.", "add two numbers", "ADD two numbers!", quality={1: 0.9})
    assert found == {"0": ("1", "exact"), "1": ("1", ""), "2": ("1", "exact")}


def test_few_changed_words_are_a_near_duplicate():
    assert decide(LONG, LONG.replace("sensor", "meter"))["1"] == ("0", "near")


def test_other_task_on_the_same_topic_stays():
    other = "Write a function that takes a list of sensor readings and returns the median of all values above zero"
    assert decide(LONG, other)["1"] == ("1", "")


def test_clusters_are_connected_components():
    words = [f"word{i}" for i in range(60)]
    chain = [" ".join(words[start : start + 50]) for start in (0, 5, 10)]
    assert jaccard(shingles(chain[0]), shingles(chain[2])) < 0.7 < jaccard(shingles(chain[0]), shingles(chain[1]))
    assert {representative for representative, _ in decide(*chain).values()} == {"0"}


def test_nothing_to_compare():
    assert find_duplicates([], 0.7, 128) == []
    assert normalise("  ") == ""


def test_every_planted_near_duplicate_is_found_among_many():
    texts = []
    for i in range(300):
        base = " ".join(f"topic{i}word{j}" for j in range(40))
        texts += [base, base.replace(f"topic{i}word20", "changed")]
    found = decide(*texts)
    assert all(found[str(2 * i + 1)] == (str(2 * i), "near") for i in range(300))
