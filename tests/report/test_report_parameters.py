"""The parameters of a space on the page: columns, a toggle for many of them, the selected network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from report_browser import Open
from report_parts import NASTY, THREE, frame_of, source_of

from nas.report import Source, rows
from nas.report.gather import describe
from nas.runs.parameters import Cell, Parameters
from nas.runs.run_folder import run_table


def source(names: list[str], n: int = 12, folder: str = "runs/mine", mark: str = "some") -> Source:
    """A run whose first parameter is inactive in every third row; the last has texts."""
    frame = frame_of(THREE, n)
    cells: dict[str, list[Cell]] = {}
    for i, text in enumerate(frame["architecture"]):
        cells[text] = [*(i % (j + 2) for j in range(len(names) - 1)), f"{mark}{i % 2}"]
        if i % 3 == 0:
            cells[text][0] = None
    parameters = Parameters(tuple(names), cells)
    return source_of(run_table(frame, THREE, [], 5, parameters=parameters), folder)


def test_each_cell_is_stored_once_and_each_row_is_a_sign() -> None:
    first, *_, last = describe([source(["depth", "width", "name"])]).runs[0].rows.parameters
    assert (first.name, list(first.cells), first.rows) == ("depth", [None, 1, 0], "012021012021")
    assert (last.name, list(last.cells), last.rows) == ("name", ["some0", "some1"], "010101010101")


def test_values_of_many_kinds_are_distinct_and_many_are_numbers() -> None:
    frame = frame_of(THREE, 100)
    cells: dict[str, list[Cell]] = {
        text: [i / 4, [True, 1, 0, False, "True"][i % 5]] for i, text in enumerate(frame["architecture"])
    }
    table = run_table(frame, THREE, [], 5, parameters=Parameters(("rate", "mixed"), cells))
    rate, mixed = describe([source_of(table)]).runs[0].rows.parameters
    assert [rate.cells[place] for place in rate.rows] == [i / 4 for i in range(100)]  # type: ignore[index]
    kinds = [(type(cell), cell) for cell in mixed.cells]
    assert kinds == [(bool, True), (int, 1), (int, 0), (bool, False), (str, "True")]


def test_parameters_are_not_numbers_that_the_evaluator_reported() -> None:
    found = describe([source(["depth", "width", "name"])]).runs[0]
    assert all(not network.reported for network in found.networks.drawn)


def test_many_parameters_leave_room_for_fewer_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_CHARACTERS", 1000)
    few, many = (describe([source([f"p{i}" for i in range(k)], 100)]).runs[0].rows.left_out for k in (2, 50))
    assert few < many


def test_few_parameters_are_columns(show_page: Open) -> None:
    page = show_page(source(["depth", "width", "name"], mark=NASTY))
    assert page.errors == []
    page.page.locator("#view").select_option("all")
    depth = page.column("depth")
    assert sorted(set(depth)) == ["", "0", "1"]
    assert set(page.column("name")) == {f"{NASTY}0", f"{NASTY}1"}
    assert page.page.locator("#show-parameters").count() == 0
    page.sort_by("width")
    assert page.column("width") == sorted(page.column("width"), key=int)
    page.sort_by("depth")
    assert page.column("depth") == sorted(depth)  # inactive ones first
    place = page.column("depth").index("1")
    page.page.locator("#grid tbody tr").nth(place).click()
    shown = page.page.locator("#network dl.pairs").first.inner_text()
    assert "depth" in page.text("#network")
    assert NASTY in page.text("#network")
    assert shown
    assert page.page.evaluate("window.hacked") is None


def test_many_parameters_are_behind_a_toggle(show_page: Open) -> None:
    names = [f"p{i}" for i in range(30)]
    page = show_page(source(names))
    heads: Any = page.page.locator("#grid th")
    before = heads.count()
    assert page.column("error")
    page.page.locator("#show-parameters").check()
    assert heads.count() == before + 30
    assert set(page.column("p1")) <= {"0", "1", "2"}
    page.sort_by("p29")
    assert page.column("p29") == sorted(page.column("p29"))
    page.page.locator("#show-parameters").uncheck()
    assert heads.count() == before
    errors = [float(text) for text in page.column("error")]
    assert errors == sorted(errors)
    with page.page.expect_download() as download:
        page.page.locator("#download").click()
    assert (
        download.value.path().read_text().splitlines()[0].split(",")[-31:-1] == names
    )  # all, also while hidden
    page.page.locator("#grid tbody tr").first.click()
    assert page.page.locator("#network details", has_text="Parameters").get_attribute("open") is None
    assert page.errors == []


@pytest.mark.slow
def test_compared_runs_have_the_parameters_of_each(open_page: Open) -> None:
    page = open_page(source(["depth", "name"]), source(["width", "name"], folder="runs/other"))
    page.page.locator("#view").select_option("all")
    filled = np.array([[cell != "" for cell in page.column(name)] for name in ("depth", "width", "name")])
    assert filled[2].all()
    assert not (filled[0] & filled[1]).any()
    assert page.errors == []
