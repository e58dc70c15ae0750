"""The section on inherited errors in a real browser: of one run, of several, and absent without notes."""

from __future__ import annotations

import pytest
from report_browser import Open, Opened
from report_parts import NASTY, some_source
from sharing_notes import later_note, sharing_note, sharing_source, sharing_table, trained

TRACES = "document.querySelector('#sharing-charts .chart').chart.traces"


@pytest.fixture(scope="module")
def one(open_page: Open) -> Opened:
    table = sharing_table([sharing_note(18), later_note(20, trusted=False)])
    table.told.loc[12, "architecture"] = NASTY
    return drawn(open_page(sharing_source(table)))


def drawn(opened: Opened) -> Opened:
    """The page with the chart of the section drawn."""
    opened.page.locator("#sharing-charts").scroll_into_view_if_needed()
    opened.until("document.querySelector('#sharing-charts .chart').chart !== undefined")
    return opened


def cells(opened: Opened) -> list[list[str]]:
    rows = opened.page.locator("#sharing-words tbody tr")
    return [rows.nth(i).locator("th, td").all_inner_texts() for i in range(rows.count())]


def test_the_section_has_the_decision_and_the_measures(one: Opened) -> None:
    assert one.errors == []
    assert "Inherited errors" in one.text("#contents")
    assert "Inherited errors of 6 networks against own trainings of 2 epochs" in one.text("#sharing-words")
    assert one.page.locator("#sharing-words p.warning").count() == 1  # not trusted
    first, last = cells(one)
    assert first[:4] == ["at the decision", "6", "0.50 (0.10 to 0.80)", "0.40 (−0.10 to 0.75)"]
    assert first[4:] == ["41.1 (28.5 to 53.0)", "0.60 (0.20 to 0.90)", "–"]
    assert last[:3] == ["all own trainings", "8", "0.30 (0.00 to 0.80)"]


def test_the_chart_has_every_network_and_the_line_of_equal_errors(one: Opened) -> None:
    titles = one.page.evaluate(f"{TRACES}.map((t) => [t.title, t.x.length])")
    assert titles == [["equal errors", 2], ["trained for the decision", 6], ["trained later", 2]]
    rows = trained(sharing_table())
    assert one.page.evaluate(f"{TRACES}[1].y[0]") == pytest.approx(rows["error"].iloc[0], rel=1e-5)
    assert "trained later" in one.text("#sharing-charts .legend")
    assert "○" in one.text("#sharing-charts .legend")


def test_a_point_shows_its_architecture_and_values_as_text(one: Opened) -> None:
    x, y = one.page.evaluate(
        "(() => { const c = document.querySelector('#sharing-charts .chart').chart; const box = c.canvas.getBoundingClientRect();"
        " const p = c.points[0]; return [box.left + p.x, box.top + p.y]; })()"
    )
    one.page.mouse.move(x, y)
    assert one.text("#tip").startswith(f"{NASTY}: inherited ")
    assert "%, own " in one.text("#tip")
    assert one.text("#tip").endswith(" parameters")
    assert one.page.evaluate("window.hacked") is None


@pytest.mark.slow
def test_several_runs_are_compared(open_page: Open) -> None:
    other = sharing_source(sharing_table([sharing_note(18, trusted=False)], shift=20.0), "runs/other")
    plain = some_source(12, sharing_table().objectives, "runs/plain")
    opened = drawn(open_page(sharing_source(), plain, other))
    assert opened.errors == []
    said = opened.text("#sharing-words")
    assert "mine: inherited errors of 6 networks" in said
    assert "plain" not in said
    names = ["●mine, at the decision", "●mine, all own trainings", "◆other, all own trainings"]
    assert [row[0] for row in cells(opened)] == names
    titles = opened.page.evaluate(f"{TRACES}.map((t) => t.title)")
    assert titles[1:3] == ["mine: trained for the decision", "mine: trained later"]
    assert titles[3].startswith("other: trained")


def test_another_run_has_no_such_section(plain_page: Opened) -> None:
    assert plain_page.page.locator("#sharing").count() == 0
    assert "Inherited errors" not in plain_page.text("#contents")
