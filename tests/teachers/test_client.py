"""The client against a server that misbehaves: each request ends as an answer or a refusal, and is paid for once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.errors import AnswersUnavailable, BadInput, TeacherMisconfigured, TeacherUnavailable
from tasks.run import Purpose
from tasks.settings import Endpoint, Sampling
from tasks.teachers import dispatcher as dispatcher_module
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.clients import close_clients, shared_client
from tasks.teachers.requests import Answer, ChatRequest, CompletionRequest, Refused, WhyNot

KEY = "canary-key-7f3a"
ROOT = Path(__file__).resolve().parents[2]
GOOD = {
    "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}


class Server:
    """A loopback endpoint; ``behave(prompt, visit)`` tells what the n-th visit (0-based) of a prompt gets."""

    def __init__(self, behave: Callable[[str, int], tuple[int, dict[str, str], bytes]]) -> None:
        self.visits: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.most = self._now = 0
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None: ...

            def do_GET(self) -> None:
                self._send(401 if self.headers.get("authorization") == "Bearer wrong" else 200, {}, b"{}")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                prompt = body["messages"][-1]["content"] if "messages" in body else body["prompt"]
                with lock:
                    visit = outer.visits[prompt]
                    outer.visits[prompt] += 1
                    outer.headers.append(dict(self.headers))
                    outer._now += 1
                    outer.most = max(outer.most, outer._now)
                try:
                    self._send(*behave(prompt, visit))
                finally:
                    with lock:
                        outer._now -= 1

            def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)
                if "close" in headers.get("connection", ""):
                    self.close_connection = True

        class Listener(ThreadingHTTPServer):
            request_queue_size = 256
            daemon_threads = True

        self.server = Listener(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def start() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def make(behave: Callable[[str, int], tuple[int, dict[str, str], bytes]]) -> Server:
        servers.append(Server(behave))
        return servers[-1]

    yield make
    for server in servers:
        server.server.shutdown()


@pytest.fixture
def connect(tmp_path: Path) -> Iterator[Callable[..., TeacherClient]]:
    clients: list[TeacherClient] = []

    def make(url: str, **options: object) -> TeacherClient:
        endpoint = Endpoint(base_url=url, model="m", **{"timeout_s": 2, "retries": 4, **options})
        clients.append(TeacherClient(endpoint, open_cache(str(tmp_path / "answers.sqlite"))))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def ask(text: str, seed: int = 0) -> ChatRequest:
    return ChatRequest(messages=(("user", text),), sampling=Sampling(), seed=seed)


def good(prompt: str, visit: int) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps(GOOD).encode()


FAULTS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "429": (429, {"retry-after": "0"}, b"slow down"),
    "429 without a hint": (429, {}, b"slow down"),
    "500": (500, {}, b"oops"),
    "503": (503, {"retry-after": "nonsense"}, b""),
    "torn body": (200, {"content-length": "500", "connection": "close"}, b'{"choices": ['),
    "half a JSON": (200, {}, b'{"choices": [{"mess'),
    "HTML": (200, {"content-type": "text/html"}, b"<html>gateway</html>"),
    "no choices": (200, {}, b'{"choices": []}'),
    "null content": (200, {}, b'{"choices": [{"message": {"content": null}}]}'),
    "a list": (200, {}, b"[1]"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_passing_fault_is_retried_until_there_is_an_answer(start, connect, fault):
    server = start(lambda prompt, visit: FAULTS[fault] if visit == 0 else good(prompt, visit))
    client = connect(server.url)
    (answer,) = client.ask_all([ask("a")], Purpose(run="r", stage="s"))
    assert isinstance(answer, Answer)
    assert (answer.text, answer.prompt_tokens, answer.completion_tokens) == ("yes", 3, 1)
    assert server.visits["a"] == 2
    (failed,) = client.answers.faults("r")
    assert (failed.stage, failed.count) == ("s", 1)


def test_stalled_server_runs_into_the_timeout_and_is_asked_again(start, connect):
    def behave(prompt, visit):
        if visit == 0:
            time.sleep(1)
        return good(prompt, visit)

    server = start(behave)
    assert connect(server.url, timeout_s=0.3).ask_all([ask("a")])[0].text == "yes"


def test_all_faults_at_once_lose_and_double_nothing(start, connect):
    kinds = list(FAULTS.values())

    def behave(prompt, visit):
        number = int(prompt)
        if number % 7 == 3:
            return 400, {}, b"maximum context length exceeded"
        return kinds[number % len(kinds)] if visit == 0 and number % 2 else good(prompt, visit)

    server = start(behave)
    results = connect(server.url, max_in_flight=32).ask_all([ask(str(n)) for n in range(500)])
    refused = {n for n, result in enumerate(results) if isinstance(result, Refused)}
    assert refused == {n for n in range(500) if n % 7 == 3}
    assert all(result.text == "yes" for n, result in enumerate(results) if n not in refused)
    assert max(server.visits.values()) == 2


def test_answered_requests_are_never_asked_again_and_seeds_tell_attempts_apart(start, connect):
    server = start(good)
    first = connect(server.url).ask_all([ask("a", seed) for seed in range(10)])
    assert server.visits["a"] == 10
    again = connect(server.url).ask_all([ask("a", seed) for seed in range(10)])
    assert again == first
    assert server.visits["a"] == 10
    assert len({answer.response_id for answer in first}) == 10


def test_an_endpoint_that_moved_keeps_its_answers(start, connect):
    connect(start(good).url).ask_all([ask("a")])
    moved = start(good)
    connect(moved.url).ask_all([ask("a")])
    assert not moved.visits


def test_equal_requests_under_way_are_asked_once(start, connect):
    server = start(lambda prompt, visit: (time.sleep(0.1), good(prompt, visit))[1])
    connect(server.url).ask_all([ask("a")] * 5)
    assert server.visits["a"] == 1


def test_refusals_and_failures_are_not_stored(start, connect, tmp_path):
    server = start(lambda prompt, visit: (400, {}, b"no") if prompt == "bad" else (500, {}, b""))
    client = connect(server.url, retries=0)
    assert client.ask_all([ask("bad")]) == [Refused(why=WhyNot.REFUSED, message="HTTP 400: no")]
    with pytest.raises(TeacherUnavailable, match=r"failed 1 times, last http.*HTTP 500"):
        client.ask_all([ask("a")])
    assert len(client.answers) == 0


def test_a_request_that_fails_while_others_do_not_is_refused_alone(start, connect):
    server = start(lambda prompt, visit: good(prompt, visit) if prompt != "7" else (500, {}, b""))
    client = connect(server.url, retries=1)
    results = client.ask_all([ask(str(n)) for n in range(20)])
    assert [n for n, result in enumerate(results) if isinstance(result, Refused)] == [7]
    assert results[7].why is WhyNot.FAILED
    assert "HTTP 500" in results[7].message
    assert len(client.answers) == 19


def test_a_request_that_fails_alone_in_a_later_run_is_refused_again(start, connect):
    """Nothing else is asked by then, so the endpoint is asked something else before it is held to be down."""
    server = start(lambda prompt, visit: good(prompt, visit) if prompt != "7" else (500, {}, b""))
    client = connect(server.url, retries=1)
    for _ in range(2):
        results = client.ask_all([ask(str(n)) for n in range(5, 10)])
        assert [n for n, result in enumerate(results) if isinstance(result, Refused)] == [2]


def test_nothing_said_is_an_answer_and_is_not_asked_again(start, connect):
    body = {"choices": [{"message": {"content": None, "refusal": "no"}, "finish_reason": "content_filter"}]}
    server = start(lambda prompt, visit: (200, {}, json.dumps(body).encode()))
    (answer,) = connect(server.url).ask_all([ask("a")])
    assert (answer.text, answer.finish_reason, server.visits["a"]) == ("", "content_filter", 1)


def test_an_endpoint_that_is_down_stops_the_shard_and_what_was_answered_is_on_disk(start, connect):
    up = threading.Event()
    up.set()
    server = start(lambda prompt, visit: good(prompt, visit) if up.is_set() else (500, {}, b""))
    client = connect(server.url, retries=0)
    client.ask_all([ask(str(n)) for n in range(5)])
    up.clear()
    with pytest.raises(TeacherUnavailable, match="Answers received so far are kept"):
        client.ask_all([ask(str(n)) for n in range(20)])
    assert len(client.answers) == 5


@pytest.mark.parametrize(
    ("status", "message", "why"),
    [
        (400, "This model's maximum context length is 8192 tokens", WhyNot.CONTEXT_OVERFLOW),
        (
            400,
            "the request exceeds the available context size (3072 tokens), try increasing it",
            WhyNot.CONTEXT_OVERFLOW,
        ),
        (413, "", WhyNot.CONTEXT_OVERFLOW),
        (400, "prompt is too long: 300000 tokens", WhyNot.CONTEXT_OVERFLOW),
        (400, "unknown parameter: 'seed'", WhyNot.REFUSED),
        (422, "temperature must be below 1", WhyNot.REFUSED),
    ],
)
def test_what_no_retry_can_help_is_refused_at_once_with_its_reason(start, connect, status, message, why):
    server = start(lambda prompt, visit: (status, {}, json.dumps({"error": {"message": message}}).encode()))
    (refused,) = connect(server.url).ask_all([ask("a")])
    assert (refused.why, refused.message) == (why, f"HTTP {status}: {message}")
    assert server.visits["a"] == 1


def test_an_account_without_credit_stops_the_run_at_once(start, connect):
    body = json.dumps({"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}).encode()
    server = start(lambda prompt, visit: (429, {}, body))
    with pytest.raises(TeacherMisconfigured, match="no credit left"):
        connect(server.url).ask_all([ask("a")])
    assert server.visits["a"] == 1


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (
            {},
            "Rate limit reached for gpt-4 in organization org-1 on requests per min. Limit: 3 / min. Please try again "
            "in 20s. You can increase your rate limit by adding a payment method to your account at "
            "https://platform.openai.com/account/billing",
        ),
        ({"retry-after": "0"}, "You exceeded your current quota, please check your plan and billing details."),
        ({}, "insufficient_quota: Please retry in 2.5s."),
    ],
)
def test_a_limit_by_the_minute_is_waited_for_though_it_speaks_of_billing(start, connect, monkeypatch, headers, text):
    monkeypatch.setattr(dispatcher_module, "FIRST_DELAY_S", 0.01)
    body = json.dumps({"error": {"message": text}}).encode()
    server = start(lambda prompt, visit: good(prompt, visit) if visit else (429, headers, body))
    assert isinstance(connect(server.url).ask_all([ask("a")])[0], Answer)
    assert server.visits["a"] == 2


def test_a_firewall_or_a_model_that_is_loaded_again_does_not_stop_a_run(start, connect, monkeypatch):
    monkeypatch.setattr(dispatcher_module, "FIRST_DELAY_S", 0.01)
    plan = {("b", 0): 403, ("c", 0): 404}
    server = start(
        lambda prompt, visit: (plan[prompt, visit], {}, b"") if (prompt, visit) in plan else good(prompt, visit)
    )
    client = connect(server.url)
    assert all(isinstance(client.ask_all([ask(text)])[0], Answer) for text in "abc")


def test_answers_that_cannot_be_kept_are_no_more_than_were_in_flight(start, connect, monkeypatch):
    server = start(good)
    client = connect(server.url, max_in_flight=4)

    def full(*_: object) -> None:
        raise AnswersUnavailable("the database is away")

    monkeypatch.setattr(client.answers, "record", full)
    with pytest.raises(AnswersUnavailable, match="is away"):
        client.ask_all([ask(f"{n}") for n in range(100)])
    assert server.visits.total() <= 4


@pytest.mark.parametrize(
    ("status", "text"), [(401, "refuses the key in 'THE_KEY'"), (403, "refuses"), (404, "model 'm'")]
)
def test_refused_key_or_unknown_model_stops_at_once(start, connect, monkeypatch, status, text):
    monkeypatch.setenv("THE_KEY", KEY)
    server = start(lambda prompt, visit: (status, {}, f"bad key {KEY}".encode()))
    with pytest.raises(TeacherMisconfigured, match=text) as caught:
        connect(server.url, api_key_env="THE_KEY").ask_all([ask("a")])
    assert KEY not in str(caught.value)
    assert server.visits["a"] == 1


def test_a_key_that_was_replaced_is_read_anew(start, monkeypatch, tmp_path):
    """In a process that stays, as a Dask worker does."""

    def behave(prompt: str, visit: int) -> tuple[int, dict[str, str], bytes]:
        sent = {name.lower(): value for name, value in server.headers[-1].items()}
        return good(prompt, visit) if sent["authorization"] == f"Bearer {KEY}" else (401, {}, b"")

    server = start(behave)
    monkeypatch.setenv("THE_KEY", "wrong")
    endpoint, cache = Endpoint(base_url=server.url, model="m", api_key_env="THE_KEY"), str(tmp_path / "answers.sqlite")
    with pytest.raises(TeacherMisconfigured, match="refuses the key in 'THE_KEY'"):
        shared_client(endpoint, cache).ask_all([ask("a")])
    monkeypatch.setenv("THE_KEY", KEY)
    assert isinstance(shared_client(endpoint, cache).ask_all([ask("a")])[0], Answer)
    close_clients()


def test_check_tells_unreachable_from_refused(start, connect, monkeypatch):
    server = start(good)
    connect(server.url).check()
    monkeypatch.setenv("WRONG", "wrong")
    with pytest.raises(TeacherMisconfigured, match="'WRONG'"):
        connect(server.url, api_key_env="WRONG").check()
    with pytest.raises(TeacherUnavailable, match="cannot be reached"):
        connect("http://127.0.0.1:9/v1").check()


def test_key_is_sent_and_appears_nowhere_else(start, connect, monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("THE_KEY", KEY)
    server = start(lambda prompt, visit: good(prompt, visit) if prompt == "a" else (500, {}, f"echo {KEY}".encode()))
    client = connect(server.url, api_key_env="THE_KEY", retries=0)
    client.ask_all([ask("a")])
    assert {name.lower(): value for name, value in server.headers[0].items()}["authorization"] == f"Bearer {KEY}"
    with caplog.at_level("DEBUG"), pytest.raises(TeacherUnavailable) as caught:
        client.ask_all([ask("b")])
    assert KEY not in str(caught.value) + repr(client) + caplog.text + repr(client.endpoint)
    for file in tmp_path.iterdir():
        assert KEY.encode() not in file.read_bytes()


def test_key_variable_that_is_not_set_is_named(connect, monkeypatch):
    monkeypatch.delenv("UNSET_KEY", raising=False)
    with pytest.raises(BadInput, match="'UNSET_KEY'"):
        connect("http://127.0.0.1:9/v1", api_key_env="UNSET_KEY")


def test_no_more_requests_in_flight_than_allowed_over_all_threads(start, connect):
    server = start(lambda prompt, visit: (time.sleep(0.01), good(prompt, visit))[1])
    client = connect(server.url, max_in_flight=4)
    threads = [threading.Thread(target=client.ask_all, args=([ask(f"{t}-{n}") for n in range(20)],)) for t in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.most == 4
    assert sum(server.visits.values()) == 100


def test_raw_completion_stops_where_told_and_reasoning_is_apart(start, connect):
    def behave(prompt, visit):
        if prompt == "raw":
            return 200, {}, json.dumps({"choices": [{"text": " sum", "finish_reason": "stop"}]}).encode()
        message = {"content": "4", "reasoning_content": "2 + 2"}
        if prompt == "both":
            message["content"] = "<think>so it is</think>4"
        return 200, {}, json.dumps({"choices": [{"message": message}], "usage": "broken"}).encode()

    raw = CompletionRequest(prompt="raw", stop=("\n",), sampling=Sampling(), seed=0)
    completed, thought, both = connect(start(behave).url).ask_all([raw, ask("think"), ask("both")])
    assert (completed.text, completed.finish_reason) == (" sum", "stop")
    assert (thought.text, thought.reasoning, thought.estimated) == ("4", "2 + 2", True)
    assert (both.text, both.reasoning) == ("4", "2 + 2\n\nso it is")


def test_cache_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / "file").write_text("x" * 5000)
    with pytest.raises(BadInput, match=r"cache of answers .*file"):
        open_cache(str(tmp_path / "file"))


WORKER = """
import sys
from tasks.settings import Endpoint, Sampling
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import ChatRequest
url, path, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
client = TeacherClient(Endpoint(base_url=url, model="m", max_in_flight=4), open_cache(path))
numbers = range(first, first + count)
client.ask_all([ChatRequest(messages=(("user", str(n)),), sampling=Sampling(), seed=0) for n in numbers])
client.close()
"""


def test_two_processes_share_one_cache(start, tmp_path):
    server, path = start(good), str(tmp_path / "answers.sqlite")
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER, server.url, path, str(first), "60"], cwd=ROOT)
        for first in (0, 40)
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    assert len(open_cache(path)) == 100


def test_many_openers_of_a_fresh_cache(tmp_path):
    """Each turns on write-ahead logging, which SQLite lets only one do at a time."""
    with ThreadPoolExecutor(8) as threads:
        for round_ in range(30):
            path = str(tmp_path / f"{round_}.sqlite")
            assert [len(cache) for cache in threads.map(open_cache, [path] * 8)] == [0] * 8


def test_killed_process_loses_no_answer_it_had(start, connect, tmp_path):
    server = start(lambda prompt, visit: (time.sleep(0.02), good(prompt, visit))[1])
    path = str(tmp_path / "answers.sqlite")
    worker = subprocess.Popen([sys.executable, "-c", WORKER, server.url, path, "0", "2000"], cwd=ROOT)
    while sum(server.visits.values()) < 50:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    time.sleep(0.2)
    on_disk, asked = len(open_cache(path)), sum(server.visits.values())
    assert on_disk >= asked - 4
    connect(server.url).ask_all([ask(str(n)) for n in range(asked + 20)])
    assert sum(server.visits.values()) <= asked + 20 + 4
