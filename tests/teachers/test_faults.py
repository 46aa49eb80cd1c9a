"""Every fault of an endpoint, alone and all at once: each request ends as one answer or one refusal with its reason."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from tasks.settings import Endpoint, Prices, Sampling
from tasks.teachers import dispatcher as dispatcher_module
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import Answer, ChatRequest, Refused, WhyNot
from tests.teachers.misbehaving import CONNECTION, FAULTS, ODD, misbehaving

REQUESTS = 5000


def ask(text: str) -> ChatRequest:
    return ChatRequest(messages=(("user", text),), sampling=Sampling(max_tokens=64), seed=0)


def connect(url: str, folder: Path, **options: object) -> TeacherClient:
    endpoint = Endpoint(base_url=url, model="m", **{"timeout_s": 0.5, "retries": 8, **options})
    return TeacherClient(endpoint, open_cache(str(folder / "answers.sqlite")))


@pytest.mark.parametrize("fault", [*FAULTS, *CONNECTION])
@pytest.mark.parametrize("stream", [False, True])
def test_a_fault_that_passes_costs_one_more_try(tmp_path, fault, stream):
    with misbehaving(lambda prompt, visit: fault if visit == 0 else "") as server:
        client = connect(server.url, tmp_path, stream=stream)
        (answer,) = client.ask_all([ask("a")])
        client.close()
    assert isinstance(answer, Answer)
    assert answer.text == "echo a"
    assert server.visits["a"] == 2


@pytest.mark.parametrize("oddity", ODD)
def test_an_odd_answer_is_an_answer(tmp_path, oddity):
    with misbehaving(lambda prompt, visit: oddity) as server:
        client = connect(server.url, tmp_path, prices=Prices(input=1, output=1))
        (answer,) = client.ask_all([ask("a b c")])
        client.close()
    assert isinstance(answer, Answer)
    assert (answer.text, server.visits["a b c"]) == ("echo a b c", 1)
    assert answer.estimated == (oddity in ("wrong usage", "no usage"))
    assert 0 < answer.prompt_tokens < 100
    assert 0 < answer.completion_tokens < 100


def test_all_faults_at_once_lose_and_double_nothing(tmp_path, monkeypatch):
    """5,000 requests: a third of the visits meets a fault, one in fifty prompts always does; the server dies once."""
    monkeypatch.setattr(dispatcher_module, "FIRST_DELAY_S", 0.05)
    passing = [*FAULTS, *CONNECTION]
    rare = {"gzip bomb": 40, "stall": 8}

    def plan(prompt: str, visit: int) -> str:
        number = int(prompt)
        if number % 50 == 7:
            return "500"
        if number % 3 == 1 and visit == 0:
            fault = passing[number // 3 % len(passing)]
            return fault if number % rare.get(fault, 1) == 0 else "429 without a hint"
        return list(ODD)[number // 3 % len(ODD)] if number % 3 == 2 else ""

    hopeless = {number for number in range(REQUESTS) if number % 50 == 7}
    with misbehaving(plan, dies_after_s=2) as server:
        client = connect(server.url, tmp_path, max_in_flight=64)
        results = client.ask_all([ask(str(number)) for number in range(REQUESTS)])
        client.close()
    refused = {number for number, result in enumerate(results) if isinstance(result, Refused)}
    assert refused == hopeless
    assert {result.why for result in results if isinstance(result, Refused)} == {WhyNot.FAILED}
    assert all(results[number].text == f"echo {number}" for number in range(REQUESTS) if number not in hopeless)
    on_disk = open_cache(str(tmp_path / "answers.sqlite"))
    assert len(on_disk) == REQUESTS - len(hopeless)
    # An answer that was on its way when the server died is asked once more; any other is given once.
    assert sum(count > 1 for count in server.answered.values()) <= 64


def test_a_packed_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(dispatcher_module, "FIRST_DELAY_S", 0.05)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with misbehaving(lambda prompt, visit: "gzip bomb" if visit < 5 else "") as server:
        client = connect(server.url, tmp_path, timeout_s=30)
        assert client.ask_all([ask("a")])[0].text == "echo a"
        client.close()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10 < 180
