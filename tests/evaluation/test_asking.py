"""What a model is asked, and what is run of its answer."""

from __future__ import annotations

import pytest

from tasks.evaluation.asking import answered, continued, opening, request
from tasks.evaluation.items import read_items
from tasks.models import Asking, EvalItem, Style
from tasks.settings import Endpoint, Evaluation
from tasks.syntax import parsed
from tasks.teachers.requests import ChatRequest, CompletionRequest
from tests.evaluation import benchmarks as rows
from tests.evaluation.benchmarks import BODY, STUB, WHOLE, written

MODEL = Endpoint(base_url="http://127.0.0.1:9/v1", model="tiny")


@pytest.fixture
def item(tmp_path):
    def read(row: dict) -> EvalItem:
        [found] = read_items(Evaluation(benchmark=written(tmp_path / "items.jsonl", row)))
        return found

    return read


def test_a_stub_is_asked_in_a_fence_and_nothing_of_the_tests_is_told(item):
    asked = request(item(rows.HUMAN_EVAL), 3, Evaluation(), MODEL, 7)
    assert isinstance(asked, ChatRequest)
    [(role, text)] = asked.messages
    assert (role, asked.seed) == ("user", 9)
    assert f"```python\n{STUB.strip()}\n```" in text
    assert "55, 47" not in text
    assert "sum(" not in text


def test_a_system_message_is_sent_where_one_is_given(item):
    asked = request(item(rows.OWN), 1, Evaluation(system="You are terse."), MODEL, 0)
    assert isinstance(asked, ChatRequest)
    assert asked.messages[0] == ("system", "You are terse.")
    assert rows.OWN["prompt"] in asked.messages[1][1]


def test_mbpp_shows_its_asserts_but_not_the_hidden_ones(item):
    text = item(rows.MBPP).prompt
    assert all(one in text for one in rows.ASSERTS)
    assert "math.isclose" not in text


def test_a_base_model_goes_on_from_the_stub_or_from_a_docstring(item):
    raw = Evaluation(asking=Asking.COMPLETION, stop=("\nEND",))
    asked = request(item(rows.HUMAN_EVAL), 1, raw, MODEL, 0)
    assert isinstance(asked, CompletionRequest)
    assert asked.prompt == STUB
    assert asked.stop[0] == "\nEND"
    assert len(asked.stop) <= 4
    words = opening(item(rows.MBPP))
    assert words.startswith('"""\nWrite a function')
    assert words.endswith('"""\n')


@pytest.mark.parametrize(
    "behind",
    [
        "\n\n\ndef other():\n    pass\n",
        "\nif __name__ == '__main__':\n    main()",
        "\nprint(overlapping([1]))",
        "\n```\n",
    ],
)
def test_what_a_completion_runs_on_with_is_cut_off(item, behind):
    assert continued(item(rows.HUMAN_EVAL), f"{BODY}{behind}") == f"{STUB}{BODY}"


def test_a_stop_of_the_users_cuts_too_and_nothing_said_is_no_code(item):
    one = item(rows.HUMAN_EVAL)
    assert continued(one, f"{BODY}\nEND more", ("\nEND",)) == f"{STUB}{BODY}"
    assert continued(one, "\n\n") == ""
    assert continued(item(rows.MBPP), f'{WHOLE}\n\n"""\nNext task\n') == WHOLE


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{STUB}{BODY}```",
        f"Here you go.\n\n```python\n{BODY}```\n\nIt counts.",
        f"```\n{WHOLE.replace('>= 10', '>= LEAST')}```",
        BODY,
        BODY.strip(),
    ],
)
def test_whole_functions_and_bodies_are_joined_to_the_stub(item, text):
    code = answered(item(rows.HUMAN_EVAL), text)
    assert "LEAST = 10" in code
    assert code.count("def overlapping") == 1
    assert parsed(code) is not None


def test_what_an_answer_takes_for_granted_stands_in_front_but_behind_its_future_imports(item):
    one = item(rows.LIVE_FUNCTIONAL)
    code = answered(one, f"```python\nfrom __future__ import annotations\n\n{rows.LIVE_METHOD}```")
    assert code.index("from __future__") < code.index("from typing import") < code.index("class Solution")
    compile(code, "solution", "exec")


@pytest.mark.parametrize("text", ["", "I cannot help with that.", "\x00", "```\n```", "<think>def f(): pass"])
def test_answers_without_code_have_none(item, text):
    assert answered(item(rows.OWN), text) == ""


def test_every_style_has_its_own_words(item):
    assert "standard input" in str(request(item(rows.LIVE_STDIN), 1, Evaluation(), MODEL, 0))
    assert item(rows.LIVE_STDIN).style is Style.ONLINE_JUDGE
    assert "class Solution:" in str(request(item(rows.LIVE_FUNCTIONAL), 1, Evaluation(), MODEL, 0))
