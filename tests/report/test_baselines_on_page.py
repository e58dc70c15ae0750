"""Baselines on the page in a real browser, and in the plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from report_browser import Open, Opened
from report_parts import NASTY, some_source

from nas.core.tables import csv_text
from nas.report.plots_baselines import baselines_figure, pair_of
from nas.runs.baselines import FILE, Baseline, as_table

ROWS = [
    Baseline("mobilenet_v2@0.5", values={"error": 99.0, "params": 5e8, "madds": 5e10}),
    Baseline(NASTY, changed="epochs=20", values={"error": 1.0, "params": 900.0, "madds": 9000.0}),
    Baseline("vgg16", "invalid", "does not fit the data"),
]


def test_the_page_has_a_table_the_answer_and_marks_in_the_chart(show_page: Open, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(csv_text(as_table(ROWS)), encoding="utf-8")
    opened = show_page(some_source(folder=str(tmp_path)))
    assert "Baselines" in opened.text("#contents")
    assert "The front dominates 1 of 2 baselines." in opened.text("#baselines-list")
    lines = opened.page.locator("#baselines-list tbody tr").all_inner_texts()
    assert lines[0].startswith("mobilenet_v2@0.5\t99\t500,000,000\t")
    assert "dominated by" in lines[0]
    assert lines[1].startswith(f"{NASTY} (epochs=20)")
    assert "not dominated, dominates" in lines[1]
    assert lines[2].endswith("not trained: does not fit the data")
    assert "baselines, dominated" in opened.text("#legend")
    marks: Any = opened.page.evaluate(
        "document.getElementById('chart').chart.traces.filter((t) => t.title?.startsWith('baselines')).map((t) => [t.x, t.y, t.marker.symbol])"
    )
    assert marks == [[[99], [5e8], "diamond-open"], [[1], [900], "diamond"]]
    seen = opened.page.evaluate("document.getElementById('chart').chart.points.filter((p) => p.said).length")
    assert seen == 2  # within the axes
    at = opened.page.evaluate(
        "(() => { const c = document.getElementById('chart').chart; const p = c.points.find((q) => q.said);"
        " const b = c.canvas.getBoundingClientRect(); return [p.x + b.left, p.y + b.top]; })()"
    )
    opened.page.mouse.move(*at)
    assert "mobilenet_v2@0.5" in opened.text("#tip")
    opened.page.locator("#axes label", has_text="baselines").locator("input").uncheck()
    assert "baselines, dominated" not in opened.text("#legend")
    assert opened.errors == []
    assert opened.page.evaluate("window.hacked") is None


def test_a_run_without_baselines_has_neither_section_nor_control(plain_page: Opened) -> None:
    assert "Baselines" not in plain_page.text("#contents")
    assert plain_page.page.locator("#axes label", has_text="baselines").count() == 0
    assert plain_page.errors == []


def test_the_plot_has_the_marks_within_its_axes_and_their_names() -> None:
    table = some_source().table
    figure = baselines_figure(table, ROWS)
    ax: Any = figure.axes[0]
    named = {
        c.get_label(): np.asarray(c.get_offsets())
        for c in ax.collections
        if "baselines" in str(c.get_label())
    }
    np.testing.assert_allclose(named["baselines, dominated"], [[99.0, 5e8]])
    np.testing.assert_allclose(named["baselines, not dominated"], [[1.0, 900.0]])
    assert [text.get_text() for text in ax.texts] == ["mobilenet_v2@0.5", f"{NASTY} (epochs=20)"]
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert left <= 1.0
    assert right >= 99.0
    assert low <= 900.0
    assert high >= 5e8


def test_the_pair_is_of_the_first_objectives_that_baselines_have() -> None:
    table = some_source().table
    assert pair_of(table, ROWS) == (0, 1)
    assert pair_of(table, [Baseline("a", values={"error": 1.0, "madds": 2.0})]) == (0, 2)
    assert pair_of(table, [Baseline("a", values={"error": 1.0})]) is None
    assert pair_of(table, ROWS[2:]) is None
