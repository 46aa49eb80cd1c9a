"""Requests per second of distilabel: ``python with_distilabel.py URL COUNT IN_FLIGHT [InferenceEndpointsLLM]``.

Measured is the time from the first `agenerate` to the last answer. A pipeline would add its processes, queues and
batch files; `generate` sends a whole batch and waits for its slowest answer before the next. `agenerate` is the request
itself: IN_FLIGHT tasks that each take the next prompt keep as many under way all the time. `OpenAILLM` asks any
endpoint; `InferenceEndpointsLLM` is for Hugging Face's own servers: it cannot name a model, and has 100 requests in
flight at most.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from distilabel.models.llms import InferenceEndpointsLLM, OpenAILLM

WARM_UP = 20


def chat(number: int) -> list[dict[str, str]]:
    """A conversation of one question of about 200 characters, unlike any other."""
    text = "write a short function for the task of this number, explain how it works in a few sentences, " * 2
    return [{"role": "user", "content": f"Question number {number}: {text.strip(', ')}."}]


async def ask(llm: Any, chats: list[list[dict[str, str]]], in_flight: int) -> int:
    """How many of the chats got an answer that is not empty."""
    left: Iterator[Any] = iter(chats)

    async def take() -> int:
        answered = 0
        for messages in left:
            output = await llm.agenerate(input=messages, max_new_tokens=256)
            answered += bool(output["generations"][0])
        return answered

    return sum(await asyncio.gather(*(take() for _ in range(in_flight))))


async def measure(url: str, count: int, in_flight: int) -> dict[str, float]:
    """Ask in one event loop, which the client's connections belong to."""
    llm: Any = OpenAILLM(model="m", base_url=url, api_key="none", timeout=600)
    if sys.argv[4:] == ["InferenceEndpointsLLM"]:
        llm = InferenceEndpointsLLM(base_url=url, api_key="none")
    llm.load()
    await ask(llm, [chat(-number) for number in range(1, WARM_UP + 1)], in_flight)
    chats = [chat(number) for number in range(count)]
    began = time.perf_counter()
    answered = await ask(llm, chats, in_flight)
    return {"requests": count, "answered": answered, "seconds": time.perf_counter() - began}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
