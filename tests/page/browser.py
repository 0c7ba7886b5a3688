"""Debian's Chromium, led by playwright: one browser for a module, and what a page asked for or complained of."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest


def chromium() -> str | None:
    """The path of the browser."""
    return next(filter(None, map(which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def launched() -> Generator[Any]:
    """A browser. Skips where there is none, or no playwright to lead it."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright, which leads the browser, is not installed"
    )
    path = chromium()
    if path is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page in a tab, with what it asked the network for and what the console heard."""

    def __init__(self, browser: Any, file: Path, **settings: Any) -> None:
        self.tab = browser.new_page(**{"viewport": {"width": 1280, "height": 900}, **settings})
        self.tab.set_default_timeout(10_000)
        self.asked: list[str] = []
        self.heard: list[str] = []
        self.tab.on("request", lambda request: self.asked.append(request.url))
        self.tab.on("console", lambda said: self.heard.append(said.text) if said.type in ("error", "warning") else None)
        self.tab.on("pageerror", lambda error: self.heard.append(str(error)))
        self.tab.goto(file.as_uri())
        self.tab.wait_for_selector("html[data-ready]", state="attached")

    def text(self, selector: str) -> str:
        return self.tab.locator(selector).first.inner_text()

    def texts(self, selector: str) -> list[str]:
        return self.tab.locator(selector).all_inner_texts()

    def run(self, script: str) -> Any:
        return self.tab.evaluate(script)
