"""The pictures of the documentation, taken by headless Chromium from real runs on a real Prefect server.

``make screenshots`` takes them all anew; ``python docs/screenshots.py run`` those of a run's report and browser alone,
``… dashboard`` those of docs/dashboard.md. Its runs ask a demo teacher that is out of order for a while,
and one that refuses the key; the report and the browser are those of the demo.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1200, 760
MOST_BYTES = 200_000
_GRAPH_S = 20
"""A graph is drawn without a GPU, and slides into its place."""


@contextmanager
def chromium() -> Iterator[Page]:
    """A page in a light theme."""
    from tests.chromium import launched  # noqa: PLC0415

    with launched() as browser:
        yield browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")


def take(page: Page, url: str, name: str, *shown: str, height: int = HEIGHT, settle_s: float = 2) -> None:
    """A picture of a page, once it shows some texts and has settled."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(url)
    for text in shown:
        page.get_by_text(text, exact=False).first.wait_for(timeout=60_000)
    page.wait_for_timeout(1000 * settle_s)
    picture = page.screenshot()
    assert len(picture) < MOST_BYTES, f"{name}.png has {len(picture)} bytes: take a smaller part of the page"
    (IMAGES / f"{name}.png").write_bytes(picture)
    sys.stdout.write(f"{name}.png: {len(picture) // 1000} kB\n")


def artifact(api: httpx.Client, run: dict[str, Any], key: str) -> str:
    """The id of a flow run's artifact."""
    query = {"artifacts": {"key": {"any_": [key]}}, "flow_runs": {"id": {"any_": [run["id"]]}}}
    return str(api.post("/artifacts/filter", json=query).json()[0]["id"])


def deploy(server: Any) -> None:
    """Make pool, a limit and deployments, so that there is a form to show."""
    for command in (
        ["work-pool", "create", "kodforge", "--type", "process"],
        ["concurrency-limit", "create", "sandbox", "8"],
        ["--no-prompt", "deploy", "--prefect-file", "deployments/prefect.yaml", "--all"],
    ):
        subprocess.run(
            [sys.executable, "-m", "prefect", *command], cwd=ROOT, env=server.env, check=True, stdout=subprocess.DEVNULL
        )


def take_all(page: Page, story: Any) -> None:
    """The pictures of what the runs have left on the server."""
    api, ui, mended, failed = story.api, story.ui, story.mended, story.failed
    query = {"flow_runs": {"name": {"any_": ["verify mended"]}}}
    verify = api.post("/flow_runs/filter", json=query).json()[0]
    form = api.get("/deployments/name/build-dataset/demo").json()
    take(page, f"{ui}/dashboard", "dashboard", "Flow Runs")
    take(page, f"{ui}/runs/flow-run/{mended['id']}?tab=Logs", "flow-run", "Finished in state", settle_s=_GRAPH_S)
    take(
        page,
        f"{ui}/runs/flow-run/{verify['id']}?tab=TaskRuns",
        "stage",
        "label part-00000",
        height=900,
        settle_s=_GRAPH_S,
    )
    take(page, f"{ui}/runs/task-run/{story.retried['id']}", "retry", "it is tried again")
    take(
        page, f"{ui}/runs/flow-run/{mended['id']}?tab=Artifacts", "artifacts", "funnel", height=1000, settle_s=_GRAPH_S
    )
    take(page, f"{ui}/artifacts/artifact/{artifact(api, mended, 'funnel')}", "funnel", "too_short", height=900)
    take(
        page,
        f"{ui}/runs/flow-run/{failed['id']}?tab=Details",
        "failed",
        "TeacherMisconfigured",
        height=1150,
        settle_s=_GRAPH_S,
    )
    advice = artifact(api, failed, "what-to-do-next")
    take(page, f"{ui}/artifacts/artifact/{advice}", "what-to-do-next", "What is kept", height=900)
    take(page, f"{ui}/deployments", "deployments", "demo")
    take(page, f"{ui}/deployments/deployment/{form['id']}/run", "form", "Busy Wait", height=1150)
    take(page, f"{ui}/concurrency-limits?tab=task-run", "concurrency", "sandbox")


@contextmanager
def browsing(store: Path, cache: Path) -> Iterator[str]:
    """``kodforge browse`` over the demo's run; the address that it prints."""
    command = [sys.executable, "-u", "-m", "flows.cli", "browse", "--set", f"store={store}"]
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "COLUMNS": "200"}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield next(line.strip() for line in process.stdout if line.startswith("http://"))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def take_run(page: Page, folder: Path) -> None:
    """The pictures of the demo's report, and of its rows in the browser."""
    store = folder / "store"
    command = [sys.executable, "-m", "flows.cli", "run", "--profile", "demo", "--set", f"store={store}"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    take(page, (store / "demo/report.html").as_uri(), "report", "From seeds to release", height=1000)
    with browsing(store, folder / "cache") as address:
        take(page, address, "browse", "Fate and split", "released", height=900)
        page.locator("a.row", has_text="released").or_(page.locator("a.row")).first.wait_for()
        hard = page.locator("a.row", has=page.locator(".labels", has_text="hard")).first
        place = (hard if hard.count() else page.locator("a.row").first).get_attribute("href")
        take(page, f"{address.split('/?')[0]}{place}", "browse-row", "Solution and tests", height=1100)


def take_dashboard(page: Page, folder: Path) -> None:
    """The pictures of docs/dashboard.md."""
    from tests.flows.story import told  # noqa: PLC0415
    from tests.processes import running_server  # noqa: PLC0415

    with running_server(folder) as server:
        deploy(server)
        with told(server, folder, tries=2) as story:
            take_all(page, story)


PARTS = {"dashboard": take_dashboard, "run": take_run}


def main() -> None:
    """Run what is to be seen, and take the pictures."""
    sys.path.insert(0, str(ROOT))
    IMAGES.mkdir(exist_ok=True)
    for part in sys.argv[1:] or PARTS:
        with tempfile.TemporaryDirectory() as folder, chromium() as page:
            PARTS[part](page, Path(folder))


if __name__ == "__main__":
    main()
