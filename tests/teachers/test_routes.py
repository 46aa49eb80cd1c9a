"""Several servers behind one role: shares by weight, and all of it where the others fail."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tasks.errors import TeacherMisconfigured, TeacherUnavailable
from tasks.settings import Endpoint, Sampling
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import Answer, ChatRequest
from tests.teachers.misbehaving import misbehaving

DEAD = "http://127.0.0.1:9/v1"


def ask(number: int) -> ChatRequest:
    return ChatRequest(messages=(("user", str(number)),), sampling=Sampling(), seed=0)


def connect(first: str, *others: dict[str, object], folder: Path, **options: object) -> TeacherClient:
    endpoint = Endpoint(base_url=first, model="m", routes=others, **{"retries": 4, "timeout_s": 2, **options})
    return TeacherClient(endpoint, open_cache(str(folder / "answers.sqlite")))


def test_each_server_gets_its_share_and_is_asked_for_its_own_name_of_the_model(tmp_path):
    with misbehaving(lambda p, v: "") as one, misbehaving(lambda p, v: "") as two:
        client = connect(
            one.url,
            {"base_url": two.url, "weight": 3, "model": "m-fp8", "max_in_flight": 400},
            folder=tmp_path,
            weight=1,
            max_in_flight=400,
            timeout_s=60,  # a reply that is late on a busy machine would be asked of the other
        )
        client.ask_all([ask(n) for n in range(400)])
        client.close()
        assert one.visits.total() == pytest.approx(100, abs=5)
        assert two.visits.total() == pytest.approx(300, abs=5)
        assert (one.models, two.models) == ({"m"}, {"m-fp8"})


@pytest.mark.parametrize("fault", ["500", "503", "reset in mid-body", "half a JSON", "429 without a hint"])
def test_where_one_server_fails_the_others_do_all(tmp_path, fault):
    with misbehaving(lambda p, v: fault) as bad, misbehaving(lambda p, v: "") as well:
        client = connect(bad.url, {"base_url": well.url}, folder=tmp_path)
        began = time.monotonic()
        results = client.ask_all([ask(n) for n in range(300)])
        client.close()
    assert all(isinstance(result, Answer) for result in results)
    assert set(well.answered.values()) == {1}
    assert bad.visits.total() < 100  # it is left alone after a few
    assert time.monotonic() - began < 20


def test_a_server_that_refuses_its_key_is_left_out_with_a_warning(tmp_path, caplog):
    with misbehaving(lambda p, v: "401") as bad, misbehaving(lambda p, v: "") as well:
        client = connect(bad.url, {"base_url": well.url}, folder=tmp_path, weight=9)
        results = client.ask_all([ask(n) for n in range(100)])
        assert all(isinstance(result, Answer) for result in results)
        client.close()
        told = [record.message for record in caplog.records if "take over its share" in record.message]
        assert len(told) == 1
        assert f"the endpoint {bad.url} answers 401" in told[0]
        alone = connect(bad.url, {"base_url": bad.url}, folder=tmp_path)
        with pytest.raises(TeacherMisconfigured, match="answers 401"):
            alone.ask_all([ask(n) for n in range(200, 210)])
        alone.close()


def test_a_server_that_is_not_there_costs_little(tmp_path):
    with misbehaving(lambda p, v: "") as well:
        client = connect(DEAD, {"base_url": well.url}, folder=tmp_path)
        began = time.monotonic()
        assert all(isinstance(result, Answer) for result in client.ask_all([ask(n) for n in range(200)]))
        assert time.monotonic() - began < 10
        client.close()


def test_a_server_that_comes_back_is_used_again(tmp_path):
    ill = threading.Event()
    ill.set()
    with misbehaving(lambda p, v: "500" if ill.is_set() else "") as one, misbehaving(lambda p, v: "") as two:
        client = connect(one.url, {"base_url": two.url}, folder=tmp_path)
        client.ask_all([ask(n) for n in range(100)])
        assert not one.answered
        ill.clear()
        time.sleep(2.5)
        client.ask_all([ask(n) for n in range(100, 200)])
        client.close()
        assert one.answered.total() > 20


def test_all_servers_down_is_an_error_that_names_one(tmp_path):
    client = connect(DEAD, {"base_url": "http://127.0.0.1:10/v1"}, folder=tmp_path, retries=1)
    with pytest.raises(TeacherUnavailable, match=r"failed 2 times, last http://127.0.0.1:"):
        client.ask_all([ask(1)])
    client.close()


def test_no_server_gets_more_at_once_than_it_may(tmp_path):
    with misbehaving(lambda p, v: (time.sleep(0.002), "")[1]) as one, misbehaving(lambda p, v: "") as two:
        client = connect(one.url, {"base_url": two.url, "max_in_flight": 2}, folder=tmp_path, max_in_flight=3)
        client.ask_all([ask(n) for n in range(200)])
        client.close()
        assert (one.most <= 3, two.most <= 2) == (True, True)
