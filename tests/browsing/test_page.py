"""What the page does by itself, in headless Chromium: changes that come in, keys that are held, answers that fail."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tasks.artifacts import Outcome
from tasks.browsing.search import PAGE
from tasks.errors import SandboxUnavailable
from tasks.models import Question
from tasks.run import Run, StageName
from tests.browsing.serving import Served, served
from tests.browsing.test_browser import settled, tick, total, until
from tests.kpis.runs import finished
from tests.labeling.rows import question

NAMES = [f"Docs_{number:08d}_I" for number in range(2 * PAGE)]


@pytest.fixture
def site(tmp_path) -> Iterator[Served]:
    run = finished(tmp_path / "store", questions=NAMES, solved=NAMES, released=NAMES)
    with served(run, tmp_path) as made:
        yield made


def added(run: Run, name: str) -> None:
    """A question that comes in while somebody looks: its stage is under way again."""
    run.store.remove("r", "questions", "manifest.json")
    row = question().model_copy(update={"question_id": name})
    run.stage(StageName.QUESTIONS).run_shard("part-00001", Question, ["k"], lambda: Outcome.of([row]))


def test_rows_that_come_in_leave_the_reader_on_the_page_that_is_read(site, opened):
    page = opened(site.opening).page
    page.locator("#next").click()
    page.wait_for_selector("html[data-ready=yes]")
    first = page.locator("a.row").first.get_attribute("data-id")
    assert first == NAMES[PAGE]
    lost: list[str] = []

    def lose(route) -> None:
        lost.append(route.request.url)
        route.abort()

    page.route("**/rows?*", lose, times=1)
    added(site.desk.run, "Docs_99999999_I")
    until(page, f"document.querySelector('#total').dataset.total == {2 * PAGE + 1}")
    assert len(lost) == 1
    assert page.locator("a.row").first.get_attribute("data-id") == first
    assert "after=" in page.url
    page.locator("a.row").first.click()
    page.wait_for_selector("main.detail")
    page.locator("#back").click()
    assert page.locator("a.row").first.get_attribute("data-id") == first


def test_why_the_progress_cannot_be_told_is_said(site, opened):
    page = opened(site.opening).page
    until(page, "document.querySelector('#live').dataset.looked > 0")
    manifest = json.loads(site.desk.run.store.read("r", "questions", "manifest.json"))
    old = json.dumps({**manifest, "schema_version": "0.0.1"}).encode()
    site.desk.run.store.write(old, "r", "questions", "manifest.json")
    until(page, "document.querySelector('#live-line').textContent.includes('0.0.1')")
    assert "<" not in page.inner_text("#live-line")
    page.context.clear_cookies()
    until(page, "document.querySelector('#live-line').textContent.includes('open its new address')")


def test_why_a_row_is_not_run_again_is_shown_as_text(site, opened, monkeypatch):
    def fail(_: object) -> None:
        raise SandboxUnavailable("<img src=x onerror=alert(1)> is not there")

    monkeypatch.setattr(site.desk.rerunner, "run", fail)
    shown = opened(site.opening)
    page = shown.page
    page.goto(f"{site.url}/row?id={NAMES[0]}")
    page.get_by_role("button", name="Run again in the sandbox").click()
    until(page, "document.querySelector('.rerun-result').textContent.includes('is not there')")
    assert "It was not run" in page.inner_text(".rerun-result >> nth=0")
    assert page.locator("img").count() == 0 and page.locator(".rerun-result > *").count() == 0
    assert not any("dialog" in one for one in shown.said)


def test_a_key_that_is_held_undoes_one_decision(site, opened):
    page = opened(site.opening).page
    page.goto(f"{site.url}/row?id={NAMES[0]}")
    page.wait_for_selector("html[data-ready=yes]")
    for key, name in (("a", "accept"), ("x", "reject")):
        page.keyboard.press(key)
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#review .{name}")
    page.keyboard.down("u")
    page.keyboard.down("u")
    page.wait_for_selector("#review .accept")
    page.keyboard.down("u")
    page.keyboard.up("u")
    page.wait_for_timeout(500)
    assert page.locator("#review .accept").count() == 1


def test_enter_that_ends_a_composition_does_not_send_the_note(site, opened):
    page = opened(site.opening).page
    page.keyboard.press("j")
    page.keyboard.press("x")
    composing = "new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true, cancelable: true})"
    assert page.evaluate(f"document.querySelector('#note').dispatchEvent({composing})")
    assert page.locator("#deciding").is_visible()
    page.keyboard.press("Enter")
    page.wait_for_selector(".review.reject")


def test_a_decision_that_somebody_else_replaced_is_not_undone(site, opened):
    page = opened(site.opening).page
    page.goto(f"{site.url}/row?id={NAMES[0]}")
    page.wait_for_selector("html[data-ready=yes]")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#review .accept")
    with site.client() as client:
        wanted = {"id": NAMES[0], "decision": "reject", "note": "asks for two things"}
        assert client.post("/review", json=wanted, headers=site.writes).status_code == 200
    page.keyboard.press("u")
    until(page, "document.querySelector('#said').textContent.includes('asks for two things')")
    assert "was decided on since this page was loaded" in page.inner_text("#said")


def test_rows_are_no_part_of_the_search_form_and_messages_can_be_heard(site, opened):
    page = opened(site.opening).page
    assert page.locator("[role=search] main").count() == page.locator("form main").count() == 0
    said = "document.querySelector('#said')"
    assert page.evaluate(f"{said}.textContent === '' && getComputedStyle({said}).display !== 'none'")
    assert page.evaluate(f"getComputedStyle({said}).clipPath") == "inset(50%)"
    tick(page, "subset", "Docs")
    assert "subset=Docs" in page.url and total(page) == len(NAMES)
    page.locator("#q").fill("nowhere")
    settled(page)
    assert total(page) == 0 and "subset=Docs" in page.url
