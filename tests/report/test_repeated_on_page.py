"""The section on repeated measurements in a real browser, and its absence without them."""

from __future__ import annotations

from pathlib import Path

from report_browser import Open, Opened
from report_parts import NASTY, some_source

from nas.runs.repeated import FILE


def test_each_repeated_measurement_is_a_row(show_page: Open, tmp_path: Path) -> None:
    header = "architecture,objective,unit,measurements,first,median,least,largest\n"
    quoted = '"' + NASTY.replace('"', '""') + '"'
    (tmp_path / FILE).write_text(f"{header}{quoted},latency,ms,3,1.25,1.5,1.25,2\n", encoding="utf-8")
    opened = show_page(some_source(folder=str(tmp_path)))
    assert opened.errors == []
    assert "Repeated measurements" in opened.text("#contents")
    cells = opened.page.locator("#repeated-list tbody tr").locator("th, td").all_inner_texts()
    assert cells == [NASTY, "latency", "3", "1.25 ms", "1.50 ms", "1.25 to 2 ms"]
    assert opened.page.evaluate("window.hacked") is None


def test_a_run_without_the_file_has_no_such_section(plain_page: Opened) -> None:
    assert plain_page.errors == []
    assert "Repeated measurements" not in plain_page.text("#contents")
