"""Pages opened in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from report_browser import Open, Opened, launched
from report_parts import some_source

from nas.report import Source, write_page


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    """One for all tests of this folder, none of which starts an event loop."""
    with launched() as found:
        yield found


@pytest.fixture(scope="package")
def open_page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Opens the page of some runs; with `size` (width, height) and other options of a browser's context."""
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


@pytest.fixture(scope="package")
def plain_page(open_page: Open) -> Opened:
    """The page of a run without anything optional; no test changes it."""
    return open_page(some_source())
