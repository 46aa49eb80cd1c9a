"""The rewards server over real HTTP on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tasks.errors import BadInput, SandboxUnavailable
from tasks.rewards.client import RewardClient
from tasks.rewards.rewarder import Rewarder
from tasks.rewards.server import Serving, reward_socket
from tests.rewards.material import COMPLETE, HALF, INSTRUCT, JUDGE, RIGHT, WRONG, served, settings_for, until

BODY = {"completions": [RIGHT], "rows": [INSTRUCT]}
SLOW = [f"import time\n\n\ndef f(x):\n    time.sleep(0.5)\n    return x + 1  # {n}\n" for n in range(40)]


@pytest.fixture(scope="module")
def rewarder() -> Iterator[Rewarder]:
    with Rewarder(settings_for()) as made:
        yield made


@pytest.fixture(scope="module")
def url(rewarder) -> Iterator[str]:
    with served(rewarder, max_batch=64, max_body_mb=1) as found:
        yield found


def test_rewards_over_http_are_those_of_the_function(rewarder, url):
    program = "```python\nprint(int(input()) + 1)\n```"
    completions = [RIGHT, HALF, "no code", program, "```python\nreturn x + 1\n```"]
    rows = [INSTRUCT, INSTRUCT, INSTRUCT, JUDGE, COMPLETE]
    timeless = {"wall_s": True, "tests": {"__all__": {"duration_s"}}}
    with RewardClient(url, batch=2) as client:
        asked = client.reward(completions, rows)
    told = rewarder.reward(completions, rows)
    assert [one.model_dump(exclude=timeless) for one in asked] == [one.model_dump(exclude=timeless) for one in told]


def test_a_row_may_stand_once_for_many_completions(url):
    body = {"completions": [RIGHT, WRONG, RIGHT], "rows": [INSTRUCT], "row_of": [0, 0, 0]}
    assert [one["value"] for one in httpx.post(f"{url}/v1/rewards", json=body).json()["rewards"]] == [1, 0, 1]


def body(**values: object) -> bytes:
    return json.dumps(BODY | values).encode()


WRONG_BODIES = {
    "no JSON": (b"{", 422, "JSON"),
    "another type": (b"[]", 422, ""),
    "nothing": (b"", 422, ""),
    "no rows": (json.dumps({"completions": []}).encode(), 422, "rows"),
    "a field that there is not": (body(n=1), 422, "n"),
    "fewer rows": (body(completions=[RIGHT] * 2), 422, "2 completions and 1 rows"),
    "a row that there is not": (body(row_of=[1]), 422, "row_of names row 1"),
    "a negative place": (body(row_of=[-1]), 422, "row_of.0"),
    "a row without tests": (body(rows=[{}]), 422, "give test or io"),
    "tests that do not parse": (body(rows=[{"test": "def test_x(:"}]), 400, "row 0 cannot judge"),
    "completions that are numbers": (body(completions=[1]), 422, "completions.0"),
    "bytes that are no text": (b'{"completions": ["\xff"]}', 400, "parsing the body"),
    "very deep": (b'{"completions": ' + b"[" * 100_000, 400, "parsing the body"),
    "too many completions": (body(completions=[""] * 65, row_of=[0] * 65), 413, "at most 64"),
    "too many bytes": (body(completions=["x" * (1 << 20)]), 413, "1,048,576 bytes"),
}


@pytest.mark.parametrize("name", WRONG_BODIES)
def test_a_wrong_body_is_refused_and_said_why(url, name):
    content, status, why = WRONG_BODIES[name]
    answer = httpx.post(f"{url}/v1/rewards", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert why in answer.json()["detail"] and len(answer.text) < 2000
    assert httpx.post(f"{url}/v1/rewards", json=BODY).json()["rewards"][0]["value"] == 1


def test_a_body_of_unknown_length_is_refused(url):
    answer = httpx.post(f"{url}/v1/rewards", content=iter([b"{}"]), headers={"Content-Type": "application/json"})
    assert answer.status_code == 411


def test_the_schema_names_what_goes_in_and_out(url):
    schema = httpx.get(f"{url}/openapi.json").json()
    told = schema["paths"]["/v1/rewards"]["post"]
    assert set(told["responses"]) >= {"200", "400", "401", "413", "422", "429", "503"}
    assert {"completions", "rows", "row_of"} == set(schema["components"]["schemas"]["RewardsRequest"]["properties"])


def test_without_the_key_nothing_is_told_but_health(rewarder):
    with served(rewarder, key="s3cret") as url:
        for path in ("/metrics", "/openapi.json"):
            assert httpx.get(url + path).status_code == 401
        assert httpx.post(f"{url}/v1/rewards", json=BODY, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert httpx.get(f"{url}/healthz").json()["status"] == "ok"
        with RewardClient(url, key="s3cret") as client:
            assert client.reward([RIGHT], [INSTRUCT])[0].value == 1
        with RewardClient(url) as client, pytest.raises(BadInput, match="refuses the key"):
            client.reward([RIGHT], [INSTRUCT])


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_a_key_a_server_listens_on_loopback_alone(host):
    with pytest.raises(BadInput, match="no key"):
        reward_socket(Serving(host=host, port=0), None)
    reward_socket(Serving(host=host, port=0), "s3cret").close()


def test_a_taken_port_is_said_to_be_taken():
    with reward_socket(Serving(port=0), None) as first, pytest.raises(BadInput, match="Choose another"):
        reward_socket(Serving(port=first.getsockname()[1]), None)


def test_several_clients_at_once_each_get_their_own(url):
    def ask(number: int) -> list[float]:
        right = f"def f(x):\n    return x + 1 + {number} - {number}\n"
        with RewardClient(url, batch=3) as client:
            return [one.value for one in client.reward([right, WRONG, right, HALF], [INSTRUCT] * 4)]

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(ask, range(24))) == [[1, 0, 1, 0]] * 24


def test_a_small_batch_need_not_wait_for_a_large_one(url):
    with ThreadPoolExecutor(1) as threads, RewardClient(url) as client:
        large = threads.submit(client.reward, SLOW[:16], [INSTRUCT] * 16)
        until(url, "kodforge_rewards_waiting", 16)
        assert client.reward([RIGHT], [INSTRUCT])[0].value == 1
        assert not large.done()
        assert {one.value for one in large.result()} == {1}


def test_too_much_at_once_is_sent_away_and_comes_again(rewarder):
    with served(rewarder, max_waiting=4) as url, ThreadPoolExecutor(4) as threads:
        batch = {"completions": SLOW[:4], "rows": [INSTRUCT], "row_of": [0] * 4}
        first = threads.submit(httpx.post, f"{url}/v1/rewards", json=batch)
        until(url, "kodforge_rewards_waiting", 4)
        refused = httpx.post(f"{url}/v1/rewards", json=BODY)
        assert (refused.status_code, int(refused.headers["retry-after"]) >= 1) == (429, True)
        with RewardClient(url) as client:
            assert [client.reward([RIGHT], [INSTRUCT])[0].value for _ in range(2)] == [1, 1]
        assert first.result().status_code == 200
        with RewardClient(url, patience_s=0.1) as hasty:
            second = threads.submit(httpx.post, f"{url}/v1/rewards", json=batch)
            until(url, "kodforge_rewards_waiting", 4)
            with pytest.raises(SandboxUnavailable, match="429"):
                hasty.reward([RIGHT], [INSTRUCT])
        assert second.result().status_code == 200


def test_for_a_client_that_left_nothing_more_begins(rewarder):
    with served(rewarder) as url:
        batch = {"completions": SLOW, "rows": [INSTRUCT], "row_of": [0] * len(SLOW)}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/v1/rewards", json=batch, timeout=1)
        counts = until(url, "kodforge_rewards_disconnected_total", 1)
        assert counts["kodforge_rewards_waiting"] == 0
        assert httpx.post(f"{url}/v1/rewards", json=BODY).json()["rewards"][0]["value"] == 1


def test_what_happened_is_counted(rewarder):
    with served(rewarder) as url:
        httpx.post(f"{url}/v1/rewards", json={"completions": [RIGHT, WRONG, RIGHT, ""], "rows": [INSTRUCT] * 4})
        httpx.post(f"{url}/v1/rewards", content=b"{")
        text = httpx.get(f"{url}/metrics").text
    for line in (
        'kodforge_rewards_requests_total{status="200"} 1.0',
        'kodforge_rewards_requests_total{status="422"} 1.0',
        'kodforge_rewards_completions_total{verdict="passed"} 2.0',
        'kodforge_rewards_completions_total{verdict="failed"} 1.0',
        'kodforge_rewards_completions_total{verdict="no_code"} 1.0',
        "kodforge_rewards_cached_total 1.0",
        "kodforge_rewards_run_seconds_count 2.0",
        "kodforge_rewards_slots 2.0",
    ):
        assert line in text.splitlines()


def test_a_broken_sandbox_is_told_as_such_and_is_no_reward(monkeypatch, tmp_path):
    monkeypatch.setattr("tasks.execution.bubblewrap.bwrap_path", lambda: tmp_path / "gone")
    with Rewarder(settings_for()) as broken, served(broken) as url:
        answer = httpx.post(f"{url}/v1/rewards", json=BODY)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "bubblewrap" in answer.json()["detail"]
        assert httpx.get(f"{url}/healthz").status_code == 503
        with RewardClient(url, patience_s=0) as client, pytest.raises(SandboxUnavailable, match="bubblewrap"):
            client.reward([RIGHT], [INSTRUCT])
        monkeypatch.undo()
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert httpx.post(f"{url}/v1/rewards", json=BODY).status_code == 200
