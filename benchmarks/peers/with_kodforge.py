"""Requests per second of kodforge: ``python with_kodforge.py URL COUNT IN_FLIGHT``.

Measured is the time from the first request to the last answer, each of them on disk by then, synced and accounted for:
the file of answers is a new one, in a temporary folder.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from tasks.run import Purpose
from tasks.settings import Endpoint, Sampling
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import Answer, ChatRequest

WARM_UP = 20


def request(number: int) -> ChatRequest:
    """A question of about 200 characters, unlike any other."""
    text = "write a short function for the task of this number, explain how it works in a few sentences, " * 2
    question = f"Question number {number}: {text.strip(', ')}."
    return ChatRequest(messages=(("user", question),), sampling=Sampling(max_tokens=256), seed=0)


def measure(url: str, count: int, in_flight: int) -> dict[str, float]:
    """Ask for the warm-up, then for the count."""
    with tempfile.TemporaryDirectory() as folder:
        endpoint = Endpoint(base_url=url, model="m", max_in_flight=in_flight)
        client = TeacherClient(endpoint, open_cache(str(Path(folder) / "answers.sqlite")))
        purpose = Purpose(run="r", stage="s")
        client.ask_all([request(-number) for number in range(1, WARM_UP + 1)], purpose)
        requests = [request(number) for number in range(count)]
        began = time.perf_counter()
        answered = sum(isinstance(result, Answer) for result in client.ask_all(requests, purpose))
        seconds = time.perf_counter() - began
        client.close()
    return {"requests": count, "answered": answered, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
