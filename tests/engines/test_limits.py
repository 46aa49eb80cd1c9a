"""Limits that processes share by way of the Prefect server: never exceeded, cheap to keep, and given back."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tasks.teachers import shared_limits
from tasks.teachers.shared_limits import SharedSlots
from tests.engines.teacher import patient
from tests.processes import ROOT, PrefectServer

ASKER = """
import sys
from tasks.settings import Endpoint, RateLimits, Sampling
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import ChatRequest
url, folder, first, count, limits = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
endpoint = Endpoint(base_url=url, model="m", max_in_flight=8, limits=RateLimits.model_validate_json(limits))
client = TeacherClient(endpoint, open_cache(f"{folder}/{first}.sqlite"))
client.ask_all([ChatRequest(messages=(("user", str(n)),), sampling=Sampling(), seed=0)
                for n in range(first, first + count)])
client.close()
"""


def asker(
    server: PrefectServer, url: str, folder: Path, first: int, count: int, limits: str
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", ASKER, url, str(folder), str(first), str(count), limits]
    return subprocess.Popen(command, cwd=ROOT, env=server.env)


def make_limit(server: PrefectServer, name: str, **limit: float) -> None:
    with server.api() as api:
        api.post("/v2/concurrency_limits/", json={"name": name, **limit}).raise_for_status()


def active(server: PrefectServer, name: str) -> int:
    with server.api() as api:
        return int(api.get(f"/v2/concurrency_limits/{name}").json()["active_slots"])


def test_workers_together_never_have_more_in_flight_and_give_all_of_it_back(prefect_server, tmp_path):
    make_limit(prefect_server, "five", limit=5)
    with patient(0.2) as server:
        limits = '{"global_in_flight": "five"}'
        workers = [asker(prefect_server, server.url, tmp_path, 1000 * n, 40, limits) for n in range(3)]
        assert [worker.wait(180) for worker in workers] == [0, 0, 0]
        assert sum(server.visits.values()) == 120
        assert 2 <= server.most <= 5
    assert active(prefect_server, "five") == 0


def test_a_slot_is_used_again_rather_than_asked_for(prefect_server, tmp_path):
    make_limit(prefect_server, "two", limit=2)
    with patient(0) as server:
        assert asker(prefect_server, server.url, tmp_path, 0, 400, '{"global_in_flight": "two"}').wait(120) == 0
        assert server.most <= 2
    assert active(prefect_server, "two") == 0


def test_a_slot_that_the_server_has_taken_back_is_not_used_again(prefect_here, monkeypatch):
    make_limit(prefect_here, "taken", limit=1)
    monkeypatch.setattr(shared_limits, "_RENEW_S", 0.2)

    async def story() -> None:
        mine, others = SharedSlots("taken"), SharedSlots("taken")
        async with mine.one():
            (slot,) = mine._held
            lease = {"lease_id": str(slot.lease)}
            url = f"{prefect_here.url}/v2/concurrency_limits/decrement-with-lease"
            httpx.post(url, json=lease, timeout=30).raise_for_status()
            async with others.one():
                await asyncio.sleep(2)  # longer than between renewals
        async with others.one():
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3), mine.one():
                    pass
        await others.close()
        async with mine.one():
            pass
        await mine.close()

    asyncio.run(story())
    assert active(prefect_here, "taken") == 0


def test_workers_together_keep_a_rate(prefect_server, tmp_path):
    make_limit(prefect_server, "twenty", limit=20, slot_decay_per_second=20)
    came: list[float] = []
    with patient(0, lambda: came.append(time.monotonic())) as server:
        limits = '{"global_rate": "twenty"}'
        workers = [asker(prefect_server, server.url, tmp_path, 1000 * n, 60, limits) for n in range(2)]
        assert [worker.wait(180) for worker in workers] == [0, 0]
    came.sort()
    # Twenty at once and then twenty per second: in no span of time more than that.
    for start, first in enumerate(came):
        for number in range(start, len(came)):
            assert number - start + 1 <= 20 + 20 * (came[number] - first) + 1


@pytest.mark.slow
def test_the_slots_of_a_killed_process_come_back(prefect_server, tmp_path):
    make_limit(prefect_server, "killed", limit=3)
    with patient(0.5) as server:
        limits = '{"global_in_flight": "killed"}'
        first = asker(prefect_server, server.url, tmp_path, 0, 100, limits)
        while server.most < 3:
            time.sleep(0.05)
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert active(prefect_server, "killed") == 3
        second = asker(prefect_server, server.url, tmp_path, 1000, 6, limits)
        assert second.wait(150) == 0


def test_a_limit_that_does_not_exist_fails_the_request_and_says_so(prefect_server, tmp_path):
    with patient(0) as server:
        process = asker(prefect_server, server.url, tmp_path, 0, 1, '{"global_in_flight": "nowhere"}')
        assert process.wait(60) == 1
        assert not server.visits
