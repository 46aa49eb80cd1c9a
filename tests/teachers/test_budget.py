"""Money: a cap that holds, costs that are counted once, and what was not asked is asked when there is more."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tasks.run import Purpose
from tasks.settings import Budget, Endpoint, Prices, Sampling
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import Answer, ChatRequest, Refused, WhyNot
from tasks.teachers.usage import sum_up
from tests.teachers.misbehaving import completion, misbehaving, response

PROMPT, REPLY, MOST = 5, 7, 20
PRICES = Prices(input=1.0, output=10.0)
EACH = PRICES.usd(PROMPT, REPLY)


def ask(number: int, label: str = "Docs") -> ChatRequest:
    return ChatRequest(messages=(("user", str(number)),), sampling=Sampling(max_tokens=MOST), seed=0, label=label)


def connect(url: str, folder: Path, prices: Prices = PRICES, **options: object) -> TeacherClient:
    endpoint = Endpoint(base_url=url, model="m", prices=prices, **{"max_in_flight": 16, **options})
    return TeacherClient(endpoint, open_cache(str(folder / "answers.sqlite")))


def purpose(stage: str = "attempts", **budget: object) -> Purpose:
    return Purpose(run="r", stage=stage, budget=Budget(**budget))


@pytest.mark.parametrize("cap", [{"usd": 30.5 * EACH}, {"tokens": 30 * (PROMPT + REPLY) + 5}])
def test_a_run_never_spends_more_than_its_budget_and_says_what_it_left_out(tmp_path, cap):
    with misbehaving(lambda prompt, visit: "") as server:
        client = connect(server.url, tmp_path)
        results = client.ask_all([ask(n) for n in range(200)], purpose(**cap))
        client.close()
    answered = sum(isinstance(result, Answer) for result in results)
    assert sum(server.answered.values()) == answered
    # The last ones are left out although they might have fitted: their worst case did not.
    assert 23 <= answered <= 30
    left_out = [result for result in results if isinstance(result, Refused)]
    assert {result.why for result in left_out} == {WhyNot.BUDGET}
    assert "budget of" in left_out[0].message
    tokens, usd = open_cache(str(tmp_path / "answers.sqlite")).spent("r")
    assert (tokens, usd) == (answered * (PROMPT + REPLY), pytest.approx(answered * EACH))


def test_with_a_higher_budget_only_the_rest_is_asked(tmp_path):
    with misbehaving(lambda prompt, visit: "") as server:
        client = connect(server.url, tmp_path)
        requests = [ask(n) for n in range(60)]
        client.ask_all(requests, purpose(usd=20 * EACH))
        results = client.ask_all(requests, purpose(usd=1000 * EACH))
        client.close()
    assert all(isinstance(result, Answer) for result in results)
    assert set(server.answered.values()) == {1}


def test_several_threads_share_one_budget(tmp_path):
    with misbehaving(lambda prompt, visit: "") as server:
        client = connect(server.url, tmp_path)
        threads = [
            threading.Thread(
                target=client.ask_all, args=([ask(1000 * t + n) for n in range(50)], purpose(usd=40 * EACH))
            )
            for t in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
    assert sum(server.answered.values()) <= 40


def test_costs_are_counted_once_over_sessions_and_answers_from_disk_cost_nothing(tmp_path):
    with misbehaving(lambda prompt, visit: "") as server:
        for _ in range(3):
            client = connect(server.url, tmp_path)
            client.ask_all([ask(n) for n in range(10)], purpose("questions"))
            client.ask_all([ask(n, "Prefill") for n in range(20, 25)], purpose("attempts"))
            client.ask_all([ask(n) for n in range(10)], Purpose(run="other", stage="questions"))
            client.close()
    answers = open_cache(str(tmp_path / "answers.sqlite"))
    usage = sum_up(answers.uses("r"))
    assert [(row.stage, row.subset, row.calls, row.cached) for row in usage.rows] == [
        ("attempts", "Prefill", 5, 0),
        ("questions", "Docs", 10, 0),
    ]
    assert usage.total.usd == pytest.approx(15 * EACH)
    assert usage.total.tokens == 15 * (PROMPT + REPLY)
    assert usage.per(5) == (pytest.approx(3 * (PROMPT + REPLY)), pytest.approx(3 * EACH))
    other = sum_up(answers.uses("other")).total
    assert (other.calls, other.cached, other.usd) == (0, 10, 0.0)


def test_an_unknown_price_is_no_price(tmp_path):
    with misbehaving(lambda prompt, visit: "") as server:
        client = connect(server.url, tmp_path, Prices(input=1.0))
        client.ask_all([ask(1)], purpose())
        client.close()
    total = sum_up(open_cache(str(tmp_path / "answers.sqlite")).uses("r")).total
    assert (total.usd, total.tokens) == (None, PROMPT + REPLY)
    assert total.plus(open_cache(str(tmp_path / "answers.sqlite")).uses("r")[0]).usd is None


def test_what_was_spent_before_counts_from_the_first_request_on(tmp_path):
    """All requests of a resumed run start at once: none may go out before the earlier spending is known."""
    with misbehaving(lambda prompt, visit: "") as server:
        client = connect(server.url, tmp_path)
        client.ask_all([ask(n) for n in range(50)], purpose(usd=1))
        spent = client.answers.spent("r")[1]
        client.close()
        again = connect(server.url, tmp_path)
        results = again.ask_all([ask(n) for n in range(100, 200)], purpose(usd=spent))
        again.close()
    assert all(isinstance(result, Refused) for result in results)
    assert server.answered.total() == 50


def test_half_an_emoji_costs_neither_its_answer_nor_others(tmp_path):
    from tests.teachers import misbehaving as module

    cut = b'{"choices": [{"message": {"content": "so \\ud83d"}, "finish_reason": "length"}]}'
    module.ODD["half an emoji"] = lambda text: response(200, cut)
    try:
        with misbehaving(lambda prompt, visit: "half an emoji" if prompt == "7" else "") as server:
            client = connect(server.url, tmp_path)
            results = client.ask_all([ask(n) for n in range(20)], purpose())
            client.close()
    finally:
        del module.ODD["half an emoji"]
    assert results[7].text == "so ?"
    assert len(open_cache(str(tmp_path / "answers.sqlite"))) == 20


def test_changing_one_prompt_asks_only_that_one(tmp_path):
    with misbehaving(lambda prompt, visit: "") as server:
        client = connect(server.url, tmp_path)
        client.ask_all([ask(n) for n in range(10)], purpose())
        client.ask_all([ask(n) for n in (*range(9), 99)], purpose())
        client.close()
    assert server.visits == Counter({str(n): 1 for n in (*range(10), 99)})


def test_requests_in_flight_are_answered_when_the_run_is_stopped(tmp_path):
    """What is in flight may still come; what is waiting is not sent; all that came is on disk."""
    release = threading.Event()

    def plan(prompt: str, visit: int) -> str:
        release.wait(10)
        return ""

    with misbehaving(plan) as server:
        client = connect(server.url, tmp_path, max_in_flight=1)
        caught: list[BaseException] = []

        def work() -> None:
            try:
                client.ask_all([ask(n) for n in range(50)], purpose())
            except BaseException as error:
                caught.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        while not server.visits:
            time.sleep(0.01)
        threading.Timer(0.3, release.set).start()
        client.stop()
        thread.join(20)
        client.close()
    assert not thread.is_alive()
    assert "run was stopped" in str(caught[0])
    assert sum(server.visits.values()) == len(open_cache(str(tmp_path / "answers.sqlite"))) == 1


def test_answers_hold_all_choices_logprobs_and_reasoning(tmp_path):
    from tests.teachers import misbehaving as module

    choices = [
        {"index": 1, "message": {"content": "b", "reasoning_content": "why b"}, "finish_reason": "stop"},
        {
            "index": 0,
            "message": {"content": "<think>hm</think>a"},
            "finish_reason": "stop",
            "logprobs": {"content": [1]},
        },
    ]
    module.ODD["two choices"] = lambda text: response(200, json.dumps(completion("", choices=choices)).encode())
    try:
        with misbehaving(lambda prompt, visit: "two choices") as server:
            client = connect(server.url, tmp_path)
            request = ask(1).model_copy(update={"n": 2, "logprobs": 3})
            client.ask_all([request])
            (answer,) = client.ask_all([request])  # from disk
            client.close()
    finally:
        del module.ODD["two choices"]
    assert [(choice.text, choice.reasoning) for choice in answer.choices] == [("a", "hm"), ("b", "why b")]
    assert answer.choices[0].logprobs == {"content": [1]}
    assert server.visits["1"] == 1
