"""What a store on S3 costs beside a local folder: wall time and requests of shards and of a release, in one run.

    python -m benchmarks.stores [--shards 40] [--at-once 4] [--delay-ms 20]

The S3 API is moto's server on loopback, behind a proxy that counts requests and answers each so many milliseconds late,
as a store in the same region does. Work of the shards is none, so that what is left is the store's part; ratios of one
run are comparable, its seconds are of this machine.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tasks.artifacts import Outcome, Stage
from tasks.models import Provenance, Seed, Subset
from tasks.publishing.folder import opened
from tasks.store import Store
from tests.stores.s3 import Fault, Proxy, client, environment, proxied, s3_server
from tests.stores.test_publication import Writer

ROWS = 256
"""Of a shard, as by default."""


def rows(number: int) -> list[Seed]:
    source = Provenance(origin="o", version="1", path="p", licence="MIT")
    return [
        Seed(
            seed_id=f"{number}-{row}",
            subset=Subset.DOCS,
            text=os.urandom(600).hex(),
            title="t",
            libraries=[],
            source=source,
        )
        for row in range(ROWS)
    ]


class Measured:
    """Wall time of parts on a store, and its requests."""

    def __init__(self, url: str, proxy: Proxy | None, shards: int, at_once: int) -> None:
        self.stage = Stage(Store(url), "run", "questions")
        self._url, self._proxy, self._shards, self._at_once = url, proxy, shards, at_once
        self.seconds: dict[str, float] = {}
        self.requests: dict[str, Counter[str]] = {}

    def part(self, name: str, work: Callable[[], object]) -> None:
        before = Counter(self._proxy.asked) if self._proxy else Counter[str]()
        start = time.perf_counter()
        work()
        self.seconds[name] = time.perf_counter() - start
        self.requests[name] = (Counter(self._proxy.asked) if self._proxy else Counter[str]()) - before

    def run(self, made: list[list[Seed]], folder: Path) -> None:
        def shard(number: int) -> Any:
            name = f"part-{number:05d}"
            return self.stage.run_shard(name, Seed, [number], lambda: Outcome.of(made[number]))

        def every(work: Callable[[int], Any]) -> list[Any]:
            with ThreadPoolExecutor(self._at_once) as pool:
                return list(pool.map(work, range(self._shards)))

        receipts = every(shard)[:0]
        self.part("skip", lambda: receipts.extend(every(shard)))
        self.stage = Stage(self.stage.store, "other", "questions")
        self.part("write", lambda: every(shard))
        self.part("read", lambda: every(lambda number: self.stage.table(f"part-{number:05d}").num_rows))
        self.part("finish", lambda: self.stage.finish(receipts, ""))
        writer = Writer(folder)
        self.part("first release", lambda: writer.publish(f"{self._url}/release", "a"))
        self.part("next release", lambda: writer.publish(f"{self._url}/release", "b"))
        self.part("open release", lambda: opened(f"{self._url}/release"))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shards", type=int, default=40)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--delay-ms", type=float, default=20)
    given = parser.parse_args()
    made = [rows(number) for number in range(given.shards)]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, s3_server() as address, proxied(address) as proxy:
        os.environ.update(environment(proxy.url))
        client(address).create_bucket(Bucket="bench")
        proxy.always = Fault(delay_s=given.delay_ms / 1000)
        near = Measured(f"{folder}/store", None, given.shards, given.at_once)
        far = Measured("s3://bench/store", proxy, given.shards, given.at_once)
        for one in (near, far):
            one.run(made, Path(folder))
    found = {
        name: {
            "local_s": round(near.seconds[name], 4),
            "s3_s": round(far.seconds[name], 4),
            "ratio": round(far.seconds[name] / near.seconds[name], 1),
            "requests": dict(far.requests[name]),
            "per_shard": {kind: round(count / given.shards, 2) for kind, count in far.requests[name].items()}
            if name in ("skip", "write", "read")
            else None,
        }
        for name in far.seconds
    }
    print(json.dumps({"shards": given.shards, "at_once": given.at_once, "delay_ms": given.delay_ms, **found}, indent=1))


if __name__ == "__main__":
    main()
