"""Conversions in the sandbox: what is released is true, passes, and fails where its functions are stubs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tasks.execution.pool import SandboxPool
from tasks.models import Conversion, Reject, RejectReason, ReleaseRow, Style
from tasks.settings import Backend
from tasks.styles.verifying import verify
from tests.conftest import sandbox_settings
from tests.styles.rows import CONFIG, DRIVER, STATEMENT, STUB, TEST, completion, conversion, problem, row


@pytest.fixture(scope="module")
def pool() -> Iterator[SandboxPool]:
    with SandboxPool(sandbox_settings(Backend.BUBBLEWRAP)) as made:
        yield made


def verified(pool: SandboxPool, *told: Conversion, of: ReleaseRow | None = None) -> list[ReleaseRow | Reject]:
    one = of or row()
    return verify({one.question_id: one}, told, pool, CONFIG)


def released(pool: SandboxPool, told: Conversion, of: ReleaseRow | None = None) -> ReleaseRow:
    (found,) = verified(pool, told, of=of)
    assert isinstance(found, ReleaseRow), found
    return found


def rejected(pool: SandboxPool, told: Conversion, of: ReleaseRow | None = None) -> tuple[RejectReason, str]:
    (found,) = verified(pool, told, of=of)
    assert isinstance(found, Reject), found
    assert (found.id, found.response_id) == (told.question_id, "r1")
    return found.reason, json.loads(found.evidence)["why"]


def test_a_stub_that_holds_is_a_row_of_its_own(pool):
    found = released(pool, conversion(completion(), Style.COMPLETE))
    assert (found.style, found.question_id) == (Style.COMPLETE, "Docs_00000007_C")
    assert found.lineage.converted_from == "Docs_00000007_I"
    assert found.lineage.conversion_call is not None and found.lineage.conversion_mends == []
    assert found.metadata == row().metadata
    assert found.lineage.tests_passed == ["test_one", "test_three", "test_negative"]
    assert [one.function_name for one in found.test_info] == ["double"]
    assert "twice a number" in found.test_info[0].docstring
    assert found.trials[found.chosen_trial - 1].solution_code == found.solution
    assert (found.solver, found.duplicates) == (None, [])
    checks = {one.check: one.value for one in found.quality}
    assert checks["stubs_caught"] == 1.0
    assert checks["branch_coverage"] == found.branch_coverage == 0.75  # its main block does not run


def test_an_example_that_is_not_true_is_left_out_of_question_and_solution(pool):
    found = released(pool, conversion(completion(STUB.replace("16", "17")), Style.COMPLETE))
    assert "17" not in found.question + found.solution and ">>> double(8)" not in found.solution
    assert ">>> double(5)\n    10" in found.question and ">>> double(5)\n    10" in found.solution
    assert found.lineage.conversion_mends[0].startswith("left out 1 of 2 examples: 1 of 2 tests failed")


@pytest.mark.parametrize(
    "examples",
    [
        ">>> double(5)\n    11\n",
        "`double(5)` is 11.\n",
        ">>> for x in [1, 2]:\n    ...     print(double(x))\n    2\n    5\n",
        ">>> double('a')\n    Traceback (most recent call last):\n    KeyError: 'a'\n",
        ">>> missing(5)\n    11\n",
    ],
)
def test_a_stub_without_a_true_example_is_rejected(pool, examples):
    head = STUB.split("    >>>")[0]
    reason, _ = rejected(pool, conversion(completion(f'{head}    {examples}    """\n'), Style.COMPLETE))
    assert reason is RejectReason.WRONG_EXAMPLES


def test_examples_of_all_kinds_are_true(pool):
    examples = """>>> double(5)
    10
    >>> print(double(4))
    8
    >>> [double(x) for x in range(3)]
    [0, 2, 4]
    >>> double(-2)
    Traceback (most recent call last):
        ...
    ValueError: negative

    double(6) == 12
    """
    head = STUB.split("    >>>")[0]
    found = released(pool, conversion(completion(f'{head}    {examples}"""\n'), Style.COMPLETE))
    assert found.lineage.conversion_mends == []


def test_a_sentence_tells_the_items_of_an_iterator_and_a_doctest_what_is_printed(pool):
    solution = "def double(x):\n    yield x\n    yield 2 * x\n"
    test = "from solution import double\n\n\ndef test_it():\n    assert list(double(21)) == [21, 42]\n"
    test += "    assert list(double(4)) == [4, 8]\n"
    of = row(question="Double.", solution=solution, test=test)
    stub = 'def double(x):\n    """Double.\n\n    {}\n    """\n'
    told = stub.format("`double(1)` yields `[1, 2]`.")
    assert released(pool, conversion(completion(told), Style.COMPLETE, of), of).lineage.conversion_mends == []
    printed = stub.format(">>> double(1)\n    [1, 2]")
    assert rejected(pool, conversion(completion(printed), Style.COMPLETE, of), of)[0] is RejectReason.WRONG_EXAMPLES


def test_a_program_that_fails_its_tests_or_has_vacuous_ones_is_rejected(pool):
    wrong = row(test=TEST.replace("== 42", "== 43"))
    assert rejected(pool, conversion(completion(), Style.COMPLETE, wrong), wrong)[0] is RejectReason.FAILED
    vacuous = row(test="from solution import double\n\n\ndef test_it():\n    assert double\n")
    found = rejected(pool, conversion(completion(), Style.COMPLETE, vacuous), vacuous)
    assert found[0] is RejectReason.VACUOUS_TESTS


def test_a_problem_that_holds_is_a_row_with_the_outputs_of_its_program(pool):
    found = released(pool, conversion(problem(), Style.ONLINE_JUDGE))
    assert (found.style, found.question_id, found.test) == (Style.ONLINE_JUDGE, "Docs_00000007_O", "")
    assert [(run.stdin, run.stdout) for run in found.io] == [
        ("5\n", "10\n"),
        ("3\n", "6\n"),
        ("-1\n", "error\n"),
        ("100\n", "200\n"),
    ]
    assert found.lineage.tests_passed == ["io[0]", "io[1]", "io[2]", "io[3]"]
    assert {one.check for one in found.quality} == {"stubs_caught", "statement_coverage", "branch_coverage"}
    assert found.mutation_score is None
    assert found.lineage.conversion_mends == []


def test_claimed_outputs_are_corrected_and_inputs_that_end_badly_left_out(pool):
    inputs = [{"stdin": one, "stdout": "7\n"} for one in ("1\n", "-2\n", "")]
    found = released(pool, conversion(problem(inputs=inputs), Style.ONLINE_JUDGE))
    assert [run.stdout for run in found.io] == ["10\n", "2\n", "error\n"]
    assert [one.split(": ")[0] for one in found.lineage.conversion_mends] == [
        "left out 1 of 4 inputs, on which the program fails",
        "corrected 2 of 4 outputs, first that of '1\\n'",
    ]


def test_samples_have_to_be_true(pool):
    wrong = STATEMENT.replace("10\n", "11\n")
    assert rejected(pool, conversion(problem(wrong), Style.ONLINE_JUDGE))[0] is RejectReason.WRONG_EXAMPLES
    both = wrong + "\n## Sample Input 2\n\n```\n4\n```\n\n## Sample Output 2\n\n```\n8\n```\n"
    found = released(pool, conversion(problem(both), Style.ONLINE_JUDGE))
    assert "11" not in found.question and "Sample Input 2" in found.question
    assert found.lineage.conversion_mends[0].startswith("left out 1 of 2 samples")


@pytest.mark.parametrize(
    ("text", "reason", "why"),
    [
        (problem(inputs=[{"stdin": "3\n"}]), RejectReason.FEW_TESTS, "1 different inputs beside the samples"),
        (
            problem(driver="print(5 * (double(int(input())) > -1) * 2)\n", inputs=[{"stdin": "1"}, {"stdin": "2"}]),
            RejectReason.WEAK_TESTS,
            "prints the same",
        ),
        (problem(driver="print(double(input()))\n"), RejectReason.FAILED, "ends well on no input"),
        (
            problem(driver="import time\n\nprint(double(int(input())))\ntime.sleep(30)\n"),
            RejectReason.TIMEOUT,
            "ends well on no input",
        ),
        (
            problem(driver="x = int(input())\ntry:\n    double(x)\nexcept Exception:\n    pass\nprint(2 * x)\n"),
            RejectReason.VACUOUS_TESTS,
            "also pass against a solution that raises",
        ),
    ],
    ids=["few", "same", "crash", "hang", "vacuous"],
)
def test_problems_that_prove_nothing_are_rejected(pool, text, reason, why):
    found = rejected(pool, conversion(text, Style.ONLINE_JUDGE))
    assert found[0] is reason
    assert why in found[1]


def test_a_program_that_prints_by_chance_is_flaky(pool):
    driver = "import random\n\nx = int(input())\nprint(double(x) if x == 5 else random.random())\n"
    assert rejected(pool, conversion(problem(driver=driver), Style.ONLINE_JUDGE))[0] in (
        RejectReason.FLAKY,
        RejectReason.FAILED,
        RejectReason.FEW_TESTS,
    )


def test_each_of_many_gets_its_own_outcome_in_order(pool):
    told = [
        conversion(completion(), Style.COMPLETE),
        conversion(problem(STATEMENT.replace("10\n", "11\n")), Style.ONLINE_JUDGE),
        conversion(problem(driver=DRIVER), Style.ONLINE_JUDGE),
    ]
    assert [isinstance(one, ReleaseRow) for one in verified(pool, *told)] == [True, False, True]
    assert verified(pool) == []
