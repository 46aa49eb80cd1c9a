"""Where the time of a run's shards went, by what the Prefect server has recorded of its task runs.

The server knows when each task run was submitted and when it ended; its final message tells how long it waited for
teachers and for the sandbox, and how long its function took in all. What is left is Prefect's.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from tasks.shards import spent_of

_PAGE = 200
_SHARD = re.compile(r"part-\d+")
_WAIT_S = 120.0


@dataclass
class Part:
    """A flow's tasks.

    Attributes:
        shards: chains of tasks, one after the other; a task over no single shard is a chain of its own.
        prefect: seconds before and after the tasks' functions, and between two tasks of a chain.
    """

    tasks: int = 0
    shards: int = 0
    teacher: float = 0.0
    sandbox: float = 0.0
    own: float = 0.0
    prefect: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Of all chains; they run side by side."""
        return self.teacher + self.sandbox + self.own + self.prefect

    def add(self, other: Part) -> None:
        for name in ("tasks", "shards", "teacher", "sandbox", "own", "prefect", "spans"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def parts_of(api: httpx.Client) -> dict[str, Part]:
    """All that the server has recorded, by flow; a server of its own has recorded one run."""
    names = {run["id"]: run["name"].split(" ")[0] for run in _pages(api, "flow_runs", "START_TIME_ASC")}
    chains: defaultdict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for run in _recorded(api):
        shard = _SHARD.search(run["name"])
        chains[names[run["flow_run_id"]], shard[0] if shard else run["id"]].append(run)
    parts: defaultdict[str, Part] = defaultdict(Part)
    for (flow, _), runs in chains.items():
        parts[flow].add(_chain(runs))
    return dict(parts)


def _chain(runs: list[dict[str, Any]]) -> Part:
    found = Part(tasks=len(runs), shards=1)
    before: float | None = None
    for run in runs:
        submitted, ended = _moment(run["expected_start_time"]), _moment(run["end_time"])
        spent = spent_of(run["state"]["message"] or "")
        found.teacher += spent.teacher
        found.sandbox += spent.sandbox
        found.own += spent.other
        found.prefect += ended - submitted - spent.total
        found.prefect += max(0.0, submitted - before) if before is not None else 0.0
        found.spans.append((submitted, ended))
        before = ended if before is None else max(before, ended)
    return found


def covered(spans: list[tuple[float, float]]) -> float:
    """Seconds in which at least one of the spans was under way."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def _recorded(api: httpx.Client) -> list[dict[str, Any]]:
    """Task runs that have ended, once all have; those that stand for a flow run are left out."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        runs = [
            run
            for run in _pages(api, "task_runs", "EXPECTED_START_TIME_ASC")
            if not (run["state"] and run["state"]["state_details"].get("child_flow_run_id"))
        ]
        late = [run["name"] for run in runs if not run["end_time"]]
        if not late:
            return runs
        if time.monotonic() > deadline:
            raise RuntimeError(f"after {_WAIT_S:.0f} s the server has no end of {len(late)} task runs: {late[:3]}")
        time.sleep(1)


def _pages(api: httpx.Client, what: str, sort: str) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        response = api.post(f"/{what}/filter", json={"limit": _PAGE, "offset": offset, "sort": sort})
        response.raise_for_status()
        page = response.json()
        yield from page
        if len(page) < _PAGE:
            return
        offset += _PAGE


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
