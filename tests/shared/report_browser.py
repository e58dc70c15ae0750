"""A page that is open in a browser, as tests see it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

FLAGS = ["--no-sandbox", "--disable-gpu", "--in-process-gpu", "--disable-software-rasterizer"]


@contextmanager
def launched() -> Iterator[Any]:
    """Chromium or Chrome as installed on this machine; skips the test where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; it comes with the extra 'dev'"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no browser: none of chromium, chromium-browser, google-chrome, chrome is on the path")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page in the browser, with its errors and its requests to other hosts."""

    page: Any
    path: Path
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """The visible text of an element."""
        return str(self.page.locator(selector).inner_text())

    def until(self, condition: str) -> None:
        """Wait for a condition in JavaScript; playwright's own way is refused by the page's policy."""
        for _ in range(200):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"never true: {condition}")

    def column(self, name: str) -> list[str]:
        """The cells of the table under a heading, on the page of it that is shown."""
        names = [text.split("\n")[0].strip(" ▲▼") for text in self.page.locator("#grid th").all_inner_texts()]
        place = names.index(name) + 1
        return [t.strip() for t in self.page.locator(f"#grid tbody td:nth-child({place})").all_inner_texts()]

    def sort_by(self, name: str) -> None:
        """Press the heading of a column."""
        self.page.locator("#grid th button", has_text=name).click()

    def chosen(self) -> int | None:
        """The row that the table marks as chosen."""
        found = self.page.locator('#grid tr[aria-selected="true"]')
        return int(found.get_attribute("data-row")) if found.count() else None

    def ringed(self) -> dict[str, list[float | None]]:
        """Where the chart has its ring."""
        found: dict[str, list[float | None]] = self.page.evaluate(
            "(() => { const t = document.getElementById('chart').chart.traces.at(-1); return {x: [...t.x], y: [...t.y]}; })()"
        )
        return found


Open = Callable[..., Opened]


def watched(page: Any) -> Opened:
    """A page with its errors and requests from now on."""
    found = Opened(page, Path())
    page.on("console", lambda m: found.errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    page.on("request", lambda r: found.requests.append(r.url))
    return found
