"""A browser without a window, and pages opened in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from nas.report import Source, write_page


@dataclass
class Opened:
    """A page in the browser, with what it complained of and what it asked other places for."""

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
            "(() => { const t = document.getElementById('chart').data.at(-1); return {x: [...t.x], y: [...t.y]}; })()"
        )
        return found


Open = Callable[..., Opened]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium or Chrome as installed on this machine; tests skip where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed; it comes with the extra 'dev'"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no browser: none of chromium, chromium-browser, google-chrome, chrome is on the path")
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def open_page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Opens the page of some runs; with `size` (width, height) and whatever a browser's context takes."""
    contexts = []

    def opened(*sources: Source, size: tuple[int, int] = (1280, 900), **context: Any) -> Opened:
        path = write_page(sources, tmp_path_factory.mktemp("page") / "report.html")
        made = browser.new_context(viewport={"width": size[0], "height": size[1]}, **context)
        contexts.append(made)
        page = made.new_page()
        found = Opened(page, path)
        page.on("console", lambda m: found.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: found.errors.append(str(error)))
        page.on("request", lambda r: found.requests.append(r.url))
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        return found

    yield opened
    for context in contexts:
        context.close()
