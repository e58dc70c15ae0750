"""Pages opened in the browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_browser import Open, Opened, watched
from report_parts import some_source

from nas.report import Source, write_page


@pytest.fixture(scope="module")
def window(browser: Any) -> Iterator[Opened]:
    """A window for pages that one test looks at; a new one takes longer than such a test."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield watched(context.new_page())


@pytest.fixture
def show_page(window: Opened, tmp_path: Path) -> Open:
    """Shows the page of some runs in the window, until the next test."""

    def shown(*sources: Source) -> Opened:
        (tmp_path / "shown").mkdir()
        path = write_page(sources, tmp_path / "shown" / "report.html")
        window.errors.clear()
        window.requests.clear()
        return loaded(window, path)

    return shown


def loaded(window: Opened, path: Path) -> Opened:
    """The window, with a page that is ready."""
    window.path = path
    window.page.goto(path.as_uri())
    window.page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
    return window


@pytest.fixture(scope="module")
def open_page(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """Opens the page of some runs; with `size` (width, height) and other options of a browser's context."""
    contexts = []

    def opened(*sources: Source, size: tuple[int, int] = (1280, 900), **context: Any) -> Opened:
        path = write_page(sources, tmp_path_factory.mktemp("page") / "report.html")
        made = browser.new_context(viewport={"width": size[0], "height": size[1]}, **context)
        contexts.append(made)
        return loaded(watched(made.new_page()), path)

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def plain_page(open_page: Open) -> Opened:
    """The page of a run without anything optional; no test changes it."""
    return open_page(some_source())
