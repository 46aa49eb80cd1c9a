"""A teacher that answers as the demo teacher does, but as late as a model.

``python -m benchmarks.author PORT SEEDS`` first writes SEEDS, a file of as many numbers as are asked for. The question
that it makes of a number is one of the transcripts' own, which take turns, with the number, so that no two are equal.
An answer takes the time to its first token, and then that of its tokens, as those of an inference server do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.teachers.demo import DemoTeacher
from tasks.teachers.replies import clean_question
from tasks.teachers.transcripts import Reply, Transcripts, packaged
from tests.corpus import transcript_entries
from tests.ports import free_port

_START_S = 120.0
_NUMBER = re.compile(r"^This is number (\d+)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Speed:
    """Of an endpoint.

    Attributes:
        tokens_per_s: of one answer; the demo teacher counts words for tokens.
        streams: answers that are written at once.
    """

    first_token_s: float = 0.5
    tokens_per_s: float = 10.0
    streams: int = 256


@dataclass(frozen=True)
class Size:
    """Of a whole run whose questions this teacher is asked for.

    Attributes:
        at_once: shards under way.
        slots: boxes at once; 0: as by default.
    """

    questions: int
    shard_size: int = 256
    at_once: int = 4
    attempts: int = 10
    rigour: str = "standard"
    max_in_flight: int = 256
    slots: int = 0

    def options(self, run: str, store: Path, seeds: Path, url: str) -> list[str]:
        """Of ``kodforge run``."""
        values = {
            "run": run,
            "store": store,
            "shard_size": self.shard_size,
            "shards_in_flight": self.at_once,
            "only": "[Taco]",
            "subsets.Taco.count": self.questions,
            "subsets.Taco.seeds.path": seeds,
            "subsets.Taco.seeds.format": "",
            "subsets.Taco.seeds.licence": "MIT",
            "diversity.stop_at_share": 1,
            "teachers.author.kind": "openai",
            "teachers.author.base_url": url,
            "teachers.author.max_in_flight": self.max_in_flight,
            "teachers.reasoners.demo.kind": "openai",
            "teachers.reasoners.demo.base_url": url,
            "teachers.reasoners.demo.max_in_flight": self.max_in_flight,
            "verification.attempts": self.attempts,
            "verification.rigour": self.rigour,
            "post_training.styles.into": "[]",
        } | ({"sandbox.slots": self.slots} if self.slots else {})
        return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def problems(count: int) -> list[str]:
    """Distinct questions that the transcripts have attempts at."""
    known = [clean_question(one["question"]) for one in transcript_entries() if one.get("question", "").strip()]
    known = [text for text in known if packaged().chat(f"{text} <|Solution Begin|> <|Test Begin|>", 0).status == 200]
    return [f"{known[number % len(known)]}\n\nThis is number {number}." for number in range(count)]


class Numbered(Transcripts):
    """Whoever wants a question made of a number gets the one of that number; all else is as the transcripts say."""

    def __init__(self, asked: list[str]) -> None:
        self._asked, self._known = asked, packaged()

    def chat(self, prompt: str, seed: int) -> Reply:
        if "<|Question Begin|>" in prompt and (found := _NUMBER.search(prompt)):
            return Reply(f"<|Question Begin|>\n{self._asked[int(found[1])]}\n<|Question End|>\n")
        return self._known.chat(prompt, seed)


class Late:
    """An application whose answers take the time of their tokens."""

    def __init__(self, application: ASGIApp, speed: Speed) -> None:
        self._application, self._speed = application, speed
        self._streams = asyncio.Semaphore(speed.streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._application(scope, receive, send)
            return
        told: list[Message] = []

        async def hold(message: Message) -> None:
            told.append(message)

        async with self._streams:
            await self._application(scope, receive, hold)
            await asyncio.sleep(self._speed.first_token_s + _tokens(told) / self._speed.tokens_per_s)
        for message in told:
            await send(message)


def _tokens(told: list[Message]) -> int:
    """Of the answer; none where it is an error."""
    body = b"".join(message.get("body", b"") for message in told)
    try:
        return int(json.loads(body)["usage"]["completion_tokens"])
    except (ValueError, KeyError):
        return 0


@contextmanager
def author(speed: Speed, seeds: Path, count: int) -> Iterator[str]:
    """Its URL, while it serves in a process of its own."""
    port = free_port()
    options = {
        "--count": count,
        "--first-token-s": speed.first_token_s,
        "--tokens-per-s": speed.tokens_per_s,
        "--streams": speed.streams,
    }
    given = [str(part) for option in options.items() for part in option]
    command = [sys.executable, "-m", "benchmarks.author", str(port), str(seeds), *given]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def main() -> None:
    """Write the seeds, and serve until the process is stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("seeds", type=Path)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--first-token-s", type=float, default=Speed.first_token_s)
    parser.add_argument("--tokens-per-s", type=float, default=Speed.tokens_per_s)
    parser.add_argument("--streams", type=int, default=Speed.streams)
    given = parser.parse_args()
    asked = problems(given.count)
    rows = [
        {"id": str(number), "title": f"Problem {number}", "question": f"Think of one.\n\nThis is number {number}."}
        for number in range(given.count)
    ]
    given.seeds.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    teacher = DemoTeacher(Numbered(asked), faults=False)
    uvicorn.run(
        Late(teacher.app, Speed(given.first_token_s, given.tokens_per_s, given.streams)),
        host="127.0.0.1",
        port=given.port,
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
