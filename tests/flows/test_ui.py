"""What a person finds in the Prefect UI, as headless Chromium shows it: the run, a retry, a failure, the numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page

from tests.chromium import running_chromium
from tests.flows.story import MENDED, REFUSED_RUN, Story, found, told
from tests.processes import PrefectServer


@pytest.fixture(scope="module")
def story(prefect_server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with told(prefect_server, tmp_path_factory.mktemp("story")) as made:
        yield made


@dataclass
class Browser:
    """A page of the UI, and what went wrong in it."""

    page: Page
    story: Story
    faults: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(f"{self.story.ui}{path}")
        return self.page

    def shows(self, text: str) -> None:
        self.page.get_by_text(text, exact=False).first.wait_for(timeout=30_000)


@pytest.fixture(scope="module")
def browser(story: Story) -> Iterator[Browser]:
    with running_chromium() as started:
        page = started.new_page(viewport={"width": 1400, "height": 1600}, color_scheme="light")
        made = Browser(page, story)
        page.on("pageerror", lambda error: made.faults.append(str(error)))
        page.on("response", lambda answer: made.faults.append(answer.url) if answer.status >= 500 else None)
        yield made


def test_the_run_is_found_by_its_name_and_by_its_tag(browser):
    browser.open("/runs")
    browser.shows(f"build {MENDED}")
    browser.open(f"/runs?tab=flow-runs&tags=run%3A{MENDED}")
    browser.shows(f"verify {MENDED}")
    assert f"build {REFUSED_RUN}" not in browser.page.inner_text("main")


def test_a_retry_is_shown_with_its_cause(browser, story):
    retried = story.retried
    assert retried["state"]["message"].startswith("try 1 of 4 failed: TeacherUnavailable: ")
    browser.open(f"/runs/task-run/{retried['id']}")
    browser.shows("try 1 of 4 failed: TeacherUnavailable: the endpoint failed 1 times")
    browser.shows("it is tried again")
    ended = story.api.get(f"/task_runs/{retried['id']}").json()
    assert ended["state"]["type"] == "COMPLETED"
    assert ended["run_count"] == 2
    assert "before that, try 1 of 4 failed" in ended["state"]["message"]


def test_retries_are_listed_on_the_page_of_the_build(browser, story):
    listed = found(
        story.api,
        "artifacts",
        artifacts={"key": {"any_": ["retries"]}},
        flow_runs={"id": {"any_": [story.mended["id"]]}},
    )
    assert story.retried["name"] in {row["task run"] for row in json.loads(listed[0]["data"])}
    browser.open(f"/artifacts/artifact/{listed[0]['id']}")
    browser.shows(story.retried["name"])


def test_a_failure_is_shown_with_what_to_do_next(browser, story):
    browser.open(f"/runs/flow-run/{story.failed['id']}?tab=Artifacts")
    browser.shows("what-to-do-next")
    browser.open(f"/runs/flow-run/{story.failed['id']}?tab=Details")
    browser.shows("TeacherMisconfigured: the endpoint")
    assert story.failed["state"]["message"].startswith("TeacherMisconfigured: the endpoint http://127.0.0.1:")
    advice = found(
        story.api,
        "artifacts",
        artifacts={"key": {"any_": ["what-to-do-next"]}},
        flow_runs={"id": {"any_": [story.failed["id"]]}},
    )
    browser.open(f"/artifacts/artifact/{advice[0]['id']}")
    for text in (
        f"build {REFUSED_RUN} failed",
        "Check the model's name, the address, and the key",
        "the same command",
        f"--set run={REFUSED_RUN}",
        "questions part-00000",
        "What is kept",
    ):
        browser.shows(text)


def test_the_funnel_has_the_numbers_of_the_manifests(browser, story):
    artifact = found(
        story.api,
        "artifacts",
        artifacts={"key": {"any_": ["funnel"]}},
        flow_runs={"id": {"any_": [story.mended["id"]]}},
    )[0]
    browser.open(f"/artifacts/artifact/{artifact['id']}")
    browser.page.locator("table tr").nth(1).wait_for(timeout=30_000)
    shown = [row.locator("td").all_inner_texts() for row in browser.page.locator("table tr").all()]
    numbers = {row[0]: [int(cell) for cell in row[2:5]] for row in shown if row}
    assert {"seeds", "questions", "attempts", "verdicts", "triplets", "curated"} <= set(numbers)
    for stage, row in numbers.items():
        manifest = json.loads((story.store / MENDED / stage / "manifest.json").read_text())
        assert row == [manifest["rows_in"], manifest["rows_out"], manifest["rejected"]]


def test_a_stage_has_artifacts_of_its_own(story):
    runs = found(story.api, "flow_runs", flow_runs={"name": {"any_": [f"verify {MENDED}"]}}, sort="START_TIME_DESC")
    keys = {row["key"] for row in found(story.api, "artifacts", flow_runs={"id": {"any_": [runs[0]["id"]]}})}
    assert keys == {"verify-funnel", "triplets-progress"}


def test_no_page_stumbled_over_what_it_was_given(browser):
    assert browser.faults == []
