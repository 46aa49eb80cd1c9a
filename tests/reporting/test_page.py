"""The page: self-contained, the same each time, and text stays text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from flows.report import FILE, TIMES, kept_times, report_of, show_report, trend_of
from tasks.errors import BadInput
from tasks.kpis.reading import kpis_of
from tasks.reporting.charts import OF_DIFFICULTY, PALETTE
from tasks.reporting.figures import TaskTime, Times, figures_of
from tasks.reporting.page import PAPERS, cell, embedded, render
from tasks.reporting.questions_map import MOST_POINTS, Point, QuestionsMap
from tasks.reporting.samples import samples_of
from tasks.store import Store
from tasks.teachers.usage import Usage
from tests.kpis.runs import ALL, finished, made_row
from tests.reporting.runs import HOSTILE, hostile_report, hostile_run


class Page(HTMLParser):
    """What a browser would make of a page: its elements, its scripts, its texts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.texts: list[str] = []
        self.within_script = False
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.within_script = tag == "script"
        if self.within_script:
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        self.within_script = False

    def handle_data(self, data: str) -> None:
        if self.within_script:
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        self.texts.append(data)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return hostile_report(tmp_path_factory.mktemp("hostile"))


def test_no_text_becomes_markup(hostile):
    page = Page(hostile)
    assert not [tag for tag, _ in page.elements if tag in ("img", "iframe", "object", "embed", "form", "base")]
    assert not [attrs for _, attrs in page.elements if any(name.startswith("on") for name in attrs)]
    run_by_browsers = [text for attrs, text in page.scripts if attrs.get("type") != "application/json"]
    assert len(run_by_browsers) == 2
    assert "".join(page.texts).count(HOSTILE) > 3


def test_data_in_scripts_is_json_without_markup_and_comes_back_whole(hostile):
    data = {attrs["data-chart"]: text for attrs, text in Page(hostile).scripts if "data-chart" in attrs}
    assert {"funnel", "difficulty", "map", "licences"} <= set(data)
    for text in data.values():
        assert not set("<>&\u2028") & set(text)
    licences = json.loads(data["licences"])["data"]["values"]
    assert licences == [{"licence": HOSTILE, "rows": 2}]


def test_the_policy_runs_these_scripts_and_fetches_nothing(hostile):
    page = Page(hostile)
    told = next(attrs["content"] for _, attrs in page.elements if attrs.get("http-equiv"))
    policy = dict(part.split(" ", 1) for part in told.split("; "))
    assert policy["default-src"] == policy["form-action"] == policy["base-uri"] == "'none'"
    assert policy["img-src"] == "data:"
    assert set(policy) == {"default-src", "script-src", "style-src", "img-src", "base-uri", "form-action"}
    own = [text for attrs, text in page.scripts if attrs.get("type") != "application/json"]
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in own]
    assert policy["script-src"] == " ".join(f"'sha256-{one}'" for one in hashes)


def test_nothing_is_referred_to_outside_of_the_file(hostile):
    for tag, attrs in Page(hostile).elements:
        for name in ("src", "href", "srcset", "action", "data"):
            place = attrs.get(name) or ""
            assert place == "data:," or place.startswith("#") or not place, (tag, place)
    style = re.search(rb"<style>(.*?)</style>", hostile, re.DOTALL)
    assert style and b"url(" not in style[1] and b"@import" not in style[1]


def test_equal_runs_have_equal_reports(tmp_path):
    first, second = (report_of(hostile_run(tmp_path / name)) for name in ("a", "b"))
    hours = rb"<tr><th scope=\"row\">From the first shard to the last</th>.*?</tr>"
    assert re.sub(hours, b"", first) == re.sub(hours, b"", second)


def test_a_large_run_has_a_small_report(tmp_path):
    run = finished(tmp_path)
    figures = figures_of(run, kpis_of(run))
    points = [
        Point(0.123, -0.123, f"Data_Structure_{number:08d}_I", "Data_Structure", "medium", "w" * 90)
        for number in range(MOST_POINTS)
    ]
    page = render(figures, QuestionsMap(points, 447_000, "meaning", 0.1), samples_of(run))
    assert len(page) < 4_000_000
    assert b"5,000 of 447,000 verified questions are drawn" in page


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("colour", [*PALETTE, *OF_DIFFICULTY.values()])
def test_marks_stand_out_from_the_paper(colour, paper):
    dark, light = sorted((luminance(colour), luminance(paper)))
    assert (light + 0.05) / (dark + 0.05) >= 3  # WCAG 2.2, 1.4.11


def test_every_chart_has_a_description_and_a_table_with_its_numbers(hostile):
    text = hostile.decode()
    specs = [json.loads(one) for one in re.findall(r'data-chart="[^"]*">(.*?)</script>', text)]
    assert len(specs) >= 9
    assert all(spec["description"] for spec in specs)
    for section in text.split("<section ")[1:]:
        assert "<figure>" not in section or "<table>" in section


def test_trends_are_those_of_the_runs_before_this_one_in_the_order_in_which_they_ended(tmp_path):
    store = Store(str(tmp_path))
    numbers = {}
    for name in ("zebra", "ant", "last"):
        run = finished(tmp_path, name)
        numbers[name] = kpis_of(run)
        store.write(numbers[name].model_dump_json().encode(), name, "kpis.json")
    store.write(b"{}", "of-another-version", "kpis.json")
    assert [one.run for one in trend_of(store, numbers["last"])] == ["zebra", "ant", "last"]
    assert [one.run for one in trend_of(store, numbers["ant"])] == ["zebra", "ant"]
    page = report_of(finished(tmp_path, "last")).decode()
    assert "Since run ant" in page
    trend = json.loads(re.search(r'data-chart="trend-yield">(.*?)</script>', page)[1])
    (data,) = [part for part in [trend.get("data")] if part]
    assert [(row["run"], row["value"]) for row in data["values"]] == [("zebra", 0.5), ("ant", 0.5), ("last", 0.5)]


def test_times_are_told_or_that_nobody_knows_them(tmp_path):
    run = finished(tmp_path)
    assert "server was away" in report_of(run).decode().replace("&#39;", "'")
    task = TaskTime(task="execute", runs=1, reused=0, retries=2, failed=0, teacher=0, sandbox=41.5, own=1)
    run.store.write(Times(builds={"x": [task]}).model_dump_json().encode(), "r", TIMES)
    assert kept_times(run).tasks == [task]
    page = report_of(run).decode()
    assert "server was away" not in page and ">41.5</td>" in page
    run.store.write(b"[]", "r", TIMES)
    assert kept_times(run) is None


def test_the_command_writes_into_the_folder_of_each_run_or_into_a_file(tmp_path):
    runs = [finished(tmp_path / "store", name) for name in ("one", "two")]
    show_report(runs[0].config, ["one", "two"], None, Console(quiet=True))
    for run in runs:
        assert (tmp_path / "store" / run.config.run / FILE).read_bytes() == report_of(run)
    show_report(runs[0].config, [], tmp_path / "mine.html", Console(quiet=True))
    assert (tmp_path / "mine.html").read_bytes() == report_of(runs[0])
    with pytest.raises(BadInput, match="takes the report of one run, got 2: one, two"):
        show_report(runs[0].config, ["one", "two"], tmp_path / "mine.html", Console(quiet=True))
    with pytest.raises(BadInput, match="has no finished stage"):
        show_report(runs[0].config, ["three"], None, Console(quiet=True))


def table_of(page: str, title: str) -> list[list[str]]:
    """The cells of a table of the page, row by row, without its head."""
    found = re.search(rf"<summary>{re.escape(title)} .*?</details>", page, re.DOTALL)
    assert found, title
    rows = re.findall(r"<tr>(.*?)</tr>", found[0], re.DOTALL)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows if "<td" in row]


def test_what_is_released_is_told_by_subset_and_style(tmp_path):
    page = report_of(finished(tmp_path)).decode()
    by_subset = table_of(page, "Released rows by subset")
    assert by_subset[-1][0] == "all"
    released = int(re.search(r"<dt>Released rows, all styles</dt><dd>(\d+)</dd>", page)[1])
    assert int(by_subset[-1][-1]) == sum(int(row[-1]) for row in by_subset[:-1]) == released
    assert sum(int(row[1]) for row in table_of(page, "Released rows by style")) == released


def test_cost_is_told_by_stage_and_unknown_where_a_part_of_it_is(tmp_path):
    run = finished(tmp_path)
    row = Usage("attempts", "Docs", calls=3, prompt_tokens=30, completion_tokens=60, usd=1.5)
    rows = [row, replace(row, subset="Taco", usd=None), replace(row, stage="questions", subset="Docs")]
    figures = figures_of(run, kpis_of(run))
    figures = replace(figures, usage=replace(figures.usage, rows=rows, total=replace(row, calls=9, usd=None)))
    page = render(figures, QuestionsMap([], 0, "words", 0.0), samples_of(run)).decode()
    assert table_of(page, "By stage") == [
        ["attempts", "6", "60", "120", "unknown", "unknown"],
        ["questions", "3", "30", "60", "$1.50", "$0.7500"],
        ["all", "9", "30", "60", "unknown", "unknown"],
    ]


def test_many_tests_stand_in_one_bar_that_says_so(tmp_path):
    names = [f"test_{number}" for number in range(45)]
    lineage = {"lineage": made_row(ALL[0], {}).lineage.model_copy(update={"tests_passed": names})}
    page = report_of(finished(tmp_path, rows={ALL[0]: lineage})).decode()
    spec = json.loads(re.search(r'data-chart="distribution-tests">(.*?)</script>', page)[1])
    assert "The last bar stands for 20 and more." in spec["description"]
    assert next(one for one in spec["data"]["values"] if one["low"] == 20)["value"] == "20 and more"


def test_pages_do_not_depend_on_what_was_drawn_before(tmp_path):
    run = finished(tmp_path)
    figures, found = figures_of(run, kpis_of(run)), QuestionsMap([], 0, "words", 0.0)
    first = render(figures, found, samples_of(run))
    assert render(replace(figures, run=figures.run), found, samples_of(run)) == first
    assert asdict(found)["points"] == [] and ALL[0].encode() in first


def test_cells_and_embedded_values():
    assert [cell(one) for one in (None, 1234, 0.5, "x")] == ["", "1,234", "0.5", "x"]
    assert [cell(one) for one in (999.5, 1234567.8, 45000000.0)] == ["999.5", "1,234,567.8", "45,000,000.0"]
    assert str(embedded({"a": "<&>"})) == '{"a":"\\u003c\\u0026\\u003e"}'
