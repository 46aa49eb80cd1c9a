"""What is asked of the converter, and what becomes of its replies before anything runs."""

from __future__ import annotations

import json

import pytest

from tasks.models import Conversion, Reject, RejectReason, Style
from tasks.styles.asking import conversion_request, read_conversion, why_not_asked
from tasks.styles.ids import converted_id, is_retold, origin_id
from tasks.styles.online_judge import samples_in, without_samples
from tasks.teachers.requests import Refused, WhyNot
from tests.styles.rows import RUN, STATEMENT, TEST, answer, completion, problem, row, told

STYLES = [Style.COMPLETE, Style.ONLINE_JUDGE]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", ["standard", "small"])
def test_the_converter_sees_question_and_solution_and_no_test(style, size):
    config = RUN.config.model_copy(update={"teachers": RUN.config.teachers.model_copy(update={"prompts": size})})
    asked = conversion_request(row(), RUN.model_copy(update={"config": config}), style)
    assert row().question in asked.text() and "return _twice(x)" in asked.text()
    assert "42" not in asked.text() and "test_three" not in asked.text()
    assert (asked.grammar is not None) == (size == "small")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"style": Style.COMPLETE}, "told in the style complete already"),
        ({"test": ""}, "no tests"),
        ({"solution": "def double(:"}, "does not parse"),
        ({"test": "def test_a():\n    assert True\n", "test_info": []}, "use nothing of the solution"),
        ({"solution": "double = lambda x: 2 * x\n"}, "double, which is neither"),
        ({"test": TEST + "#" * 600_000}, "more than 500,000"),
    ],
)
@pytest.mark.parametrize("style", STYLES)
def test_rows_that_cannot_be_told_cost_no_call(changed, why, style):
    assert why in why_not_asked(row(**changed), style)


def test_a_function_cannot_be_read_from_input_and_can_be_a_parameter_of_a_stub():
    solution = "from typing import Callable\n\n\ndef double(x: Callable[[], int]):\n    return 2 * x()\n"
    assert "given a function" in why_not_asked(row(solution=solution), Style.ONLINE_JUDGE)
    assert why_not_asked(row(solution=solution), Style.COMPLETE) == ""


def test_ids_have_the_suffix_of_their_style():
    assert converted_id("Docs_00000007_I", Style.COMPLETE) == "Docs_00000007_C"
    assert converted_id("Docs_00000007_I", Style.ONLINE_JUDGE) == "Docs_00000007_O"
    assert converted_id("mine", Style.COMPLETE) == "mine_C"
    assert [origin_id(name) for name in ("Docs_00000007_I", "Docs_00000007_O")] == ["Docs_00000007_I"] * 2
    assert [is_retold(name) for name in ("Docs_00000007_I", "Docs_00000007_O")] == [False, True]


@pytest.mark.parametrize("style", STYLES)
def test_replies_without_what_was_asked_for_are_rejects_with_the_reply_as_evidence(style):
    reason = {}
    for text in ("", "I cannot.", "NOT_CONVERTIBLE: it is random.", "<|Completion Begin|><|Completion End|>", "\x00🌱"):
        found = told(text, style)
        assert isinstance(found, Reject)
        assert found.id == converted_id("Docs_00000007_I", style)
        assert text in found.evidence
        reason[text[:15]] = found.reason
    assert reason.pop("NOT_CONVERTIBLE") is RejectReason.ABSTAINED
    assert set(reason.values()) == {RejectReason.MALFORMED_REPLY}


def test_cut_off_and_refused_requests_are_rejects():
    cut = read_conversion(row(), answer(completion(), "length"), RUN, Style.COMPLETE)
    assert isinstance(cut, Reject) and cut.reason is RejectReason.TRUNCATED_REPLY
    none = read_conversion(row(), Refused(why=WhyNot.BUDGET, message="no money"), RUN, Style.COMPLETE)
    assert isinstance(none, Reject) and none.reason is RejectReason.BUDGET_EXHAUSTED


def test_a_stub_becomes_a_conversion():
    found = told(completion(), Style.COMPLETE)
    assert isinstance(found, Conversion)
    assert (found.question_id, found.converted_from) == ("Docs_00000007_C", "Docs_00000007_I")
    assert found.question.startswith("Complete the following Python code.")
    assert ">>> double(5)" in found.question and ">>> double(5)" in found.solution
    assert "# not asked for" in found.solution
    assert found.test == TEST and found.io == []
    assert found.examples.count("def test_example_") == 2
    assert found.call.template.startswith("complete@")


def test_a_problem_becomes_a_program_with_the_driver_in_place_of_its_main_block():
    found = told(problem(), Style.ONLINE_JUDGE)
    assert isinstance(found, Conversion)
    assert [run.stdin for run in found.io] == ["5\n", "3\n", "-1\n", "100\n"]
    assert "print(double(1))" not in found.solution and "from solution" not in found.solution
    assert found.solution.endswith(found.driver)
    assert found.test == "" and found.question == STATEMENT.strip()


@pytest.mark.parametrize(
    "inputs",
    [
        json.dumps([{"stdin": "3\n", "stdout": "6\n"}]),
        '{"inputs": [{"stdin": "3\\n", "stdout": "6\\n"},]}',
        '```\n[{"stdin": "3\\n"}]\n```',
    ],
)
def test_inputs_are_read_in_the_forms_that_models_give_them(inputs):
    text = problem()
    start = text.index("<|Inputs Begin|>")
    found = told(f"{text[:start]}<|Inputs Begin|>\n{inputs}\n<|Inputs End|>", Style.ONLINE_JUDGE)
    assert isinstance(found, Conversion), found
    assert [run.stdin.strip() for run in found.io] == ["5", "3"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (problem(driver="print(double(\n"), "driver does not parse"),
        (problem(driver="def double(x):\n    return 2 * int(input())\n\n\nprint(double(1))\n"), "defines double"),
        (problem(driver="print(2 * int(input()))\n"), "uses none of double"),
        (problem(driver="print(double(4))\n"), "does not read"),
        (problem(driver="from __future__ import annotations\nprint(double(int(input())))\n"), "makes no program"),
        (problem(statement="Double it.\n"), "no sample"),
        (problem(inputs=[]), "inputs cannot be read"),
        (problem(inputs=[{"in": "3"}]), "inputs cannot be read"),
        (problem().replace("Inputs Begin", "Input"), "no Inputs section"),
        (problem().replace("Driver", "Code"), "no Driver section"),
    ],
)
def test_what_makes_no_problem_is_malformed(text, why):
    found = told(text, Style.ONLINE_JUDGE)
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.MALFORMED_REPLY
    assert why in found.evidence


def test_equal_inputs_count_once():
    found = told(problem(inputs=[{"stdin": "5"}, {"stdin": "3\n"}, {"stdin": "3\n\n"}]), Style.ONLINE_JUDGE)
    assert isinstance(found, Conversion)
    assert [run.stdin for run in found.io] == ["5\n", "3\n"]


@pytest.mark.parametrize(
    "written",
    [
        "Sample Input\n```\n5\n```\nSample Output\n```\n10\n```\n",
        "**Sample Input 1**\n\n```text\n5\n```\n\n**Sample Output 1**\n\n```text\n10\n```\n",
        "### Example Input:\n````\n5\n````\n### Output:\n```\n10\n```\n",
    ],
)
def test_samples_are_found_under_their_headings(written):
    (sample,) = samples_in(f"Do it.\n\n{written}")
    assert (sample.run.stdin, sample.run.stdout) == ("5\n", "10\n")
    assert without_samples(f"Do it.\n\n{written}\nEnd.", [sample]) == "Do it.\n\nEnd."


def test_a_solution_that_is_a_program_already_is_run_by_the_driver_alone():
    main = "import sys\n\n\ndef main():\n    print(2 * int(sys.stdin.read()))\n\n\n"
    main += "if __name__ == '__main__':\n    main()\n"
    test = "from solution import main\n\n\ndef test_main(capsys, monkeypatch):\n    main()\n"
    driver = "import sys\n\nmain()  # reads sys.stdin\n"
    found = told(problem(driver=driver), Style.ONLINE_JUDGE, row(solution=main, test=test))
    assert isinstance(found, Conversion)
    assert found.solution.count("main()") == 2
