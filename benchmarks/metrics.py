"""What metrics cost: requests to a teacher and runs in the sandbox, with their export on and off, in turns.

Each turn is a process of its own; an export goes to a collector on loopback, every second. A machine's noise moves
whole requests and runs by more than metrics do, so the CPU time of the events of one is measured by itself, too.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.corpus import corpus
from benchmarks.peers.with_kodforge import request
from benchmarks.teachers import endpoint
from tasks import metrics
from tasks.execution.pool import SandboxPool
from tasks.run import Purpose
from tasks.settings import Backend, Endpoint, Sandbox
from tasks.teachers.cache import open_cache
from tasks.teachers.client import TeacherClient
from tasks.teachers.meter import Meter

REQUESTS, PAIRS, EVENTS, IN_FLIGHT = 3000, 400, 20_000, 64


def collector() -> str:
    """A collector that takes everything; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def requests(url: str) -> dict[str, float]:
    """Wall and CPU seconds of one request, and CPU seconds of its events."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Endpoint(base_url=url, model="m", max_in_flight=IN_FLIGHT)
        client = TeacherClient(asked, open_cache(str(Path(folder) / "answers.sqlite")))
        purpose = Purpose(run="r", stage="s")
        client.ask_all([request(-number) for number in range(1, 100)], purpose)
        many = [request(number) for number in range(REQUESTS)]
        wall, cpu = time.perf_counter(), time.process_time()
        client.ask_all(many, purpose)
        found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        client.close()
    tally = Meter().of("s", "m")

    def events() -> None:
        tally.asked(1)
        tally.sent(1)
        tally.tried("/chat/completions", "127.0.0.1", time.monotonic())
        tally.answered("/chat/completions", 300, 600, 0.01)
        tally.sent(-1)

    return {name: seconds / REQUESTS for name, seconds in found.items()} | {"events": timed(events)}


def runs(_: str) -> dict[str, float]:
    """Wall seconds of one pair in the sandbox, and CPU seconds of its events."""
    some = corpus()[: PAIRS + 60]
    with SandboxPool(Sandbox(backend=Backend.BUBBLEWRAP)) as pool:
        pool.run_all(some[:60])
        began = time.perf_counter()
        row = pool.run_all(some[60:])[0]
        wall = time.perf_counter() - began

        def events() -> None:
            pool._queue(1)
            pool._queue(-1)
            pool._slots._count(waiting=1)
            pool._slots._count(waiting=-1)
            pool._slots._count(busy=1)
            pool._slots._count(busy=-1)
            pool._measure(row, 0.01)

        return {"wall": wall / len(some[60:]), "events": timed(events)}


def timed(events: Callable[[], None]) -> float:
    """CPU seconds of one."""
    began = time.thread_time()
    for _ in range(EVENTS):
        events()
    return (time.thread_time() - began) / EVENTS


PARTS = {"request": requests, "run": runs}


def turn(part: str, url: str, to: str) -> dict[str, float]:
    """One part in a process of its own.

    Args:
        to: URL of the collector; empty exports nothing.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    if to:
        exported = {"OTEL_EXPORTER_OTLP_ENDPOINT": to, "OTEL_METRIC_EXPORT_INTERVAL": "1000"}
        env |= {"OTEL_METRICS_EXPORTER": "otlp", **exported}
    command = [sys.executable, "-m", "benchmarks.metrics", "--turn", part, url]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=900)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--turn", nargs=2, metavar=("PART", "URL"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.turn:
        metrics.start_metrics()
        print(json.dumps(PARTS[chosen.turn[0]](chosen.turn[1])))
        return
    to = collector()
    print("| | off | exported | ratio | events, off | events, exported | share of it |")
    print("|---|---|---|---|---|---|---|")
    with endpoint() as url:
        for part in PARTS:
            off, on = [], []
            for number in range(chosen.rounds):
                order = [(off, ""), (on, to)]
                for found, target in order if number % 2 else reversed(order):
                    found.append(turn(part, url, target))
            for what in [name for name in off[0] if name != "events"]:
                before, after = (statistics.median(one[what] for one in found) for found in (off, on))
                idle, busy = (statistics.median(one["events"] for one in found) for found in (off, on))
                print(
                    f"| {part}, {what} | {before * 1e6:.0f} µs | {after * 1e6:.0f} µs | {after / before:.3f} "
                    f"| {idle * 1e6:.1f} µs | {busy * 1e6:.1f} µs | {100 * busy / before:.2f}% |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
