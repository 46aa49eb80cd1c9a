"""The teachers' client: requests per second beside its peers, how near it comes to the ideal rate, what it holds.

Every contender is a process of its own and asks the same endpoint, a process on loopback, in turns. The peers have
environments of their own, made in the cache folder at the first run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from uv import find_uv_bin

from benchmarks.peers.with_kodforge import request
from tasks.execution.environment import cache_folder
from tasks.run import Purpose
from tasks.settings import Endpoint
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.requests import Answer, Choice
from tests.ports import free_port

SCRIPTS = Path(__file__).parent / "peers"
_DISTILABEL = ["distilabel[openai,hf-inference-endpoints]==1.5.3", "requests"]
PEERS = {
    "distilabel 1.5.3, OpenAILLM": (["with_distilabel.py"], _DISTILABEL),
    "distilabel 1.5.3, InferenceEndpointsLLM": (["with_distilabel.py", "InferenceEndpointsLLM"], _DISTILABEL),
    "Curator 0.1.31": (["with_curator.py"], ["bespokelabs-curator==0.1.31"]),
    "Data Designer 0.9.7": (["with_data_designer.py"], ["data-designer==0.9.7", "sniffio"]),
}
"""Which script runs each, with what more it is told, and what is installed for it."""
OURS = ["with_kodforge.py"]
ROUNDS, REQUESTS = 3, 3000
IN_FLIGHT = (32, 256)
MANY, LATENCY_S, TURNS = 512, 5.0, 10
MILLION, PER_WRITE, LOOKED_UP = 1_000_000, 32, 256


@contextlib.contextmanager
def endpoint(latency_s: float = 0.0) -> Iterator[str]:
    """The endpoint as a process; yields its URL."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.endpoint", str(port), str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def python_of(name: str, packages: list[str]) -> str:
    """The Python of a peer's own environment."""
    folder = cache_folder() / f"benchmark-{name.partition(',')[0].replace(' ', '-').lower()}"
    python = folder / "bin" / "python"
    if not python.exists():
        uv = find_uv_bin()
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *packages], check=True)
    return str(python)


def run(python: str, script: list[str], url: str, count: int, in_flight: int) -> float:
    """Requests per second of one contender; all of them must have been answered."""
    command = [python, str(SCRIPTS / script[0]), url, str(count), str(in_flight), *script[1:]]
    env = {**os.environ, "PYTHONPATH": str(SCRIPTS.parents[1])} if script is OURS else None
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=900)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["answered"] == count, found
    return float(count / found["seconds"])


def against_peers() -> None:
    """Zero latency: what is measured is the client alone."""
    contenders = {"kodforge": (sys.executable, OURS)}
    contenders |= {name: (python_of(name, packages), script) for name, (script, packages) in PEERS.items()}
    print("| requests/s, no latency | " + " | ".join(f"{number} in flight" for number in IN_FLIGHT) + " |")
    print("|---|" + "---|" * len(IN_FLIGHT))
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    with endpoint() as url:
        for in_flight in IN_FLIGHT:
            rounds: dict[str, list[float]] = {name: [] for name in contenders}
            for _ in range(ROUNDS):
                for name, (python, script) in contenders.items():
                    rounds[name].append(run(python, script, url, REQUESTS, in_flight))
            for name, found in rounds.items():
                rates[name].append(statistics.median(found))
    for name, found in rates.items():
        print(f"| {name} | " + " | ".join(f"{rate:.0f}" for rate in found) + " |")
    best = [max(rates[name][column] for name in PEERS) for column in range(len(IN_FLIGHT))]
    times = " | ".join(f"{ours / theirs:.1f}" for ours, theirs in zip(rates["kodforge"], best, strict=True))
    print(f"| **kodforge, times the best of the others** | {times} |")


def against_the_ideal() -> None:
    """Many requests in flight to a slow endpoint: the client must keep all of them in flight all the time."""
    ideal = MANY / LATENCY_S
    with endpoint(LATENCY_S) as url:
        rate = run(sys.executable, OURS, url, MANY * TURNS, MANY)
    # The warm-up of 20 requests is not in the time; the first turn is.
    print(f"\n| {MANY} in flight, {LATENCY_S:g} s latency | requests/s |\n|---|---|")
    print(f"| ideal | {ideal:.1f} |\n| kodforge | {rate:.1f} ({100 * rate / ideal:.1f}%) |")


def what_it_holds() -> None:
    """Memory as requests stream through one client."""
    print("\n| requests so far | own memory, MB | open files |\n|---|---|---|")
    own = psutil.Process()
    with endpoint() as url, tempfile.TemporaryDirectory() as folder:
        answers = open_cache(str(Path(folder) / "answers.sqlite"))
        client = TeacherClient(Endpoint(base_url=url, model="m", max_in_flight=64), answers)
        requests = (request(number) for number in range(100_000))
        for number, _ in enumerate(client.ask_each(requests, Purpose(run="r", stage="s")), start=1):
            if number in (1_000, 10_000, 50_000, 100_000):
                print(f"| {number:,} | {own.memory_info().rss >> 20} | {own.num_fds()} |", flush=True)
        client.close()


def _reply(rng: random.Random, words: list[str]) -> str:
    """A reply of some 2,500 characters that packs about as well as code and prose do."""
    return " ".join(rng.choices(words, k=400))


def the_store() -> None:
    """Size and speed of the file of answers as it grows to a million."""
    rng = random.Random(0)
    source = Path(sys.modules["statistics"].__file__ or "").read_text("utf-8")
    words = source.split()
    replies = [_reply(rng, words) for _ in range(2000)]
    print("\n| answers in the file | MB | bytes per answer | written per s | looked up per s | not found per s |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answers.sqlite"
        answers = open_cache(str(path))
        written = 0
        for goal in (10_000, 100_000, MILLION):
            began, before = time.perf_counter(), written
            while written < goal:
                batch = [_answer(number, replies) for number in range(written, min(goal, written + PER_WRITE))]
                answers.put(*batch)
                written += len(batch)
            writing = time.perf_counter() - began
            keys = [[_key(rng.randrange(written)) for _ in range(LOOKED_UP)] for _ in range(40)]
            began = time.perf_counter()
            found = sum(len(answers.get_many(some)) for some in keys)
            reading = time.perf_counter() - began
            began = time.perf_counter()
            answers.get_many([_key(-number) for number in range(1, 10_001)])
            missing = time.perf_counter() - began
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            size = path.stat().st_size
            print(
                f"| {written:,} | {size / 1e6:.0f} | {size / written:.0f} | {(written - before) / writing:.0f} "
                f"| {found / reading:.0f} | {10_000 / missing:.0f} |",
                flush=True,
            )
    length = statistics.mean(map(len, replies))
    print(f"\nA reply is {length:.0f} characters; {PER_WRITE} answers per transaction, synced.")


def _key(number: int) -> str:
    return random.Random(number).randbytes(32).hex()


def _answer(number: int, replies: list[str]) -> Answer:
    text = f"{number} {replies[number % len(replies)]}"
    choice = Choice(text=text, finish_reason="stop")
    return Answer(response_id=_key(number), choices=(choice,), prompt_tokens=300, completion_tokens=600)


def main() -> None:
    """Print four tables, or those that are named."""
    parts = {"peers": against_peers, "ideal": against_the_ideal, "memory": what_it_holds, "store": the_store}
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("parts", nargs="*", choices=[*parts, []], help="only these tables")
    for name in options.parse_args().parts or parts:
        parts[name]()


if __name__ == "__main__":
    main()
