"""The documentation site: it builds strictly, asks no other host, its links lead somewhere, search works."""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup, Tag
from markdown_it import MarkdownIt

from docs.builder.hooks import led, taken_in
from tests.chromium import running_chromium

ROOT = Path(__file__).resolve().parents[1]
LOADED = {"img": "src", "script": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LOADED |= {"embed": "src", "object": "data", "link": "href"}
"""Elements that make a browser load something, and the attribute that says what."""
ALIKE = ("h2", "h3", "li", "ol", "pre", "table", "tr", "td", "img")
"""Elements that a page has equally many of wherever it is shown."""


def build(folder: Path, config: Path = ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    """Build a site as `make docs` does."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", config, "--site-dir", folder]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


@cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


def elsewhere(html: BeautifulSoup) -> list[str]:
    """What a page makes a browser load from another host."""
    wanted = [str(found[LOADED[found.name]]) for found in html(list(LOADED)) if found.get(LOADED[found.name])]
    wanted += [part.split()[0] for found in html(srcset=True) for part in str(found["srcset"]).split(",")]
    styles = [found.text for found in html("style")] + [str(found["style"]) for found in html(style=True)]
    return [url for url in wanted if urlsplit(url).netloc] + [url for text in styles for url in loaded_by(text)]


def loaded_by(css: str) -> list[str]:
    """What a style sheet loads from another host."""
    urls = re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s;]+)""", css)
    return [url for url in urls if urlsplit(url).netloc]


def test_no_page_loads_anything_from_another_host(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    assert {page: found for page in pages if (found := elsewhere(parsed(page)))} == {}
    sheets = list(site.rglob("*.css"))
    assert sheets
    assert {sheet: found for sheet in sheets if (found := loaded_by(sheet.read_text()))} == {}


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="http://badge.example/x.svg">',
        '<img srcset="x.png 1x, https://images.example/x.png 2x">',
        '<iframe src="https://video.example"></iframe>',
        "<style>@import 'https://fonts.example/css';</style>",
        '<p style="background: url(https://images.example/x.png)"></p>',
    ],
)
def test_what_another_host_would_be_asked_for_is_noticed(html):
    assert len(elsewhere(BeautifulSoup(html, "html.parser"))) == 1
    assert not elsewhere(BeautifulSoup('<a href="https://host/">x</a><img src="images/x.png">', "html.parser"))


def test_every_link_of_the_built_pages_leads_somewhere(site):
    lost = []
    for page in site.rglob("*.html"):
        if page.name == "404.html":  # its links are from the root of a host
            continue
        for found in parsed(page)(["a", "img", "script", "link"]):
            target = urlsplit(str(found.get("href") or found.get("src") or ""))
            if target.scheme or target.netloc or not (target.path or target.fragment):
                continue
            path = Path(os.path.normpath(page.parent / unquote(target.path))) if target.path else page
            if not path.is_file():
                lost.append((page.name, target.geturl()))
            elif target.fragment and not target.fragment.startswith("__") and path.suffix == ".html":
                anchor = unquote(target.fragment)
                if not (parsed(path).find(id=anchor) or parsed(path).find(attrs={"name": anchor})):
                    lost.append((page.name, target.geturl()))
    assert lost == []


@pytest.mark.parametrize(
    "wrong", ["[a page](gone.md)", "[a heading](guide.md#gone)", "![a picture](images/gone.png)", "[a folder](/gone)"]
)
def test_a_link_that_leads_nowhere_stops_the_build(tmp_path, wrong):
    pages = shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (pages / "faq.md").open("a") as page:
        page.write(f"\n{wrong}\n")
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    config |= {"docs_dir": str(pages), "hooks": [str(ROOT / hook) for hook in config["hooks"]]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode != 0
    assert re.search(r"faq.md.*gone", done.stderr)


def pages() -> dict[str, Path]:
    """The pages that are written by hand, by their place in the site."""
    own = {path.relative_to(ROOT / "docs").as_posix(): path for path in (ROOT / "docs").rglob("*.md")}
    return own | taken_in()


@pytest.mark.parametrize("place", sorted(pages()))
def test_a_page_has_the_same_lists_tables_and_blocks_in_the_site_as_in_the_repository(site, place):
    """Python-Markdown, of which the site is made, and CommonMark differ over indents and empty lines."""
    source = pages()[place].read_text()
    built = parsed(site / place.replace("README.md", "index.md").replace(".md", ".html")).find("article")
    assert isinstance(built, Tag)
    repository = BeautifulSoup(MarkdownIt("commonmark").enable("table").render(source), "html.parser")
    counted = [Counter(found.name for found in html(ALIKE)) for html in (repository, built)]
    assert counted[0] == counted[1]


def test_every_page_is_in_the_navigation(site):
    nav = re.findall(r"[\w/-]+\.md", str(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert len(nav) == len(set(nav))
    built = {path.relative_to(site).as_posix() for path in site.rglob("*.html")} - {"404.html"}
    assert {place.replace("README.md", "index.md").replace(".md", ".html") for place in nav} == built


@pytest.mark.parametrize(
    ("place", "link", "in_the_site"),
    [
        ("README.md", "docs/guide.md#resume", "guide.md#resume"),
        ("README.md", "benchmarks/README.md", "benchmarks/README.md"),
        ("README.md", "docs/images/flow-run.png", "images/flow-run.png"),
        ("benchmarks/README.md", "../docs/verification.md#rigour", "../verification.md#rigour"),
        ("teachers.md", "../benchmarks/README.md#teachers", "benchmarks/README.md#teachers"),
        ("how-to/scale.md", "../scaling.md", "../scaling.md"),
        ("how-to/scale.md", "../../README.md", "../README.md"),
        ("teachers.md", "https://host/docs/x.md", "https://host/docs/x.md"),
        ("teachers.md", "#limits", "#limits"),
    ],
)
def test_links_across_the_edge_of_docs_are_led_to_the_place_in_the_site(place, link, in_the_site):
    assert led(f"see [this]({link}).", place) == f"see [this]({in_the_site})."


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site on loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_search_finds_a_setting_and_a_browser_asks_no_other_host(address):
    asked, faults = [], []
    with running_chromium() as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        page.get_by_role("textbox", name="Search").click()
        page.keyboard.type("busy_wait_s")
        page.locator("a.md-search-result__link[href*='reference/configuration']").first.click(timeout=60_000)
        page.wait_for_url("**/reference/configuration.html*")
        page.get_by_text("Seconds to wait where another flow run is writing the same run").first.wait_for()
        for place in ("architecture.html", "reference/commands.html", "dashboard.html"):
            page.goto(posixpath.join(address, place))
            page.wait_for_load_state("networkidle")
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert len(asked) > 10
    assert faults == []
