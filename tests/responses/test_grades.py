"""Responses judged in real boxes."""

from __future__ import annotations

import pytest

from tasks.execution.pool import Look
from tasks.models import ProgramRun, Style, Tier, Verdict
from tasks.responses.grading import grade
from tests.responses.rows import DOUBLE, TEST, problem, response

OTHER_NAME = "def twice(x):\n    return x * 2\n"
OTHER_NAME_WRONG = "def twice(x):\n    return x + 2\n"
OTHER_ARGUMENTS = "def twice(x, y):\n    return x * y\n"
LOOK = Look()
SEVEN = "def double(x):\n    return 7\n"


def graded(pool, *answers, problems=None, accept_alias=False, look=LOOK):
    return grade(answers, problems or {"q": problem()}, pool, look, accept_alias)


def test_answers_are_judged_in_their_order_and_told_test_by_test(pool):
    right, wrong, broken = graded(pool, response(1), response(2, SEVEN), response(3, "def double(:\n"))
    assert (right.passed, right.verdict, right.integrity_tier) == (True, Verdict.PASSED, Tier.ISOLATED)
    assert (wrong.passed, wrong.verdict) == (False, Verdict.FAILED)
    assert [(test.test_id, test.outcome) for test in wrong.tests] == [("test_double", "failed")]
    assert (broken.verdict, broken.tests) == (Verdict.ERROR, [])
    assert "does not parse" in broken.reason
    assert [one.response_id for one in (right, wrong, broken)] == ["q/r/1", "q/r/2", "q/r/3"]


def test_what_holds_no_code_or_was_cut_off_counts_as_failed_and_is_not_run(pool):
    empty, cut = graded(pool, response(1, ""), response(2, DOUBLE, finish_reason="length"))
    assert [(one.passed, one.verdict, one.sandbox_s) for one in (empty, cut)] == [(False, None, 0)] * 2
    assert (empty.reason, cut.reason) == ("the reply holds no code", "the reply was cut off")


@pytest.mark.parametrize("accept_alias", [False, True])
def test_another_name_is_judged_as_written_and_its_alias_is_recorded(pool, accept_alias):
    answers = [response(1, OTHER_NAME), response(2, OTHER_NAME_WRONG), response(3, OTHER_ARGUMENTS)]
    right, wrong, stranger = graded(pool, *answers, accept_alias=accept_alias)
    assert right.verdict is wrong.verdict is stranger.verdict is Verdict.ERROR
    assert (right.alias, right.alias_verdict) == ("double = twice", Verdict.PASSED)
    assert (wrong.alias, wrong.alias_verdict) == ("double = twice", Verdict.FAILED)
    assert (stranger.alias, stranger.alias_verdict) == ("", None)
    assert [right.passed, wrong.passed, stranger.passed] == [accept_alias, False, False]
    assert "under double = twice" in right.reason
    assert [test.outcome for test in right.tests] == (["passed"] if accept_alias else [])


def test_the_same_code_runs_once_for_the_same_tests_and_again_for_others(pool):
    retold = problem("q_C", Style.COMPLETE)
    problems = {"q": problem(), "q_C": retold, "other": problem("other", test=TEST.replace("== 6", "== 7"))}
    answers = [response(1), response(2), response(1, row="q_C"), response(1, row="other")]
    first, again, stub, other = graded(pool, *answers, problems=problems)
    assert (stub.passed, stub.sandbox_s, stub.question_id) == (True, 0, "q_C")
    assert (first.verdict, again.verdict, other.verdict) == (Verdict.PASSED, Verdict.PASSED, Verdict.FAILED)
    assert first.sandbox_s > 0 == again.sandbox_s < other.sandbox_s
    assert again.tests == first.tests


def test_programs_are_judged_by_what_they_write(pool):
    asked = problem(
        style=Style.ONLINE_JUDGE, io=(ProgramRun(stdin="3\n", stdout="6\n"), ProgramRun(stdin="0", stdout="0"))
    )
    right, wrong = graded(
        pool, response(1, "print(int(input()) * 2)\n"), response(2, "print(6)\n"), problems={"q": asked}
    )
    assert (right.passed, wrong.passed, wrong.verdict) == (True, False, Verdict.FAILED)
    assert [test.outcome for test in wrong.tests] == ["passed", "failed"]


def test_an_answer_that_passes_by_chance_is_flaky(pool):
    lucky = "import random\n\n\ndef double(x):\n    return x * 2 if random.random() < 0.6 else 0\n"
    (found,) = graded(pool, response(1, lucky), look=Look(reruns=8))
    assert (found.passed, found.verdict in (Verdict.FLAKY, Verdict.FAILED)) == (False, True)


def test_an_answer_that_ends_the_process_has_not_passed(pool):
    (found,) = graded(pool, response(1, "import os\nos._exit(0)\n"))
    assert (found.passed, found.verdict) == (False, Verdict.TAMPERED)


def test_no_responses_have_no_grades(pool):
    assert graded(pool) == []
