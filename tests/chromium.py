"""A real browser without a window."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, sync_playwright


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """The installed Chromium for as long as the block lasts.

    Skips the test where there is none; in CI, which sets KODFORGE_REQUIRE_BROWSER, that is a failure.
    """
    if _program() is None:
        if os.environ.get("KODFORGE_REQUIRE_BROWSER"):
            raise AssertionError("KODFORGE_REQUIRE_BROWSER is set, and there is no chromium")
        pytest.skip("there is no chromium")
    with launched() as started:
        yield started


@contextmanager
def launched() -> Iterator[Browser]:
    """As ``running_chromium``, for programs that are no tests.

    Raises:
        SystemExit: there is none.
    """
    program = _program()
    if program is None:
        raise SystemExit("there is no chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield started
        started.close()


def _program() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Opened:
    """A page, and what it said and asked for since."""

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(f"dialog {dialog.message}"), dialog.dismiss()))
