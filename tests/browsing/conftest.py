"""A real browser, and pages that are opened in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.chromium import Opened, running_chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as started:
        yield started


@pytest.fixture
def opened(chromium):
    contexts = []

    def open_(address: str, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Opened:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        made = Opened(context.new_page())
        made.page.goto(address)
        if scripts:
            made.page.wait_for_selector("html[data-ready=yes]")
        return made

    yield open_
    for context in contexts:
        context.close()
