"""The biggest flow run that the dashboard stays usable with: pages of flow runs of growing size, in headless Chromium.

    python -m benchmarks.dashboard [--tasks 100 1000 5000 20000] [--postgres]

Each flow run is a real one, with as many task runs as are asked for, named and logged as kodforge's are. A page counts
as usable once it shows what it is opened for and its thread has not been busy for 0.2 s at a stretch during a second.
It takes 20 minutes with the defaults, most of them to make the flow runs. Chromium draws without a graphics card here,
so that the graph is slower than on a desk. Needs chromium, and PostgreSQL where it is asked for.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from playwright.sync_api import Error, Page, Response
from prefect import flow
from prefect.artifacts import create_table_artifact

from benchmarks.orchestration import settle
from flows.orchestration.chains import Chain, run_chains
from tasks.artifacts import COMMITS, Commit, Receipt
from tasks.shards import SANDBOX, shard_task
from tests.chromium import launched
from tests.engines.database import PASSWORD, running_postgres
from tests.processes import running_server

AT_ONCE = 8
TASKS_PER_SHARD = 25
"""Of verification with ten attempts."""
QUIET_S, BUSY_S, MOST_S = 1.0, 0.2, 60.0
DRAWN_BYTES = 10_000
"""Of a picture of the graph: an empty one takes 4,000, one with its axis and 30 tasks 50,000."""
_GRAPH = "canvas"
_WATCH = """
window.busy = [];
new PerformanceObserver(list => list.getEntries().forEach(each => window.busy.push([each.startTime, each.duration])))
  .observe({type: "longtask", buffered: true});
"""
_STATE = "() => [performance.now(), window.busy]"


@shard_task("execute part-{shard:05d}-try-{step:02d}", SANDBOX)
def pretend(shard: int, step: int) -> Receipt:
    """Tell of a shard as an executed one does."""
    name = f"part-{shard:05d}-try-{step:02d}"
    receipt = Receipt(
        stage="verdicts", name=name, fingerprint="", content="", rows_in=256, rows_out=256, rejected=0, reasons={}
    )
    if (commits := COMMITS.get()) is not None:
        commits.append(Commit(receipt, reused=False))
    return receipt


@flow(name="many-tasks", flow_run_name="verify with {count} tasks")
def many_tasks(count: int) -> None:
    """As `verify-triplets` runs its shards."""

    def chain(shard: int) -> Chain[Receipt]:
        for step in range(min(TASKS_PER_SHARD, count - shard * TASKS_PER_SHARD)):
            yield pretend.submit(shard, step)

    run_chains([chain(shard) for shard in range(-(-count // TASKS_PER_SHARD))], AT_ONCE)
    create_table_artifact([{"task": "execute", "runs": count}], key="time", description="Seconds of all runs of a task")


@dataclass
class Seen:
    """How one page came up.

    Attributes:
        shown_s: until it showed what it was opened for; None where it never did.
        usable_s: until nothing blocked its thread any longer; None where that was not within a minute.
        block_s: the longest stretch in which it answered nothing.
        slowest: the API call that took longest.
        refused: API calls that failed.
    """

    shown_s: float | None = None
    usable_s: float | None = None
    block_s: float = 0.0
    slowest: tuple[float, str] = (0.0, "")
    refused: list[str] = field(default_factory=list)


def look(page: Page, url: str, text: str, graph: bool) -> Seen:
    """Open a page and wait for it.

    Args:
        text: what it has to show.
        graph: whether the graph has to be drawn, too.
    """
    seen = Seen()

    def answered(response: Response) -> None:
        path = response.url.partition("/api")[2]
        if path and response.status >= 400:
            seen.refused.append(f"{response.status} {_short(path)}")

    def finished(request) -> None:  # type: ignore[no-untyped-def] - Playwright's own
        path = request.url.partition("/api")[2]
        if path:
            seen.slowest = max(seen.slowest, (request.timing["responseEnd"] / 1000, _short(path)))

    page.on("response", answered)
    page.on("requestfinished", finished)
    try:
        page.goto("about:blank")
        began = time.monotonic()
        page.goto(url, wait_until="commit", timeout=MOST_S * 1000)
        try:
            page.get_by_text(text, exact=False).first.wait_for(timeout=MOST_S * 1000)
            seen.shown_s = time.monotonic() - began
        except Error:
            return seen
        drawn_s = 0.0
        while time.monotonic() - began < MOST_S:
            at, busy = page.evaluate(_STATE)
            until = max((start + length for start, length in busy if length >= BUSY_S * 1000), default=0.0)
            seen.block_s = max((length / 1000 for _, length in busy), default=0.0)
            if at - until >= QUIET_S * 1000:
                if graph and not drawn_s and _is_drawn(page):
                    drawn_s = at / 1000
                if drawn_s or not graph:
                    seen.usable_s = max(seen.shown_s, until / 1000, drawn_s)
                    break
            page.wait_for_timeout(200)
    finally:
        page.remove_listener("response", answered)
        page.remove_listener("requestfinished", finished)
    return seen


def _short(path: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", path.partition("?")[0])


@contextmanager
def chromium() -> Iterator[Page]:
    """A page that measures itself, and asks nobody but the server."""
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.add_init_script(_WATCH)
        page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), lambda route: route.abort())
        yield page


def pages(flow_run: str, count: int) -> dict[str, tuple[str, str, bool]]:
    """What a person opens, and what they look for there: a text, and perhaps the graph."""
    run = f"/runs/flow-run/{flow_run}"
    return {
        "list of flow runs": ("/runs", f"verify with {count} tasks", False),
        "flow run: graph": (f"{run}?tab=Details", f"verify with {count} tasks", True),
        "flow run: logs": (f"{run}?tab=Logs", "Finished in state", False),
        "flow run: task runs": (f"{run}?tab=TaskRuns", "-try-", False),
        "flow run: artifacts": (f"{run}?tab=Artifacts", "Seconds of all runs", False),
        "list of task runs": ("/runs?tab=task-runs", "-try-", False),
    }


def made(env: dict[str, str], count: int) -> tuple[str, float]:
    """A flow run of that size, made in a process of its own; its id, and the seconds that it took."""
    began = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.dashboard", "--make", str(count)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{count} tasks: {done.stderr[-2000:]}")
    took = time.monotonic() - began
    settle(env)
    query = {"flow_runs": {"name": {"any_": [f"verify with {count} tasks"]}}}
    found = httpx.post(f"{env['PREFECT_API_URL']}/flow_runs/filter", json=query, timeout=60).json()
    return str(found[0]["id"]), took


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="+", default=[100, 1000, 5000, 20_000])
    parser.add_argument("--postgres", action="store_true", help="the server's database is PostgreSQL, not SQLite")
    parser.add_argument("--most-nodes", type=int, help="PREFECT_SERVER_FLOW_RUN_GRAPH_MAX_NODES, 10000 by default")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each page")
    parser.add_argument("--make", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        many_tasks(given.make)
        return
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {}
        if given.most_nodes:
            settings["PREFECT_SERVER_FLOW_RUN_GRAPH_MAX_NODES"] = str(given.most_nodes)
        if given.postgres:
            postgres = stack.enter_context(running_postgres())
            postgres.create("prefect")
            address = f"postgresql+asyncpg://kod:{PASSWORD}@127.0.0.1:{postgres.port}/prefect"
            settings["PREFECT_API_DATABASE_CONNECTION_URL"] = address
        server = stack.enter_context(running_server(home, **settings))
        page = stack.enter_context(chromium())
        ui = f"{server.url.removesuffix('/api')}/v2"
        print("| task runs | page | shown after s | usable after s | longest block s | slowest call | refused |")
        print("|---|---|---|---|---|---|---|")
        for count in given.tasks:
            flow_run, took = made(server.env, count)
            for name, (path, text, graph) in pages(flow_run, count).items():
                seen = look(page, ui + path, text, graph)
                cells = [f"{count:,}", name, _seconds(seen.shown_s), _seconds(seen.usable_s), f"{seen.block_s:.1f}"]
                cells += [f"{seen.slowest[1]} {seen.slowest[0]:.1f} s", ", ".join(sorted(set(seen.refused)))]
                print(f"| {' | '.join(cells)} |", flush=True)
                if given.pictures:
                    given.pictures.mkdir(parents=True, exist_ok=True)
                    picture = f"{count}-{re.sub('[^a-z]+', '-', name)}.png"
                    page.screenshot(path=given.pictures / picture, timeout=MOST_S * 1000)
            print(f"{json.dumps({'tasks': count, 'made in s': round(took, 1)})}", file=sys.stderr)


def _is_drawn(page: Page) -> bool:
    """Whether the graph shows something; a page that is too busy to be photographed does not."""
    with suppress(Error):
        return len(page.locator(_GRAPH).first.screenshot()) >= DRAWN_BYTES
    return False


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    main()
