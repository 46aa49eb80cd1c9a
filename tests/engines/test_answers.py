"""Answers in PostgreSQL keep what answers in SQLite promise, across processes, and move from one to the other."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tasks.errors import AnswersUnavailable, BadInput
from tasks.settings import BuildConfig, Endpoint, Sampling
from tasks.teachers import postgres as connections
from tasks.teachers.cache import Batch, Fault, Use, check_cache, copy_answers, open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import Answer, ChatRequest, Choice, Vectors
from tests.engines.database import PASSWORD
from tests.engines.teacher import TOKENS, patient
from tests.processes import ROOT

USE = Use("r", "attempts", "aa", "Docs", "m", 5, 7, 0.25, 1, 0)
KEYS = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1200)]


def answer(key: str, text: str = "4") -> Answer:
    return Answer(response_id=key, choices=(Choice(text=text),), prompt_tokens=5, completion_tokens=7)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path, password) -> str:
    """Somewhere to keep answers, empty."""
    if request.param == "sqlite":
        return str(tmp_path / "answers.sqlite")
    return request.getfixturevalue("postgres").create(f"answers-{time.monotonic_ns()}")


def test_what_was_stored_is_found_by_another_one_that_opens_it(place):
    cache = open_cache(place)
    cache.record([answer(key, f"{key}é") for key in KEYS], [])
    cache.record([answer(KEYS[0], "later")], [])
    cache.put_vectors({b"\x00a": b"\x00\xff", b"b": b"2"})
    cache.record([Vectors(response_id="v", vectors={b"b": b"3", b"c": b"4"}, prompt_tokens=1)], [])
    other = open_cache(place)
    assert len(other) == 1200
    assert other.get_many([*KEYS, "0" * 63 + "g"]) == {key: answer(key, f"{key}é") for key in KEYS}
    assert other.vectors([b"\x00a", b"b", b"c", b"d"]) == {b"\x00a": b"\x00\xff", b"b": b"2", b"c": b"4"}
    assert other.get_many([]) == other.vectors([]) == {}


def test_a_use_is_counted_once(place):
    cache = open_cache(place)
    free = replace(USE, key="bb", paid=0)
    unknown = replace(USE, key="cc", usd=None)
    cache.record([], [USE, USE, free])
    cache.record([], [USE, unknown, replace(USE, run="other")])
    assert sorted(cache.uses("r"), key=lambda use: use.key) == [USE, free, unknown]
    assert cache.spent("r") == (24, 0.25)
    assert cache.spent("nobody") == (0, 0.0)
    (told,) = cache.sums("r")
    assert (told.stage, told.calls, told.cached, told.usd) == ("attempts", 2, 1, None)
    assert told.prompt_tokens + told.completion_tokens == 24
    average = cache.averages("m")["attempts"]
    assert (average.calls, average.prompt_tokens, average.completion_tokens) == (4, 5, 7)


def test_failed_tries_add_up(place):
    cache = open_cache(place)
    busy, torn = Fault("r", "attempts", "http 503", 2), Fault("r", "questions", "connection", 1)
    cache.record([], [], [busy, torn])
    open_cache(place).record([answer(KEYS[0])], [USE], [busy, replace(torn, run="other")])
    assert cache.faults("r") == [replace(busy, count=4), torn]
    assert cache.faults("nobody") == []


def test_batches_are_remembered_until_all_of_their_requests_are_settled(place):
    cache = open_cache(place)
    cache.put_batch(Batch("t", "http://a", "", ("k1", "k2")))
    cache.put_batch(Batch("t", "http://a", "id", ("k1", "k2")))
    cache.put_batch(Batch("u", "http://b", "", ("k3",)))
    assert cache.open_batches("http://a") == [Batch("t", "http://a", "id", ("k1", "k2"))]
    cache.settle_batch("t", ["k1"])
    assert cache.open_batches("http://a")[0].keys == ("k2",)
    cache.settle_batch("t", ["k2"])
    assert [batch.tag for batch in cache.open_batches(None)] == ["u"]


def test_many_openers_at_once(place):
    with ThreadPoolExecutor(8) as threads:
        assert [len(cache) for cache in threads.map(open_cache, [place] * 8)] == [0] * 8


CLAIMER = """
import sys
from tasks.teachers.cache import open_cache
cache = open_cache(sys.argv[1])
print(len(cache.claim(sys.argv[2:])), flush=True)
sys.stdin.read()
"""


def claimer(place: str, *keys: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLAIMER, place, *keys],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_request_is_one_process_s_to_ask(place):
    cache = open_cache(place)
    assert cache.claim(KEYS[:3]) == cache.claim(KEYS[:3]) == set(KEYS[:3])  # it may ask for its own twice
    other = claimer(place, *KEYS[1:6])
    assert other.stdout.readline() == "3\n"
    assert cache.claim(KEYS[:6]) == set(KEYS[:3])
    cache.record([answer(KEYS[0])], [replace(USE, key=KEYS[0])])  # what is answered is free
    cache.release([KEYS[1]])
    third = claimer(place, *KEYS[:6])
    assert third.stdout.readline() == "2\n"
    for process in (other, third):
        process.stdin.close()
        process.wait()
    assert cache.claim(KEYS[:6]) == set(KEYS[:6])  # what processes that have ended held is free


def test_what_a_killed_process_held_is_free(place):
    from tasks.teachers import postgres_cache

    other = claimer(place, *KEYS[:2])
    assert other.stdout.readline() == "2\n"
    other.kill()
    other.wait()
    cache, deadline = open_cache(place), time.monotonic() + postgres_cache.LEASE_S + 20
    while cache.claim(KEYS[:2]) != set(KEYS[:2]):
        assert time.monotonic() < deadline
        time.sleep(0.5)


ASKER = """
import os
import sys
os.environ["PREFECT_API_URL"] = "http://127.0.0.1:9/api"  # what it announces is for a server that is not there
from tasks.run import Purpose
from tasks.settings import Budget, Endpoint, Prices, Sampling
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import Answer, ChatRequest
url, place, first, last, tokens = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
client = TeacherClient(Endpoint(base_url=url, model="m", max_in_flight=8), open_cache(place))
requests = [ChatRequest(messages=(("user", str(n)),), sampling=Sampling(max_tokens=20), seed=0)
            for n in range(first, last)]
budget = Budget(tokens=tokens or None)
print(sum(isinstance(one, Answer) for one in client.ask_all(requests, Purpose(run="r", stage="s", budget=budget))))
client.close()
"""


def asker(url: str, place: str, first: int, last: int, tokens: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASKER, url, place, str(first), str(last), str(tokens)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_processes_that_ask_the_same_at_once_pay_once(place):
    with patient(0.02) as server:
        workers = [asker(server.url, place, 0, 200) for _ in range(3)]
        assert [int(worker.communicate(timeout=120)[0]) for worker in workers] == [200] * 3
    assert server.visits == Counter({str(number): 1 for number in range(200)})
    cache = open_cache(place)
    assert len(cache) == 200
    assert cache.spent("r")[0] == 200 * TOKENS


def test_where_the_one_that_asks_is_killed_another_asks(place):
    with patient(0.5) as server:
        first = asker(server.url, place, 0, 16)
        while sum(server.visits.values()) < 4:
            time.sleep(0.01)
        second = asker(server.url, place, 0, 16)
        time.sleep(1)
        first.kill()
        assert int(second.communicate(timeout=120)[0]) == 16
        assert len(open_cache(place)) == 16
        # Twice only what was in flight with the one that was killed.
        assert sum(server.visits.values()) <= 16 + 8
        assert max(server.visits.values()) <= 2


def test_processes_share_a_budget(place):
    cap = 100 * TOKENS
    with patient(0.02) as server:
        workers = [asker(server.url, place, 1000 * number, 1000 * number + 80, cap) for number in range(3)]
        answered = sum(int(worker.communicate(timeout=120)[0]) for worker in workers)
    assert open_cache(place).spent("r")[0] == answered * TOKENS
    # What the other processes have in flight is not known: at most that much goes over the cap.
    in_flight = 8 * TOKENS
    assert cap - 3 * 30 <= answered * TOKENS <= cap + 2 * in_flight


def test_answers_are_copied_from_one_to_the_other_and_back(postgres, password, tmp_path):
    source = open_cache(str(tmp_path / "first.sqlite"))
    source.record([answer(key) for key in KEYS], [replace(USE, key=key) for key in KEYS])
    source.put_vectors({bytes([number % 256, number // 256]): b"v" for number in range(700)})
    source.put_batch(Batch("t", "http://a", "id", ("k1",)))
    source.record([], [], [Fault("r", "attempts", "http 503", 2)])
    middle = open_cache(postgres.create("copied"))
    for _ in range(2):  # the second time it has nothing left to do
        assert copy_answers(source, middle) == 1200
    source.record([answer("f" * 64)], [replace(USE, key="f" * 64)])
    assert copy_answers(source, middle) == 1201
    last = open_cache(str(tmp_path / "last.sqlite"))
    assert copy_answers(middle, last) == 1201
    for cache in (middle, last):
        assert cache.get_many([*KEYS, "f" * 64]) == source.get_many([*KEYS, "f" * 64])
        assert sorted(cache.uses("r"), key=str) == sorted(source.uses("r"), key=str)
        assert cache.spent("r") == (1201 * 12, 1201 * 0.25)
        assert len(cache.vectors([bytes([number % 256, number // 256]) for number in range(700)])) == 700
        assert cache.open_batches(None) == source.open_batches(None)
        assert cache.faults("r") == []  # they would add up with each copy


def test_a_database_that_is_gone_for_a_while_loses_no_answer(postgres, password):
    place = postgres.create("restarted")
    with patient(0.02) as server:
        client = TeacherClient(Endpoint(base_url=server.url, model="m", max_in_flight=4), open_cache(place))
        requests = [ChatRequest(messages=(("user", str(n)),), sampling=Sampling(), seed=0) for n in range(150)]
        found: list[object] = []
        thread = threading.Thread(target=lambda: found.extend(client.ask_all(requests)))
        thread.start()
        while sum(server.visits.values()) < 40:
            time.sleep(0.01)
        postgres.stop(signal.SIGQUIT)
        time.sleep(1)
        postgres.start()
        thread.join(90)
        client.close()
    assert all(isinstance(one, Answer) for one in found)
    assert len(found) == len(open_cache(place)) == 150
    assert set(server.visits.values()) == {1}


def test_a_process_whose_database_is_gone_ends_at_once(postgres, password):
    place = postgres.create("gone")
    claims = f"""
from tasks.teachers.cache import open_cache
open_cache({place!r}).claim(["k"])
print("claimed", flush=True)
input()
"""
    process = subprocess.Popen([sys.executable, "-c", claims], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    postgres.stop(signal.SIGQUIT)
    try:
        process.communicate("\n", timeout=20)  # its claims are free in half a minute in any case
    finally:
        process.kill()
        postgres.start()
    assert process.returncode == 0


def test_a_database_that_stays_away_is_named(postgres, password, monkeypatch):
    nowhere = "postgresql://kod@127.0.0.1:9/answers"
    with pytest.raises(BadInput, match=r"database of answers 'postgresql://kod@127\.0\.0\.1:9/answers'.*refused"):
        check_cache(nowhere)
    monkeypatch.setattr(connections, "_AGAIN_S", 0.2)
    with pytest.raises(AnswersUnavailable, match="run the same command when it is well"):
        open_cache(nowhere)


def test_a_password_is_in_no_url_and_in_no_message(postgres, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    for secret in ("//kod:sesame@db/a", "//db/a?user=kod&password=sesame"):
        with pytest.raises(BadInput, match="holds a password") as told:
            open_cache(f"postgresql:{secret}")
        assert "sesame" not in str(told.value)
        with pytest.raises(ValueError, match="holds a password") as told:
            BuildConfig(cache=f"postgresql:{secret}")
        assert "sesame" not in str(told.value)
    place = postgres.create("locked")
    with pytest.raises(BadInput, match=r"PGPASSWORD, \.pgpass or a password_block"):
        check_cache(place)
    monkeypatch.setenv("PGPASSWORD", f"wrong-{PASSWORD}")
    with pytest.raises(BadInput) as told:
        check_cache(place)
    assert PASSWORD not in str(told.value)


def test_a_password_file_opens_it(postgres, tmp_path, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    file = tmp_path / "pgpass"
    file.write_text(f"*:*:*:kod:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    check_cache(postgres.create("by-file"))


def test_the_command_copies_and_says_how_many(postgres, password, tmp_path):
    open_cache(str(tmp_path / "a.sqlite")).put(*[answer(key) for key in KEYS[:3]])
    place = postgres.create("by-command")

    def command(source: object, target: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows.cli", "answers", "copy", str(source), target],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert f"3 answers in {place}" in command(tmp_path / "a.sqlite", place).stdout
    missing = command(tmp_path / "b.sqlite", place)
    assert missing.returncode == 1
    assert "there is no file" in missing.stderr
