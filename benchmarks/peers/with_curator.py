"""Requests per second of bespokelabs-curator: ``python with_curator.py URL COUNT IN_FLIGHT``.

Measured is the time from the last prompt built to the last answer handed to `parse`, both hooks of `curator.LLM`; the
file of requests before that and the assembly of the dataset after it are left out. Backend "openai" posts with aiohttp
itself, "litellm" goes through litellm for each request. The limits per minute are out of reach, so that only
`max_concurrent_requests` holds back; log, telemetry and viewer are off, and the default display is the cheaper one.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import tempfile
import time
from importlib.metadata import distribution

os.environ["HOME"] = os.environ["HF_HOME"] = tempfile.mkdtemp()  # a new cache in each run can answer nothing
os.environ["CURATOR_CACHE_DIR"] = os.environ["HOME"]
os.environ["CURATOR_DISABLE_CACHE"] = "1"
os.environ["TELEMETRY_ENABLED"] = "false"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["HF_HUB_OFFLINE"] = "1"
# litellm's copy of the vocabulary, which else is downloaded
os.environ["TIKTOKEN_CACHE_DIR"] = f"{distribution('litellm').locate_file('litellm')}/litellm_core_utils/tokenizers"

from bespokelabs import curator

WARM_UP = 20
UNREACHED = 10**12


class Asker(curator.LLM):
    """A `curator.LLM` that notes when its prompts are built and when answers come."""

    began: float
    moments: list[float]

    def prompt(self, input: dict[str, str]) -> str:
        """Called for each row before any request is sent."""
        self.began = time.perf_counter()
        return input["question"]

    def parse(self, input: dict[str, str], response: str) -> dict[str, object]:
        """Called for each answer as it comes, and again when the dataset is assembled."""
        self.moments.append(time.perf_counter())
        return {"answer": response}


def row(number: int) -> dict[str, str]:
    """A question of about 200 characters, unlike any other."""
    text = "write a short function for the task of this number, explain how it works in a few sentences, " * 2
    return {"question": f"Question number {number}: {text.strip(', ')}."}


def measure(url: str, count: int, in_flight: int) -> dict[str, float]:
    """Ask for the warm-up, then for the count."""
    asker = Asker(
        model_name="m",
        backend="openai",
        generation_params={"max_tokens": 256},
        backend_params={
            "base_url": url,
            "api_key": "none",
            "max_requests_per_minute": UNREACHED,
            "max_tokens_per_minute": UNREACHED,
            "max_concurrent_requests": in_flight,
            "require_all_responses": False,
        },
    )
    asker.moments = []
    asker([row(-number) for number in range(1, WARM_UP + 1)])
    asker.moments.clear()
    answers = asker([row(number) for number in range(count)]).dataset["answer"]
    return {
        "requests": count,
        "answered": sum(bool(answer) for answer in answers),
        "seconds": asker.moments[count - 1] - asker.began,
    }


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    try:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
    finally:
        shutil.rmtree(os.environ["HOME"])
