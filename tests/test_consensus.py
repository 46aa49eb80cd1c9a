"""What solutions say of each other's tests: wrong tests, collusion, references, and where nothing can be said."""

from tasks.consensus import consensus
from tests.labeling.rows import QUESTION_ID, matrix

TESTS = {"1": ["a", "b"], "2": ["c", "d"], "3": ["e"]}


def found(cells, tests=TESTS, mends=None):
    """The members of the consensus, and a function that tells the opinion of an attempt, by short names."""

    def full(name):
        return f"{QUESTION_ID}/{name}"

    mended = {full(name): full(origin) for name, origin in (mends or {}).items()}
    told = consensus(matrix(cells, tests), {full(name): own for name, own in tests.items()}, mended)
    return {name.removeprefix(full("")) for name in told.members}, lambda name: told.of(full(name))


def test_solutions_that_pass_all_support_each_other():
    members, of = found({name: {"1": "", "2": "", "3": ""} for name in "123"})
    assert members == {"1", "2", "3"}
    assert (of("1").agreement, of("1").support, of("1").wrong) == (1.0, 1.0, ())


def test_a_solution_that_only_its_own_tests_accept_has_no_support_and_its_tests_are_wrong():
    members, of = found(
        {"1": {"1": "", "2": "", "3": "e"}, "2": {"1": "", "2": "", "3": "e"}, "3": {"1": "a", "2": "d", "3": ""}}
    )
    assert members == {"1", "2"}
    assert of("3").support == 0.0
    assert of("3").supporters == (0, 2)
    assert (of("3").agreement, of("3").wrong) == (0.0, ("e",))
    assert of("1").support is None, "the only other tests that the consensus accepts are those of 2"


def test_a_wrong_test_is_named_where_its_own_solution_fails_it_as_well():
    members, of = found({name: {"1": "a", "2": "", "3": ""} for name in "123"})
    assert members == {"1", "2", "3"}
    assert of("1").wrong == ("a",)
    assert of("1").agreement == 0.5
    assert of("2").support == 1.0, "a wrong test of another attempt does not count against it"


def test_nothing_is_said_where_no_two_solutions_agree():
    members, of = found({"1": {"1": "", "2": "c"}, "2": {"1": "a", "2": ""}}, {"1": ["a", "b"], "2": ["c", "d"]})
    assert members == set()
    assert (of("1").agreement, of("1").support, of("1").wrong) == (None, None, ())


def test_two_sets_of_the_same_score_are_no_consensus():
    rows = {"1": {"1": "", "2": "c"}, "2": {"1": "", "2": "c"}, "3": {"1": "a", "2": ""}, "4": {"1": "a", "2": ""}}
    assert found(rows, {"1": ["a"], "2": ["c"]})[0] == set()


def test_solvers_vote_and_references_are_told_apart():
    members, of = found(
        {
            "1": {"1": "", "2": "c d"},
            "2": {"1": "all", "2": ""},
            "solver/1": {"1": "", "2": "c d"},
            "reference/1": {"1": "b", "2": "-"},
        },
        {"1": ["a", "b"], "2": ["c", "d"]},
    )
    assert members == {"1", "solver/1"}
    assert of("2").agreement == 0.0
    assert of("1").reference == 0.0
    assert "reference/1: b" in of("1").told
    assert of("2").reference is None


def test_mended_tests_are_judged_with_the_solution_they_come_from_and_add_no_vote():
    cells = {name: {"1": "a", "2": "c", "4": ""} for name in "12"}
    members, of = found(cells, {"1": ["a", "b"], "2": ["c"], "4": ["b"]}, {"4": "1"})
    assert members == {"1", "2"}
    assert of("4").agreement == 1.0


def test_an_attempt_without_cross_checks_has_no_opinion():
    assert consensus(None, {"x": ["a"]}).of("x").agreement is None


def test_one_attempt_with_many_tests_of_its_own_is_no_rival():
    tests = {"1": ["a"], "2": ["b"], "3": [f"t{n}" for n in range(50)]}
    every = " ".join(tests["3"])
    members, of = found(
        {"1": {"1": "", "2": "", "3": every}, "2": {"1": "", "2": "", "3": every}, "3": {"1": "a", "2": "", "3": ""}},
        tests,
    )
    assert members == {"1", "2"}
    assert of("3").agreement == 0.0
