"""The batch API as a transport: the same answers, partial failures asked again, a killed run finds its batch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from tasks.errors import TeacherMisconfigured, TeacherStopped, TeacherUnavailable
from tasks.run import Purpose
from tasks.settings import Endpoint, Prices, Sampling
from tasks.teachers import batches as batches_module
from tasks.teachers.cache import Batch, ResponseCache, open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import Answer, ChatRequest, Refused, WhyNot
from tests.teachers.batch_server import BatchServer, answered, batch_server
from tests.teachers.misbehaving import completion

ROOT = Path(__file__).resolve().parents[2]
BATCHING = {"collect_s": 0.05, "poll_s": 0.05}


def ask(text: object) -> ChatRequest:
    return ChatRequest(messages=(("user", str(text)),), sampling=Sampling(max_tokens=64), seed=0)


def connect(url: str, folder: Path, **batching: object) -> TeacherClient:
    endpoint = Endpoint(
        base_url=url,
        model="m",
        transport="batch",
        batching={**BATCHING, **batching},
        retries=2,
        prices=Prices(input=1, output=1),
    )
    return TeacherClient(endpoint, open_cache(str(folder / "answers.sqlite")))


def test_requests_of_all_threads_go_in_one_batch_and_are_paid_for_once(tmp_path):
    with batch_server() as server:
        client = connect(server.url, tmp_path)
        found: dict[int, list[object]] = {}
        threads = [
            threading.Thread(target=lambda t=t: found.update({t: client.ask_all([ask(f"{t}-{n}") for n in range(20)])}))
            for t in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        again = client.ask_all([ask(f"0-{n}") for n in range(20)], Purpose(run="r"))
        client.close()
    assert all(answer.text == f"echo {t}-{n}" for t, answers in found.items() for n, answer in enumerate(answers))
    assert again == found[0]
    assert len(server.batches) == 1
    assert set(server.handed_in.values()) == {1}


def test_partial_failures_go_into_the_next_batch_and_refusals_do_not(tmp_path):
    def outcome(prompt, before):
        number = int(prompt)
        if number % 5 == 1 and before == 0:
            return {"response": {"status_code": 500, "body": {"error": {"message": "oops"}}}, "error": None}
        if number % 5 == 2 and before == 0:
            return {"response": None, "error": {"code": "batch_expired", "message": "too late"}}
        if number % 5 == 3:
            return {"response": {"status_code": 400, "body": {"error": {"message": "no"}}}, "error": None}
        if number == 4:
            return {"response": {"status_code": 200, "body": {"choices": []}}, "error": None}
        return answered(prompt, before)

    with batch_server(outcome) as server:
        client = connect(server.url, tmp_path)
        results = client.ask_all([ask(n) for n in range(25)])
        client.close()
    refused = {n: result.why for n, result in enumerate(results) if isinstance(result, Refused)}
    assert refused == {4: WhyNot.FAILED, **dict.fromkeys(range(3, 25, 5), WhyNot.REFUSED)}
    assert all(result.text == f"echo {n}" for n, result in enumerate(results) if isinstance(result, Answer))
    counts = {n: server.handed_in[str(n)] for n in range(25)}
    assert all(counts[n] == (3 if n == 4 else 2 if n % 5 in (1, 2) else 1) for n in range(25))


def test_what_an_expired_batch_left_is_handed_in_again(tmp_path):
    with batch_server(
        lambda prompt, before: None if before == 0 and int(prompt) > 5 else answered(prompt, before)
    ) as server:
        client = connect(server.url, tmp_path)
        results = client.ask_all([ask(n) for n in range(10)])
        client.close()
    assert [result.text for result in results] == [f"echo {n}" for n in range(10)]
    assert [server.handed_in[str(n)] for n in range(10)] == [1] * 6 + [2] * 4


def test_a_batch_is_no_larger_than_allowed(tmp_path):
    with batch_server() as server:
        client = connect(server.url, tmp_path, most_requests=4)
        assert all(isinstance(result, Answer) for result in client.ask_all([ask(n) for n in range(10)]))
        client.close()
    sizes = [len(server.files[batch["input_file_id"]].splitlines()) for batch in server.batches.values()]
    assert sum(sizes) == 10
    assert max(sizes) <= 4


def test_a_batch_that_was_made_though_the_answer_was_lost_is_not_made_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(batches_module, "_DELAY_S", 0.05)
    with batch_server() as server:
        server.refuse = {"/v1/batches": [500], "/v1/files": [503]}
        client = connect(server.url, tmp_path)
        assert client.ask_all([ask("a")])[0].text == "echo a"
        client.close()
    assert len(server.batches) == 1


WORKER = """
import sys
from tests.teachers.test_batches import ask, connect
from pathlib import Path
connect(sys.argv[1], Path(sys.argv[2])).ask_all([ask(n) for n in range(30)])
"""


def killed_in_mid_batch(server: BatchServer, folder: Path) -> ResponseCache:
    """Have a process hand in a batch and die; the server holds the batch. What it left on disk."""
    server.hold = True
    worker = subprocess.Popen([sys.executable, "-c", WORKER, server.url, str(folder)], cwd=ROOT)
    answers = open_cache(str(folder / "answers.sqlite"))
    while not any(batch.batch_id for batch in answers.open_batches(server.url)):
        time.sleep(0.02)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    return answers


@pytest.mark.parametrize("id_known", [True, False])
def test_a_run_killed_in_mid_batch_takes_its_answers_over(tmp_path, id_known):
    with batch_server() as server:
        answers = killed_in_mid_batch(server, tmp_path)
        if not id_known:  # killed before the id was written down
            (batch,) = answers.open_batches(server.url)
            answers.put_batch(type(batch)(batch.tag, batch.base_url, "", batch.keys))
        client = connect(server.url, tmp_path)

        def release() -> None:
            server.polls_needed, server.hold = server._polls["batch-0"] + 20, False

        # Two shards come for parts of it, the second when the first is waiting already.
        first: list[object] = []
        shard = threading.Thread(target=lambda: first.extend(client.ask_all([ask(n) for n in range(15)])))
        shard.start()
        time.sleep(0.5)
        threading.Timer(0.5, release).start()
        results = client.ask_all([ask(n) for n in range(15, 30)])
        shard.join()
        server.polls_needed = 2
        results = [*first, *results, *client.ask_all([ask(n) for n in range(30, 35)])]
        client.close()
    assert [result.text for result in results] == [f"echo {n}" for n in range(35)]
    assert set(server.handed_in.values()) == {1}
    assert len(server.batches) == 2
    assert not answers.open_batches(server.url)


def test_a_line_without_credit_costs_no_other_answer_of_its_batch(tmp_path):
    quota = {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}

    def outcome(prompt, before):
        if prompt == "3" and before == 0:
            return {"response": {"status_code": 429, "body": quota}, "error": None}
        return answered(prompt, before)

    with batch_server(outcome) as server:
        client = connect(server.url, tmp_path)
        with pytest.raises(TeacherMisconfigured, match="no credit left"):
            client.ask_all([ask(n) for n in range(5)])
        assert len(client.answers) == 4
        results = client.ask_all([ask(n) for n in range(5)])
        client.close()
    assert [result.text for result in results] == [f"echo {n}" for n in range(5)]
    assert [server.handed_in[str(n)] for n in range(5)] == [1, 1, 1, 2, 1]


def test_a_batch_wanted_in_parts_is_asked_again_only_for_what_it_left(tmp_path):
    """An earlier run's batch, expired in part; this run's shards come for it one after another."""
    with batch_server(
        lambda prompt, before: None if before == 0 and int(prompt) % 2 else answered(prompt, before)
    ) as server:
        answers = killed_in_mid_batch(server, tmp_path)
        server.hold = False
        server.polls_needed = server._polls["batch-0"] + 2
        client = connect(server.url, tmp_path)
        for start in (0, 10, 20):
            server.polls_needed = max(2, server.polls_needed) if start == 0 else 2
            results = client.ask_all([ask(n) for n in range(start, start + 10)])
            assert [result.text for result in results] == [f"echo {n}" for n in range(start, start + 10)]
        client.close()
    assert [server.handed_in[str(n)] for n in range(30)] == [1, 2] * 15
    assert not answers.open_batches(server.url)


def test_a_batch_that_the_server_does_not_know_is_handed_in_again_only_when_somebody_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(batches_module, "_DELAY_S", 0.01)
    file = str(tmp_path / "answers.sqlite")
    with batch_server() as server:
        answers = open_cache(file)
        client = connect(server.url, tmp_path)
        answers.put_batch(Batch("tag", server.url, "batch-unknown", (ask("a").key(client.endpoint),)))
        with pytest.raises(TeacherUnavailable, match=r"another account.*forget ANSWERS batch-unknown"):
            client.ask_all([ask("a")])
        assert not server.handed_in

        wrong = CliRunner().invoke(app, ["answers", "forget", file, "batch-7"])
        assert "open are: batch-unknown" in str(wrong.exception)
        assert CliRunner().invoke(app, ["answers", "forget", file, "batch-unknown"]).exit_code == 0
        assert client.ask_all([ask("a")])[0].text == "echo a"
        client.close()
        assert not answers.open_batches(server.url)


@pytest.mark.parametrize("path", ["/v1/batches/batch-0", "/v1/files/file-1/content"])
def test_a_404_that_passes_buys_nothing_twice(tmp_path, monkeypatch, path):
    monkeypatch.setattr(batches_module, "_DELAY_S", 0.01)
    with batch_server() as server:
        client = connect(server.url, tmp_path)
        server.refuse = {path: [404, 404]}
        assert client.ask_all([ask("a")])[0].text == "echo a"
        client.close()
        assert server.refuse == {path: []}
    assert server.handed_in["a"] == 1


def test_an_outage_while_a_batch_is_followed_buys_nothing_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(batches_module, "_DELAY_S", 0.01)
    with batch_server() as server:
        client = connect(server.url, tmp_path)
        server.refuse = {"/v1/batches/batch-0": [503] * 8}
        with pytest.raises(TeacherUnavailable, match="failed 8 times"):
            client.ask_all([ask("a")])
        assert client.ask_all([ask("a")])[0].text == "echo a"  # as Prefect's retry of the shard does
        client.close()
    assert server.handed_in["a"] == 1


def test_characters_that_end_lines_elsewhere_do_not_tear_an_answer(tmp_path):
    text = "a\u2028b\u0085c\x1cd"
    line = {"response": {"status_code": 200, "body": completion(text)}, "error": None}
    with batch_server(lambda prompt, before: line) as server:
        client = connect(server.url, tmp_path)
        assert client.ask_all([ask("a")])[0].text == text
        client.close()
    assert server.handed_in["a"] == 1


def test_a_batch_that_is_still_collected_when_the_run_is_stopped_is_not_handed_in(tmp_path):
    with batch_server() as server:
        client = connect(server.url, tmp_path, collect_s=2)
        threading.Timer(0.5, client.stop).start()
        with pytest.raises(TeacherStopped):
            client.ask_all([ask("a")])
        time.sleep(2)
        client.close()
        assert not server.files


def test_a_server_without_batches_is_named(tmp_path):
    with batch_server() as server:
        client = connect(server.url.replace("/v1", "/v2"), tmp_path)
        with pytest.raises(TeacherMisconfigured, match="transport to live"):
            client.ask_all([ask("a")])
        client.close()


def test_a_batch_that_failed_says_why(tmp_path):
    with batch_server() as server:
        work = server._work

        def fail(batch):
            work(batch)
            batch.update(status="failed", output_file_id=None, errors={"data": [{"message": "model m has no batches"}]})

        server._work = fail
        client = connect(server.url, tmp_path)
        with pytest.raises(TeacherUnavailable, match="model m has no batches"):
            client.ask_all([ask("a")])
        client.close()
