"""Which tests are mended, and what of them is left."""

from tasks.labeling.mending import mendable, without_wrong
from tasks.models import Verdict
from tests.labeling.rows import QUESTION_ID, TEST, attempt, matrix, question, tries, verdict

OTHER = "def double(x):\n    return x + x\n"
WRONG = TEST.replace("double(3) == 6", "double(3) == 7")
FAILING = verdict(1, Verdict.FAILED, failed=("test_three",))


def agreeing(*names: str):
    return matrix({name: dict.fromkeys(names, "test_three") for name in names}, {})


def test_tests_that_the_agreeing_solutions_fail_are_dropped_and_all_else_stays():
    made = (attempt(1, test=WRONG), attempt(2, OTHER, WRONG))
    found = mendable(question(), tries(FAILING, verdict(2, Verdict.FAILED), attempts=made), agreeing("1", "2"))
    assert found is not None
    assert (found.attempt.attempt, found.wrong, found.number) == (1, ("test_three",), 3)
    mended = without_wrong(found)
    assert (mended.attempt_id, mended.mends) == (f"{QUESTION_ID}/3", f"{QUESTION_ID}/1")
    assert "test_three" not in mended.test
    assert mended.test.startswith("from solution import double\n\n\ndef test_one():\n    assert double(1) == 2\n")
    assert mended.call.completion_tokens == 0


def test_a_question_with_an_attempt_that_stands_is_left_alone():
    made = (attempt(1, test=WRONG), attempt(2, OTHER))
    check = matrix({"1": {"1": "test_three", "2": ""}, "2": {"1": "test_three", "2": ""}}, {})
    assert mendable(question(), tries(FAILING, verdict(2), attempts=made), check) is None


def test_solutions_that_do_not_agree_mend_nothing():
    made = (attempt(1, test=WRONG), attempt(2, OTHER, WRONG))
    check = matrix({"1": {"1": "test_three", "2": "test_one"}, "2": {"1": "test_one", "2": "test_three"}}, {})
    assert mendable(question(), tries(FAILING, verdict(2, Verdict.FAILED), attempts=made), check) is None
    assert mendable(question(), tries(FAILING, attempts=made[:1]), None) is None


def test_of_several_the_attempt_with_the_most_right_tests_is_mended():
    third = WRONG + "\n\ndef test_zero():\n    assert double(0) == 0\n"
    made = (attempt(1, test=WRONG), attempt(2, OTHER, third))
    found = mendable(question(), tries(FAILING, verdict(2, Verdict.FAILED), attempts=made), agreeing("1", "2"))
    assert found is not None and found.attempt.attempt == 2
