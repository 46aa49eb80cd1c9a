"""What a page of the report has drawn, and from what numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page


def show(page: Page, report: Path) -> None:
    """Open a report from disk, until its charts are drawn."""
    page.goto(report.as_uri())
    page.wait_for_selector("html[data-drawn=yes]", timeout=60_000)


def data_of(page: Page, chart: str) -> list[dict[str, Any]]:
    """The rows behind a chart."""
    spec = json.loads(page.locator(f"script[data-chart={chart}]").text_content() or "")
    values: list[dict[str, Any]] = spec["data"]["values"]
    return values


def marks_of(page: Page, chart: str) -> list[dict[str, str]]:
    """What the marks that were drawn say of themselves."""
    marks = page.locator(f"#chart-{chart} .role-mark path[aria-label]").all()
    return [dict(part.split(": ", 1) for part in str(one.get_attribute("aria-label")).split("; ")) for one in marks]
