"""The report in headless Chromium: of a run by the demo teacher, and of one whose texts want to be markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Browser

from flows.report import report_of
from tasks.kpis.reading import kpis_of
from tasks.models import UNPROVEN, Verdict
from tasks.store import Store
from tests.chromium import Opened, running_chromium
from tests.flows.story import found
from tests.kpis.runs import ALL, finished
from tests.processes import UNCHECKED, sets
from tests.reporting.drawn import data_of, marks_of, show
from tests.reporting.runs import HOSTILE, hostile_report, tried

RUN = "small"
QUICK: dict[str, object] = {
    "run": RUN,
    "shard_size": 5,
    "only": "[Prefill,Leetcode]",
    "subsets__Prefill__count": 9,
    "subsets__Leetcode__count": 8,
    "verification__attempts": 2,
    **UNCHECKED,
    "report": "true",
}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as started:
        yield started


@pytest.fixture(scope="module")
def run(chromium, kodforge, tmp_path_factory) -> Path:
    """The folder of a run that a build has finished."""
    store = tmp_path_factory.mktemp("reported")
    done = kodforge("run", *sets(**QUICK, store=store))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return store / RUN


@pytest.fixture(scope="module")
def hostile(chromium, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "report.html").write_bytes(hostile_report(folder))
    return folder


@pytest.fixture
def opened(chromium):
    pages = []

    def open_(folder: Path, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Opened:
        page = chromium.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        pages.append(page)
        made = Opened(page)
        if scripts:
            show(page, folder / "report.html")
        else:
            page.goto((folder / "report.html").as_uri())
        return made

    yield open_
    for page in pages:
        page.close()


def table_of(run: Path, stage: str, columns: list[str] | None = None) -> pd.DataFrame:
    files = sorted((run / stage).glob("part-*.parquet"))
    return pd.concat([pd.read_parquet(file, columns=columns) for file in files], ignore_index=True)


def rejects_of(run: Path, stage: str) -> pd.DataFrame:
    return table_of(run, f"{stage}/rejects")


def test_every_chart_is_drawn_and_nothing_but_the_file_is_asked_for(run, opened):
    shown = opened(run)
    assert shown.asked == [(run / "report.html").as_uri()]
    assert shown.said == []
    names = shown.page.evaluate("[...document.querySelectorAll('script[data-chart]')].map(one => one.dataset.chart)")
    expected = {"funnel", "reasons", "passes", "difficulty", "verdicts", "distribution-tests", "tokens", "times"}
    assert expected | {"map", "licences"} <= set(names)
    for name in names:
        chart = shown.page.locator(f"#chart-{name} svg")
        assert chart.count() == 1, name
        assert shown.page.locator(f"#chart-{name}[aria-label]").get_attribute("role") == "graphics-document", name
        assert shown.page.locator(f"#chart-{name} .role-mark path").count() > 0, name


def test_the_funnel_has_the_rows_of_the_files(run, opened):
    page = opened(run).page
    drawn = {(row["stage"], row["outcome"]): row["rows"] for row in data_of(page, "funnel")}
    for stage in ("questions", "attempts", "triplets", "curated"):
        assert drawn[stage, "goes on"] == len(table_of(run, stage)), stage
        assert drawn[stage, "rejected"] == len(rejects_of(run, stage)), stage
    marks = {(one["stage"], one["outcome"]): int(one["rows"].replace(",", "")) for one in marks_of(page, "funnel")}
    assert marks["curated", "goes on"] == drawn["curated", "goes on"]
    reasons = {(row["stage"], row["reason"]): row["rows"] for row in data_of(page, "reasons")}
    for stage in {stage for stage, _ in reasons}:
        counted = rejects_of(run, stage)["reason"].value_counts().to_dict()
        assert counted == {reason: rows for (one, reason), rows in reasons.items() if one == stage}


def test_difficulty_verdicts_and_tests_are_those_of_the_files(run, opened):
    page = opened(run).page
    triplets = table_of(run, "triplets", ["subset", "gpt_difficulty", "lineage"])
    failed = rejects_of(run, "triplets")
    failed["gpt_difficulty"] = ["unproven" if reason in UNPROVEN else "fail" for reason in failed["reason"]]
    counted = pd.concat([triplets, failed]).groupby(["subset", "gpt_difficulty"]).size().to_dict()
    own = [row for row in data_of(page, "difficulty") if row["whose"] == "this run"]
    assert {(row["subset"], row["difficulty"]): row["questions"] for row in own if row["questions"]} == counted
    for subset in {subset for subset, _ in counted}:
        assert sum(row["share"] for row in own if row["subset"] == subset) == pytest.approx(1)

    verdicts = table_of(run, "verdicts", ["question_id", "pair"])
    verdicts["subset"] = verdicts["question_id"].str.rsplit("_", n=2).str[0]
    verdicts["verdict"] = [pair["verdict"] for pair in verdicts["pair"]]
    by_verdict = verdicts.groupby(["subset", "verdict"]).size().to_dict()
    drawn = {(row["subset"], row["verdict"]): row["attempts"] for row in data_of(page, "verdicts")}
    assert {place: count for place, count in drawn.items() if count} == by_verdict

    tests = pd.Series([len(lineage["tests_passed"]) for lineage in triplets["lineage"]]).value_counts().to_dict()
    assert {row["low"]: row["rows"] for row in data_of(page, "distribution-tests") if row["rows"]} == tests


def test_pass_at_1_is_the_mean_share_of_attempts_that_pass(run, opened):
    page = opened(run).page
    verdicts = table_of(run, "verdicts", ["question_id", "pair"])
    passed = [pair["verdict"] == "passed" for pair in verdicts["pair"]]
    judged = pd.DataFrame({"question": verdicts["question_id"], "passed": passed})
    lost = [row.partition("/")[0] for row in rejects_of(run, "attempts")["id"]]
    every = pd.concat([judged, pd.DataFrame({"question": lost, "passed": False})])
    (drawn,) = [row for row in data_of(page, "passes") if row["subset"] == "all" and row["k"] == 1]
    assert drawn["value"] == pytest.approx(every.groupby("question")["passed"].mean().mean())
    assert drawn["questions"] == every["question"].nunique()


def test_where_the_time_went_is_what_the_tasks_told(run, opened):
    page = opened(run).page
    drawn = data_of(page, "times")
    assert {"teachers", "sandbox", "own work"} == {row["spent"] for row in drawn}
    assert sum(row["seconds"] for row in drawn if row["spent"] == "sandbox") > 0
    assert "server was away" not in page.inner_text("#time")


def test_the_page_of_the_flow_run_says_where_the_report_is(run, prefect_server):
    with prefect_server.api() as api:
        links = found(api, "artifacts", artifacts={"key": {"any_": ["links"]}})
    (data,) = [one["data"] for one in links if str(run) in one["data"]]
    assert f"report: `{run}/report.html`" in data
    assert f"numbers to decide on: `{run}/kpis.json`" in data


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_colour_schemes_can_be_read(run, opened, scheme):
    page = opened(run, scheme=scheme).page
    colours = page.evaluate(
        """() => {
          const texts = [...document.querySelectorAll('.chart svg text')].map(one => getComputedStyle(one).fill);
          const said = [...document.querySelectorAll('p, h2, summary, td, th, dd, figcaption, a, code')];
          const inks = said.map(one => getComputedStyle(one).color);
          return {paper: getComputedStyle(document.body).backgroundColor, inks: [...new Set([...texts, ...inks])]};
        }"""
    )
    assert (luminance(colours["paper"]) > 0.5) == (scheme == "light")
    for ink in colours["inks"]:
        assert contrast(ink, colours["paper"]) >= 4.5, ink


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_a_phone_need_not_be_scrolled_sideways(run, opened):
    page = opened(run, width=390).page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for chart in page.locator(".chart svg").all():
        box = chart.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390


def test_the_map_is_coloured_by_the_keyboard(run, opened):
    page = opened(run).page
    legend = page.locator("#chart-map .role-legend-label text")
    assert set(legend.all_text_contents()) == {"Prefill", "Leetcode"}
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "colouring":
            break
    else:
        raise AssertionError("the choice is not reached by Tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "[...document.querySelectorAll('#chart-map .role-legend-label text')].some(one => one.textContent === 'easy')"
    )
    assert set(legend.all_text_contents()) <= {"easy", "medium", "hard"}
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("document.querySelector('#chart-map .role-legend').textContent.includes('Prefill')")


def test_on_paper_everything_is_unfolded(run, opened):
    page = opened(run).page
    folded = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(folded)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert before > 10 and page.evaluate(folded) == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(folded) == before


def test_on_paper_nothing_runs_off_the_page(opened, tmp_path):
    """With every verdict in one table, and twenty runs in another."""
    store = Store(str(tmp_path))
    for number in range(20):
        name = f"pilot-2026-11-{number:02d}"
        store.write(kpis_of(finished(tmp_path, name)).model_dump_json().encode(), name, "kpis.json")
    made = finished(tmp_path, "pilot-2026-12-01")
    tried(made, {ALL[0]: list(Verdict)})
    (tmp_path / "report.html").write_bytes(report_of(made))
    page = opened(tmp_path, width=718).page  # of A4 without margins
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".broad").count() >= 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 718


def test_without_scripts_the_tables_have_the_numbers(run, opened):
    page = opened(run, scripts=False).page
    assert page.get_by_text("Charts need JavaScript").is_visible()
    row = page.locator("#funnel table").first.locator("tr", has_text="curated")
    assert f"{len(table_of(run, 'curated')):,}" in (row.text_content() or "")


def test_markup_in_texts_is_shown_and_does_nothing(hostile, opened):
    shown = opened(hostile)
    page = shown.page
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert page.locator("#samples pre").first.text_content() == HOSTILE
    assert HOSTILE.split("\u2028")[0].strip()[:20] in page.locator("#chart-licences svg").text_content()
    page.locator("#map").scroll_into_view_if_needed()
    page.locator("#chart-map .role-mark path").first.hover(force=True)
    tooltip = page.locator("#vg-tooltip-element")
    tooltip.wait_for()
    assert "<script>alert(1)</script>" in tooltip.inner_text()
    assert page.locator("img").count() == 0
    assert shown.said == [] and len(shown.asked) == 1


def test_a_script_that_slips_in_is_not_run(hostile, opened, tmp_path):
    page = (hostile / "report.html").read_text().replace("<main>", "<main><script>alert(3)</script>", 1)
    (tmp_path / "report.html").write_text(page)
    shown = opened(tmp_path)
    assert not any("dialog" in one for one in shown.said)
    assert any("Content Security Policy" in one for one in shown.said)
