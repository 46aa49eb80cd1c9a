"""The pages in headless Chromium: of a run by the demo teacher, and of one whose texts want to be markup."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page

from tasks.browsing.search import PAGE
from tests.browsing.serving import Served, hostile_rows, served
from tests.browsing.test_search import many
from tests.kpis.runs import ALL
from tests.processes import ROOT, sets
from tests.reporting.runs import HOSTILE
from tests.reporting.test_browser import QUICK as REPORTED
from tests.reporting.test_browser import RUN, contrast, luminance

QUICK: dict[str, object] = {**REPORTED, "report": "false", "verification__effort__mutants": 5}


@pytest.fixture(scope="module")
def store(chromium, kodforge, tmp_path_factory) -> Path:
    """The store of a run that a build has finished."""
    folder = tmp_path_factory.mktemp("browsed")
    done = kodforge("run", *sets(**QUICK, store=folder))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder


@contextmanager
def command(store: Path, cache: Path, *more: str) -> Iterator[str]:
    """``kodforge browse`` as a user starts it; the address that it prints."""
    arguments = [sys.executable, "-u", "-m", "flows.cli", "browse", *sets(**QUICK, store=store), *more]
    env = {**os.environ, "XDG_CACHE_HOME": str(cache), "COLUMNS": "200"}
    process = subprocess.Popen(
        arguments, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line):
                yield found.group()
                break
        else:
            raise AssertionError("".join(lines))
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


@pytest.fixture(scope="module")
def address(store, tmp_path_factory) -> Iterator[str]:
    with command(store, tmp_path_factory.mktemp("cache"), "--reviewer", "ada") as found:
        yield found


@pytest.fixture(scope="module")
def long(chromium, tmp_path_factory) -> Iterator[Served]:
    """A run whose list has three pages."""
    folder = tmp_path_factory.mktemp("long")
    with served(many(folder / "store", 2 * PAGE + 7), folder) as made:
        yield made


@pytest.fixture(scope="module")
def hostile(chromium, tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("hostile")
    with served(hostile_rows(folder / "store"), folder) as made:
        yield made


def table_of(store: Path, stage: str) -> pd.DataFrame:
    files = sorted((store / RUN / stage).glob("part-*.parquet"))
    return pd.concat([pd.DataFrame(), *(pd.read_parquet(file) for file in files)], ignore_index=True)


def total(page: Page) -> int:
    return int(page.locator("#total").get_attribute("data-total") or "-1")


def counts(page: Page, facet: str) -> dict[str, int]:
    found = {}
    for label in page.locator(f"label:has(input[name={facet}])").all():
        value = label.locator("input").get_attribute("value") or ""
        found[value] = int((label.locator(".count").text_content() or "").replace(",", ""))
    return found


def until(page: Page, condition: str, seconds: float = 30) -> None:
    """Wait for a condition of a page, which does not let Playwright look for it in the page itself."""
    for _ in range(int(seconds * 10)):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(condition)


def settled(page: Page) -> None:
    page.wait_for_timeout(350)
    page.wait_for_selector("#results:not([aria-busy=true])")


def tick(page: Page, facet: str, value: str) -> None:
    page.evaluate("for (const one of document.querySelectorAll('.facet')) one.open = true")
    page.locator(f"input[name={facet}][value='{value}']").click()
    settled(page)


def test_it_loads_without_a_word_and_asks_nobody_else(address, opened):
    shown = opened(address)
    until(shown.page, "document.querySelector('#live').dataset.looked > 0")
    origin = address.split("/?")[0]
    assert shown.page.url == f"{origin}/"
    assert shown.said == []
    assert all(url.startswith(origin) for url in shown.asked)
    shown.page.locator("a.row").first.click()
    shown.page.wait_for_selector("html[data-ready=yes]")
    assert shown.page.locator("h1").count() == 1
    assert shown.said == []


def test_numbers_are_those_of_the_parquet(store, address, opened):
    page = opened(address).page
    curated, converted = table_of(store, "curated"), table_of(store, "converted")
    questions = table_of(store, "questions")
    fates = counts(page, "fate")
    released = len(curated) + len(converted)
    assert sum(fates.get(name, 0) for name in ("train", "use_with_caution", "evaluation")) == released
    placings = table_of(store, "placings")
    held_out = set(placings[placings["split"] == "evaluation"]["question_id"])
    origins = [row["converted_from"] for row in converted["lineage"]] if len(converted) else []
    assert fates.get("evaluation", 0) == sum(one in held_out for one in [*curated["question_id"], *origins])
    rejected = 0
    for stage in ("seeds", "prompts", "questions", "triplets", "curated", "conversions", "retold", "converted"):
        rejected += len(table_of(store, f"{stage}/rejects"))
    assert fates["rejected"] == rejected
    assert total(page) == released + rejected + fates.get("under way", 0)
    triplets = table_of(store, "triplets")
    tick(page, "style", "instruct")
    labelled = triplets["gpt_difficulty"].value_counts().to_dict()
    assert counts(page, "difficulty") == labelled
    assert len(questions) >= len(triplets)


def test_filters_narrow_the_list_and_stay_in_the_address(address, opened):
    page = opened(address).page
    everything = total(page)
    subsets = counts(page, "subset")
    tick(page, "subset", "Leetcode")
    assert total(page) == subsets["Leetcode"] < everything
    assert "subset=Leetcode" in page.url
    page.locator("#q").fill("return")
    settled(page)
    some = total(page)
    assert 0 < some <= subsets["Leetcode"]
    page.reload()
    assert total(page) == some and page.locator("#q").input_value() == "return"
    assert page.locator("input[name=subset][value=Leetcode]").is_checked()
    page.get_by_role("link", name="all rows").click()
    assert total(page) == everything


def test_the_way_back_goes_through_filters(address, opened):
    page = opened(address).page
    everything = total(page)
    tick(page, "subset", "Leetcode")
    leetcode, at_leetcode = total(page), page.url
    page.locator("#sort").select_option("weakest")
    settled(page)
    page.locator("#q").press_sequentially("return", delay=300)
    settled(page)
    page.locator("#q").blur()
    fate = next(iter(counts(page, "fate")))
    tick(page, "fate", fate)
    assert f"fate={fate}" in page.url
    page.go_back()
    settled(page)
    assert "q=return" in page.url and "sort=weakest" in page.url and "fate=" not in page.url
    assert not page.locator(f"input[name=fate][value='{fate}']").is_checked()
    page.go_back()
    settled(page)
    assert page.url == at_leetcode and total(page) == leetcode, "typing and the order were one step"
    assert page.locator("#q").input_value() == "" and page.locator("#sort").input_value() == "id"
    assert page.locator("input[name=subset][value=Leetcode]").is_checked()
    page.go_back()
    settled(page)
    assert total(page) == everything and not page.locator("input[name=subset][value=Leetcode]").is_checked()
    page.go_forward()
    settled(page)
    assert total(page) == leetcode and page.url == at_leetcode
    page.locator("#mutation_below").fill("0.5")
    page.locator("#mutation_below").blur()
    settled(page)
    assert "mutation_below=0.5" in page.url
    page.go_back()
    settled(page)
    assert page.locator("#mutation_below").input_value() == "" and total(page) == leetcode


def test_a_link_within_the_page_does_not_draw_the_list_anew(address, opened):
    page = opened(address).page
    page.evaluate("() => { window.kept = document.querySelector('a.row') }")
    page.evaluate("document.querySelector('.skip').click()")
    page.go_back()
    settled(page)
    assert page.evaluate("kept.isConnected")


def test_a_text_is_found_where_the_parquet_has_it(store, address, opened):
    page = opened(address).page
    triplets = table_of(store, "triplets")
    texts = triplets["question"] + "\n" + triplets["solution"] + "\n" + triplets["test"]
    word = "sorted"
    expected = {name for name, text in zip(triplets["question_id"], texts, strict=True) if word in text.lower()}
    page.locator("#q").fill(word)
    tick(page, "style", "instruct")
    tick(page, "verdict", "passed")
    assert {str(one.get_attribute("data-id")) for one in page.locator("a.row").all()} == expected


def test_a_row_shows_question_solution_tests_attempts_seed_prompt_and_response(store, address, opened):
    page = opened(address).page
    row = table_of(store, "curated").iloc[0]
    page.goto(f"{page.url}row?id={row['question_id']}")
    assert page.locator("pre.question").text_content() == row["question"]
    shown = [one.text_content() for one in page.locator(".pair pre").all()]
    assert shown == [row["solution"], row["test"]]
    attempts = table_of(store, "attempts")
    assert page.locator(".attempt").count() == (attempts["question_id"] == row["question_id"]).sum()
    verdicts = table_of(store, "verdicts")
    kept = verdicts[verdicts["attempt_id"] == row["trials"][row["chosen_trial"] - 1]["file_source"]].iloc[0]
    outcomes = page.locator("section[aria-labelledby=solution] > .tests li").all()
    assert len(outcomes) == len(kept["pair"]["tests"])
    assert row["metadata"]["seed_ids"][0] in page.inner_text("section[aria-labelledby=lineage]")
    page.locator(".call summary").first.click()
    call = page.locator(".call").first
    assert call.locator("pre").count() >= 2 and "as it would be sent now" not in call.inner_text()
    assert len(call.locator("pre.response").inner_text()) > 20
    assert page.locator(".call", has_text="attempt 1").count() == 1


def test_mutants_that_survived_are_those_of_the_audit(store, address, opened):
    page = opened(address).page
    audits = table_of(store, "audits")
    released = set(table_of(store, "curated")["question_id"])
    audit = next(one for _, one in audits.iterrows() if one["question_id"] in released)
    page.goto(f"{page.url}row?id={audit['question_id']}")
    survivors = [one["after"] for one in audit["mutation"]["survivors"]]
    article = page.get_by_role("article", name=f"Attempt {audit['attempt']}", exact=True)
    assert [one.inner_text() for one in article.locator("td:last-child code").all()] == survivors


def test_the_line_that_a_mutant_names_can_be_found(store, address, opened):
    page = opened(address).page
    released = set(table_of(store, "curated")["question_id"])
    audits = [one for _, one in table_of(store, "audits").iterrows() if len(one["mutation"]["survivors"])]
    audit = next(one for one in audits if one["question_id"] in released)
    page.goto(f"{page.url}row?id={audit['question_id']}")
    article = page.get_by_role("article", name=f"Attempt {audit['attempt']}", exact=True)
    program = article.locator("details.code", has_text="solution.py").first
    for mutant in audit["mutation"]["survivors"]:
        line = program.locator(".line").nth(mutant["line"] - 1)
        assert mutant["before"] in str(line.text_content())
    shown = page.evaluate(
        "[...document.querySelectorAll('.pair .line')].map(one => getComputedStyle(one, '::before').content)"
    )
    assert shown and set(shown) == {"counter(line)"}


def test_a_program_is_copied_without_its_numbers(store, address, opened):
    page = opened(address).page
    row = table_of(store, "curated").iloc[0]
    page.goto(f"{page.url}row?id={row['question_id']}")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.pair pre'))")
    assert page.evaluate("String(getSelection())").strip() == row["solution"].strip()


def test_programs_are_printed_whole(store, address, opened):
    page = opened(address).page
    page.goto(f"{page.url}row?id={table_of(store, 'curated').iloc[0]['question_id']}")
    style = "(({maxHeight, overflowX, overflowY}) => [maxHeight, overflowX, overflowY])"
    at = f"{style}(getComputedStyle(document.querySelector('.pair pre')))"
    assert page.evaluate(at) == ["640px", "auto", "auto"]
    page.emulate_media(media="print")
    assert page.evaluate(at) == ["none", "visible", "visible"]
    assert page.evaluate("getComputedStyle(document.querySelector('.attempts')).display") == "block"


def test_the_whole_list_by_the_keyboard(address, opened):
    page = opened(address).page
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    first = page.locator("a.row").first
    assert page.evaluate("document.activeElement.dataset.id") == first.get_attribute("data-id")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("jxa")
    assert page.locator("#q").input_value() == "jxa"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Enter")
    assert not page.locator("#help").is_visible()
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()
    page.locator("#q").fill("")
    settled(page)
    page.locator("#q").blur()
    name = page.locator("a.row").first.get_attribute("data-id")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/row?id={name}*")
    page.wait_for_selector("html[data-ready=yes]")
    following = page.locator("#following").get_attribute("href")
    page.keyboard.press("j")
    page.wait_for_url(f"**{following}")
    page.wait_for_selector("html[data-ready=yes]")
    page.keyboard.press("k")
    page.wait_for_url(f"**/row?id={name}*")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.dataset.id || ''"))


def row_of(number: int) -> str:
    return f"Docs_{number:08d}_I"


def test_the_keyboard_goes_over_the_ends_of_pages_of_the_list(long, opened):
    page = opened(long.opening).page
    page.locator("a.row").last.focus()
    page.keyboard.press("j")
    until(page, f"document.activeElement.dataset.id === '{row_of(PAGE)}'")
    assert "after=" in page.url
    page.keyboard.press("k")
    until(page, f"document.activeElement.dataset.id === '{row_of(PAGE - 1)}'")
    page.locator("a.row").first.focus()
    page.keyboard.press("k")
    assert focused(page) == row_of(0) and "first row" in page.inner_text("#said")
    page.goto(f"{long.url}/?after=|{row_of(2 * PAGE - 1)}")
    page.wait_for_selector("html[data-ready=yes]")
    page.locator("a.row").last.focus()
    page.keyboard.press("j")
    assert focused(page) == row_of(2 * PAGE + 6) and "last row" in page.inner_text("#said")


def test_a_deep_link_to_a_row_has_rows_before_and_after_it(long, opened):
    page = opened(long.opening).page
    page.goto(f"{long.url}/row?id={row_of(PAGE)}")
    page.wait_for_selector("html[data-ready=yes]")
    page.get_by_role("link", name="Previous row").click()
    page.wait_for_url(f"**id={row_of(PAGE - 1)}*")
    page.goto(f"{long.url}/row?id={row_of(0)}")
    page.wait_for_selector("html[data-ready=yes]")
    page.keyboard.press("k")
    assert row_of(0) in page.url and "first row" in page.inner_text("#said")


def test_the_list_is_come_back_to_at_the_row(long, opened):
    page = opened(long.opening).page
    page.goto(f"{long.url}/?sort=weakest")
    page.locator("a.row").nth(PAGE - 1).click()
    page.wait_for_selector("html[data-ready=yes]")
    page.keyboard.press("j")
    page.wait_for_url(f"**id={row_of(PAGE)}*")
    page.wait_for_selector("html[data-ready=yes]")
    page.locator("#back").click()
    page.wait_for_selector("#filters")
    until(page, f"document.activeElement.dataset.id === '{row_of(PAGE)}'")
    assert "sort=weakest" in page.url and "after=" in page.url
    page.goto(f"{long.url}/")
    page.locator("a.row").nth(30).click()
    page.wait_for_selector("main.detail")
    page.go_back()
    page.wait_for_selector("#filters")
    until(page, f"document.activeElement.dataset.id === '{row_of(30)}'")


def test_the_list_stays_while_somebody_writes_a_note(long, opened):
    page = opened(long.opening).page
    until(page, f"{LOOKED} > 0")
    page.keyboard.press("j")
    page.keyboard.press("x")
    page.evaluate("() => { window.kept = document.querySelector('a.row') }")
    long.desk.index.version += 1
    look_again(page)
    page.wait_for_timeout(500)
    assert page.evaluate("kept.isConnected && document.activeElement.id === 'note'")
    page.keyboard.press("Escape")
    assert focused(page) == row_of(0)
    page.evaluate("document.activeElement.blur()")
    look_again(page)
    until(page, "!kept.isConnected")


def test_the_row_that_a_note_was_about_is_focused_in_a_list_drawn_anew(long, opened):
    page = opened(long.opening).page
    page.keyboard.press("j")
    page.keyboard.press("a")
    page.evaluate("() => { const list = document.querySelector('#results'); list.innerHTML += '' }")
    page.keyboard.press("Escape")
    until(page, f"document.activeElement.dataset.id === '{row_of(0)}'")


def test_attempts_by_the_keyboard(store, address, opened):
    page = opened(address).page
    page.goto(f"{page.url}row?id={table_of(store, 'triplets').iloc[0]['question_id']}")
    page.wait_for_selector("html[data-ready=yes]")
    page.keyboard.press("]")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Attempt 1"
    if page.locator(".attempt").count() > 1:
        page.keyboard.press("]")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Attempt 2"
        page.keyboard.press("[")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Attempt 1"


def test_decisions_by_the_keyboard_are_in_the_file(store, address, opened):
    shown = opened(address)
    page = shown.page
    page.keyboard.press("x")
    assert "Choose a row first" in page.inner_text("#said")
    page.keyboard.press("j")
    name = page.evaluate("document.activeElement.dataset.id")
    page.keyboard.press("x")
    page.keyboard.type("not clear")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"a.row[data-id='{name}'] .review.reject")
    assert page.evaluate("document.activeElement.dataset.id") == name
    file = store / RUN / "review.jsonl"
    (line,) = [json.loads(line) for line in file.read_text().splitlines()]
    assert (line["question_id"], line["decision"], line["note"], line["reviewer"]) == (
        name,
        "reject",
        "not clear",
        "ada",
    )
    page.goto(f"{page.url}row?id={name}")
    page.wait_for_selector("html[data-ready=yes]")
    assert "rejected by hand by ada" in page.inner_text("#review")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    page.wait_for_selector("#review .accept")
    page.keyboard.press("u")
    page.wait_for_selector("#review .reject")
    page.keyboard.press("u")
    until(page, "document.querySelector('#review').textContent.includes('Nobody')")
    assert file.read_text() == ""
    with page.expect_download() as download:
        page.get_by_role("link", name="review.jsonl").click()
    assert download.value.suggested_filename == "review.jsonl"
    assert shown.said == []


def test_a_row_is_run_again_from_the_page(store, address, opened):
    page = opened(address).page
    page.goto(f"{page.url}row?id={table_of(store, 'curated').iloc[0]['question_id']}")
    page.get_by_role("button", name="Run again in the sandbox").click()
    result = page.locator("section[aria-labelledby=solution] .rerun-result")
    result.locator(".outcome").first.wait_for(timeout=60_000)
    assert result.locator("strong").inner_text() == "passed"
    assert result.locator(".tests li").count() > 0


def test_the_run_that_has_ended_says_what_came_of_it(store, address, opened):
    page = opened(address).page
    until(page, "document.querySelector('#live').dataset.looked > 0")
    assert "has ended" in page.inner_text("#live-line")
    page.locator("#live summary").click()
    rows = {one.locator("th").inner_text(): one.inner_text() for one in page.locator("#live-stages tr").all()}
    manifest = json.loads((store / RUN / "questions/manifest.json").read_text())
    cells = rows["questions"].split("\t")
    assert [int(cell.replace(",", "")) for cell in cells[-3:]] == [
        manifest[k] for k in ("rows_in", "rows_out", "rejected")
    ]
    every = sum(len(table_of(store, f"{stage.name}/rejects")) for stage in (store / RUN).iterdir() if stage.is_dir())
    assert page.locator("#live-rejects tr").count() == min(20, every)


LOOKED = "Number(document.querySelector('#live').dataset.looked || 0)"


def look_again(page: Page) -> None:
    """Have the page look at the run as it does when its tab is shown again."""
    looked = page.evaluate(LOOKED)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(page, f"{LOOKED} > {looked}")


def test_a_look_that_finds_nothing_changed_leaves_focus_and_selection(address, opened):
    page = opened(address).page
    until(page, f"{LOOKED} > 0")
    page.locator("#live summary").click()
    page.locator("#live-rejects a").first.focus()
    page.evaluate(
        """() => {
          window.kept = [...document.querySelectorAll('#live-stages tr, #live-rejects tr')];
          getSelection().selectAllChildren(document.querySelector('#live-rejects td'));
        }"""
    )
    selected = page.evaluate("String(getSelection())")
    look_again(page)
    assert page.evaluate("kept.length > 1 && kept.every(one => one.isConnected)")
    assert page.evaluate("document.activeElement.matches('#live-rejects a')")
    assert selected and page.evaluate("String(getSelection())") == selected


def test_a_run_that_has_ended_is_looked_at_less_often(address, opened):
    shown = opened(address)
    until(shown.page, f"{LOOKED} > 0")
    shown.page.wait_for_timeout(5000)
    assert shown.page.evaluate(LOOKED) == 1
    look_again(shown.page)


def test_progress_of_a_run_under_way_comes_in_by_itself(chromium, store, opened, tmp_path):
    """Shards that a run commits while somebody looks."""
    copy = tmp_path / "store"
    (copy / RUN).mkdir(parents=True)
    for stage in ("seeds", "prompts"):
        shutil.copytree(store / RUN / stage, copy / RUN / stage)
    with command(copy, tmp_path / "cache") as address:
        shown = opened(address)
        page = shown.page
        until(page, "document.querySelector('#live').dataset.looked > 0")
        before = total(page)
        (copy / RUN / "questions").mkdir()
        for part in sorted((store / RUN / "questions/receipts").glob("*.json"))[:2]:
            content = json.loads(part.read_text())["content"][:12]
            for folder in ("", "rejects"):
                name = f"{folder}/{part.stem}-{content}.parquet".lstrip("/")
                (copy / RUN / "questions" / name).parent.mkdir(exist_ok=True)
                shutil.copy(store / RUN / "questions" / name, copy / RUN / "questions" / name)
            (copy / RUN / "questions/receipts").mkdir(exist_ok=True)
            shutil.copy(part, copy / RUN / "questions/receipts" / part.name)
        until(page, f"document.querySelector('#total').dataset.total > {before}")
        parts = len(list((store / RUN / "prompts/receipts").glob("*.json")))
        assert f"questions 2 of {parts}" in page.inner_text("#live-line")
        assert "under way" in counts(page, "fate")
        assert shown.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes_can_be_read(store, address, opened, scheme):
    page = opened(address, scheme=scheme).page
    row = table_of(store, "curated").iloc[0]["question_id"]
    for path in ("/", f"/row?id={row}"):
        page.goto(address.split("/?")[0] + path)
        found = page.evaluate(
            """() => [...document.querySelectorAll('p, h1, h2, h3, td, th, a, code, span, label, summary, button, li')]
              .filter(one => one.checkVisibility() && one.textContent.trim()).map(one => {
                let paper = one;
                while (paper && /rgba\\(0, 0, 0, 0\\)|transparent/.test(getComputedStyle(paper).backgroundColor)) {
                  paper = paper.parentElement;
                }
                return [getComputedStyle(one).color, getComputedStyle(paper || document.body).backgroundColor,
                        one.className + one.tagName];
              })"""
        )
        papers = {paper for _, paper, _ in found}
        assert all((luminance(paper) > 0.5) == (scheme == "light") for paper in papers)
        for ink, paper, name in {tuple(one) for one in found}:
            assert contrast(ink, paper) >= 4.5, (ink, paper, name)


def test_the_number_of_rows_is_said_after_a_filter(address, opened):
    page = opened(address).page
    tick(page, "subset", "Leetcode")
    assert page.inner_text("#said") == f"{total(page)} rows"
    assert page.locator("#said[role=status]").count() == 1
    look_again(page)
    page.locator("#q").fill("nowhere at all")
    settled(page)
    assert page.inner_text("#said") == "0 rows"


def test_values_headings_and_tables_have_the_names_of_what_they_belong_to(store, address, opened):
    page = opened(address).page
    subsets = page.get_by_role("group", name="Subset", exact=True)
    assert subsets.get_by_role("checkbox").count() == len(counts(page, "subset")) > 1
    assert page.get_by_role("heading", level=1).inner_text() == f"Rows of the run {RUN}"
    assert page.locator("h3, h4").count() == 0, "a level is left out"
    page.locator("#live summary").click()
    assert page.get_by_role("table", name="Newest rejects").count() == 1
    pages = ["/", *(f"/row?id={name}" for name in table_of(store, "audits")["question_id"].head(1))]
    for path in pages:
        page.goto(address.split("/?")[0] + path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        tables = page.locator("table").all()
        assert tables and all(one.locator("caption").text_content() for one in tables)
        boxes = [one.bounding_box() for one in page.locator("caption, h1.hidden").all()]
        assert all(box and box["x"] + box["width"] < 0 for box in boxes), "they are heard and not seen"


def test_keys_of_one_letter_can_be_switched_off_for_good(long, opened):
    page = opened(long.opening).page
    page.keyboard.press("?")
    page.get_by_label("Keys of one letter").uncheck()
    page.keyboard.press("Escape")
    for _ in range(2):
        for key in ("j", "?", "/", "x"):
            page.keyboard.press(key)
        assert focused(page) == "" and page.locator("dialog[open]").count() == 0
        assert page.evaluate("document.activeElement.id") != "q" and page.inner_text("#said") == ""
        page.reload()
        page.wait_for_selector("html[data-ready=yes]")
    page.get_by_role("button", name="Keys").click()
    page.get_by_label("Keys of one letter").check()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert focused(page) == row_of(0)


def test_the_first_row_is_on_the_first_screen_of_a_phone(long, opened):
    page = opened(long.opening, width=390).page
    assert page.locator(".facet[open]").count() == 0
    box = page.locator("a.row").first.bounding_box()
    assert box and box["y"] + box["height"] <= 667
    page.locator(".facet summary", has_text="Subset").click()
    page.locator("input[name=subset]").first.check()
    settled(page)
    assert page.locator(".facet[open] summary").all_inner_texts() == ["Subset"], "as it was before the rows came anew"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    wide = opened(long.opening).page
    assert wide.locator(".facet[open]").count() == 5


def test_a_phone_need_not_be_scrolled_sideways(store, address, opened):
    page = opened(address, width=390).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(f"{page.url}row?id={table_of(store, 'curated').iloc[0]['question_id']}")
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_fields_and_regions_have_names(address, opened):
    page = opened(address).page
    nameless = page.evaluate(
        "[...document.querySelectorAll('input, select, textarea')].filter(one => !one.labels?.length).length"
    )
    assert nameless == 0
    assert page.locator("main").count() == 1 and page.locator("html[lang=en]").count() == 1


def test_without_scripts_rows_are_found_and_read(address, opened):
    page = opened(address, scripts=False).page
    everything = total(page)
    page.locator("#q").fill("return")
    page.get_by_role("button", name="Search").click()
    assert 0 < total(page) < everything
    page.locator("a.row").first.click()
    assert page.locator("pre.question").count() == 1


def test_markup_in_texts_is_shown_and_does_nothing(hostile, opened):
    shown = opened(hostile.opening)
    page = shown.page
    title = page.locator("a.row .title", has_text="alert(1)").first
    assert (title.text_content() or "").startswith(HOSTILE.split("\u2028")[0])
    for name in (*ALL, HOSTILE):
        page.goto(hostile.url)
        page.evaluate("id => { location.href = '/row?' + new URLSearchParams({id}) }", name)
        page.wait_for_selector("main.detail")
        page.wait_for_selector("html[data-ready=yes]")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.locator("img, main script").count() == 0
    page.locator("#back").click()
    page.wait_for_selector("#filters")
    until(page, "document.activeElement.matches('a.row')")
    assert focused(page) == HOSTILE
    page.keyboard.press("Enter")
    page.wait_for_selector("main.detail")
    page.wait_for_selector("html[data-ready=yes]")
    page.keyboard.press("a")
    page.keyboard.type(HOSTILE.replace("\u2028", ""))
    page.keyboard.press("Enter")
    page.wait_for_selector("#review .accept")
    assert "<script>alert(1)</script>" in page.inner_text("#review")
    page.goto(f"{hostile.url}/")
    page.locator("#q").fill("<script>alert(1)")
    settled(page)
    assert total(page) == 3  # the question of the fourth was not verified, and is none of these
    until(page, "document.querySelector('#live').dataset.looked > 0")
    page.locator("#live summary").click()
    assert "<script>alert(1)" in page.inner_text("#live-rejects")
    assert page.locator("img").count() == 0
    assert shown.said == []


def test_a_script_that_slips_in_is_not_run(hostile, opened):
    shown = opened(hostile.opening)
    shown.page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.textContent = 'alert(3)';
          document.body.append(script);
          const markup = '<img src=x onerror="alert(4)"><a id=bad href="javascript:alert(5)">x</a>';
          document.body.insertAdjacentHTML('beforeend', markup);
          document.querySelector('#bad').click();
        }"""
    )
    shown.page.wait_for_timeout(300)
    assert not any("dialog" in one for one in shown.said)
    assert any("Content Security Policy" in one for one in shown.said)


def test_another_page_of_the_same_browser_reads_and_changes_nothing(hostile, opened, tmp_path):
    shown = opened(hostile.opening)
    other = shown.page.context.new_page()
    (tmp_path / "evil.html").write_text("<!DOCTYPE html><title>evil</title>")
    other.goto((tmp_path / "evil.html").as_uri())
    told = other.evaluate(
        """async url => {
          const read = await fetch(url, {credentials: 'include'}).then(one => one.text(), error => 'refused');
          const body = JSON.stringify({id: 'Docs_00000000_I', decision: 'reject'});
          const write = await fetch(url + '/review', {method: 'POST', credentials: 'include', mode: 'no-cors', body})
            .then(one => one.type, error => 'refused');
          return [read, write];
        }""",
        hostile.url,
    )
    assert told[0] == "refused"
    assert "Docs_00000000_I" not in hostile.desk.reviews.decisions()
