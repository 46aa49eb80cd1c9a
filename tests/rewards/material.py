"""Rows, completions and a live server for the tests of rewards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tasks.rewards.rewarder import Rewarder
from tasks.rewards.scoring import RewardSettings
from tasks.rewards.server import Serving, reward_socket, rewards_app
from tasks.serving import uvicorn_server
from tasks.settings import Backend, TierChoice
from tests.conftest import sandbox_settings
from tests.loopback import serving

TEST = "from solution import f\n\n\ndef test_one():\n    assert f(1) == 2\n\n\ndef test_five():\n    assert f(5) == 6\n"
INSTRUCT = {"test": TEST, "style": "instruct"}
STUB = 'def f(x: int) -> int:\n    """The number that comes after x."""\n'
COMPLETE = {"test": TEST, "style": "complete", "question": f"Complete the function.\n\n```python\n{STUB}```\n"}
JUDGE = {
    "io": [{"stdin": "1\n", "stdout": "2\n"}, {"stdin": "5\n", "stdout": "6\n"}, {"stdin": "-1\n", "stdout": "0\n"}],
    "style": "online_judge",
}
RIGHT = "def f(x):\n    return x + 1\n"
HALF = "def f(x):\n    return 2\n"
WRONG = "def f(x):\n    return x\n"
ENDLESS = "def f(x):\n    while True:\n        pass\n"


def settings_for(backend: Backend = Backend.BUBBLEWRAP, **values: object) -> RewardSettings:
    """The usual settings in a box with tight limits."""
    box = sandbox_settings(backend).model_copy(update={"tier": TierChoice.ISOLATED, "coverage": False, "wall_s": 2})
    return RewardSettings(sandbox=box, **values)


@contextmanager
def served(rewarder: Rewarder, key: str | None = None, **limits: int) -> Iterator[str]:
    """A live server on loopback; yields its URL."""
    settings = Serving(port=0, **limits)
    with reward_socket(settings, key) as listener:
        server = uvicorn_server(rewards_app(rewarder, settings, key), settings.grace_s)
        with serving(server, listener) as url:
            yield url


def counted(url: str) -> dict[str, float]:
    """The server's counters, those with labels summed up."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(httpx.get(f"{url}/metrics").text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def until(url: str, name: str, value: float) -> dict[str, float]:
    """The counters once one of them is there."""
    deadline = time.monotonic() + 20
    while (found := counted(url)).get(name) != value:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found
