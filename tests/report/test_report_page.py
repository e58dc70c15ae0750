"""The page in a real browser: its content, linked selections, and that no text of a run becomes code."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_browser import Open, Opened
from report_parts import FIVE, NASTY, THREE, failed, frame_of, notes, some_source, source_of, table_of

from nas.core.objectives import Objective
from nas.report import Source

WILD = Objective("madds", "<b>multiply</b>-adds", best=0.0)


def wild_source() -> Source:
    """A run of 23 evaluations, three of them failed, with markup wherever a run can hold a text."""
    objectives = (*THREE[:2], WILD)
    frame = failed(
        frame_of(objectives, 23),
        [2, 5, 11],
        f"ValueError: {NASTY}\n  <img src=x onerror='window.hacked = true'>",
    )
    frame["architecture"] = [
        f"{text}{NASTY}" if i % 2 else text for i, text in enumerate(frame["architecture"])
    ]
    frame.loc[4, "worker"] = NASTY
    table = table_of(frame, objectives, said=notes())
    changes = {
        "space": NASTY,
        "algorithm": NASTY,
        "versions": {NASTY: NASTY},
        "limits": [f"params <= 1e9 {NASTY}"],
    }
    return source_of(table, f"runs/{NASTY}", **changes)


@pytest.fixture(scope="module")
def shared(open_page: Open) -> Opened:
    """One page for all tests of this file that can leave it as they found it."""
    return open_page(wild_source())


@pytest.fixture
def small(shared: Opened) -> Opened:
    """The page with no limits, sorted by error, the front in its table, in two dimensions."""
    page = shared.page
    page.evaluate("document.querySelector('#limits').open = true")
    page.locator("#clear-limits").click()
    page.locator("#view").select_option("front")
    for _ in range(2):
        if page.locator('#grid th[aria-sort="ascending"]', has_text="error").count() == 0:
            shared.sort_by("error")
    page.locator("#axes button", has_text="2-D").click()
    page.evaluate("window.scrollTo(0, 0)")
    return shared


def test_it_loads_without_errors_and_asks_for_nothing_from_elsewhere(small: Opened) -> None:
    small.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    small.page.wait_for_timeout(300)
    assert small.errors == []
    assert [url for url in small.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert len([url for url in small.requests if url.startswith("file:")]) == 1


def test_it_starts_with_the_result_and_the_front_and_the_facts_follow(small: Opened) -> None:
    order = small.page.evaluate(
        "['#title', '#result', '#chart', '#facts', '#grid'].map(id => document.querySelector(id).getBoundingClientRect().top)"
    )
    assert order == sorted(order)
    assert small.text("#result").startswith(
        "19 of 23 evaluated networks are on the Pareto front, with an error of "
    )
    assert small.page.locator("#chart canvas").bounding_box()["y"] < 400


def test_axes_name_a_log_scale_and_their_ticks_are_alike(small: Opened) -> None:
    small.page.locator('[data-axis="y"] select').select_option(label="params")
    assert small.page.evaluate("document.querySelector('#chart').chart.axes.y.title").startswith(
        "params (parameters, log scale)"
    )
    assert small.page.evaluate("document.querySelector('#chart').chart.axes.x.title").startswith("error (%)")


def test_labels_are_plain(small: Opened) -> None:
    said = small.text("body")
    for label in (
        "Worker timeline",
        "Calibration of the 90% interval of error",
        "found after",
        "Kendall's tau compares the predicted with the measured order",
    ):
        assert label in said
    titles = small.page.evaluate(
        "[...document.querySelectorAll('#surrogate-charts .chart')].map(c => c.chart?.axes.x.title)"
    )
    assert {title for title in titles if title} <= {"evaluations the model had seen"}


@pytest.mark.parametrize("size", [(1280, 900), (360, 740)])
@pytest.mark.parametrize("turned", [(32, 24), (120, 60), (-60, 5), (200, 85)])
def test_the_box_of_three_objectives_is_inside_the_chart(
    small: Opened, size: tuple[int, int], turned: tuple[int, int]
) -> None:
    small.page.set_viewport_size({"width": size[0], "height": size[1]})
    try:
        small.page.locator("#axes button", has_text="3-D").click()
        corners = small.page.evaluate(
            """([across, up]) => {
                const view = document.querySelector('#chart').chart;
                view.turn = { across, up };
                view.draw();
                const ends = [0, 1];
                const corners = ends.flatMap((a) => ends.flatMap((b) => ends.map((c) => view.place([a, b, c]))));
                return corners.map(([x, y]) => [x, view.width - x, y, view.height - y]);
            }""",
            list(turned),
        )
        assert min(min(sides) for sides in corners) >= 10
    finally:
        small.page.set_viewport_size({"width": 1280, "height": 900})


def test_no_text_of_a_run_becomes_markup(small: Opened) -> None:
    assert small.page.evaluate("window.hacked") is None
    assert small.page.locator("script").count() == 2  # the data and the code
    assert small.page.locator("img:not(.drawing), b").count() == 0
    assert NASTY in small.text("#facts")
    assert NASTY in small.text("#title")
    assert f"ValueError: {NASTY}" in small.text("#failure-list")
    assert "<b>multiply</b>-adds" in small.text("#grid thead")


def test_sorting_orders_the_rows_and_announces_it(small: Opened) -> None:
    small.sort_by("params")
    rising = [int(text.split()[0].replace(",", "")) for text in small.column("params")]
    assert rising == sorted(rising)
    assert small.page.locator('#grid th[aria-sort="ascending"]').inner_text().startswith("params")
    small.sort_by("params")
    falling = [int(text.split()[0].replace(",", "")) for text in small.column("params")]
    assert falling == rising[::-1]


def test_a_limit_leaves_only_what_meets_it(small: Opened) -> None:
    small.page.locator("#view").select_option("all")
    small.page.locator('[data-limit="params at most"]').fill("1M")
    small.until("document.querySelector('#count').textContent.includes('meet the limits')")
    shown = [int(text.split()[0].replace(",", "")) for text in small.column("params")]
    assert shown
    assert max(shown) <= 1_000_000
    assert small.text("#page-said").endswith(f"{len(shown)} rows")


def test_an_invalid_limit_is_reported(small: Opened) -> None:
    field = small.page.locator('[data-limit="error at least"]')
    field.fill("much")
    small.until("document.querySelector('#limits-wrong').textContent !== ''")
    assert "“much” is not a number" in small.text("#limits-wrong")
    assert field.get_attribute("aria-invalid") == "true"


def test_the_best_within_a_limit_is_recomputed(small: Opened) -> None:
    small.page.locator("#view").select_option("best")
    before = set(small.column("evaluation"))
    low = sorted(float(text.split()[0]) for text in small.column("error"))[0]
    small.page.locator('[data-limit="error at least"]').fill(str(low + 0.01))
    small.until("document.querySelector('#count').textContent.includes('meet the limits')")
    after = set(small.column("evaluation"))
    assert len(before - after) >= 1  # points beyond the limit are gone; points they dominated may appear


def test_a_text_finds_architectures(small: Opened) -> None:
    small.page.locator("#view").select_option("all")
    small.page.locator("#search-text").fill("12-5-2")
    small.until("document.querySelectorAll('#grid tbody tr').length === 1")
    assert small.column("architecture")[0].startswith("12-5-2")


def test_a_selected_row_is_ringed_in_the_chart_and_shown_beside_it(small: Opened) -> None:
    small.page.locator("#grid tbody tr").nth(2).click()
    error = float(small.column("error")[2].split()[0])
    assert small.ringed()["x"][0] == pytest.approx(error, abs=0.01)
    assert f"{error:.2f} %" in small.text("#network")


def test_a_point_that_is_clicked_is_chosen_in_the_table(small: Opened) -> None:
    small.page.locator("#chart").scroll_into_view_if_needed()
    place: dict[str, Any] = small.page.evaluate(
        """() => {
        const box = document.getElementById("chart"), view = box.chart, trace = view.traces.at(-2);
        const { left, top } = box.getBoundingClientRect(), [x, y] = view.at(trace.x[1], trace.y[1]);
        return { x: left + x, y: top + y, row: trace.rows[1] };
        }"""
    )
    small.page.mouse.move(place["x"], place["y"])
    small.page.wait_for_selector("#tip:not([hidden])")
    assert "parameters" in small.text("#tip")
    small.page.mouse.click(place["x"], place["y"])
    small.until(
        f"document.querySelector('#grid tr[aria-selected=\"true\"]')?.dataset.row === '{place['row']}'"
    )


def test_dragging_along_an_axis_of_the_parallel_coordinates_sets_a_limit(small: Opened) -> None:
    canvas = small.page.locator("#parallel canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    small.page.mouse.move(box["x"] + 74, box["y"] + 60)
    small.page.mouse.down()
    small.page.mouse.move(box["x"] + 74, box["y"] + 160, steps=4)
    small.page.mouse.up()
    small.until("document.querySelector('[data-limit=\"error at most\"]').value !== ''")
    assert "meet the limits" in small.text("#count")


def test_clicking_a_line_of_the_parallel_coordinates_chooses_it(small: Opened) -> None:
    small.page.locator("#grid tbody tr").nth(0).click()
    before = small.chosen()
    canvas = small.page.locator("#parallel canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    chosen = set()
    for height in range(50, 290, 12):
        small.page.mouse.click(box["x"] + box["width"] / 3, box["y"] + height)
        chosen.add(small.chosen())
    assert chosen - {before, None}


def test_the_table_is_used_by_keyboard_alone(small: Opened) -> None:
    small.page.locator("#grid tbody tr").nth(0).click()
    small.page.locator('#grid tr[tabindex="0"]').focus()
    small.page.keyboard.press("ArrowDown")
    small.page.keyboard.press("ArrowDown")
    small.page.keyboard.press("Enter")
    rows = [
        int(row)
        for row in small.page.eval_on_selector_all("#grid tbody tr", "rows => rows.map(r => r.dataset.row)")
    ]
    assert small.chosen() == rows[2]
    small.page.keyboard.press("End")
    assert small.page.evaluate("Number(document.activeElement.dataset.row)") == rows[-1]
    assert small.page.locator('#grid tr[tabindex="0"]').count() == 1


def test_skip_links_come_first_and_lead_past_the_rest(small: Opened) -> None:
    small.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    small.page.locator(".skips a", has_text="table").focus()
    assert small.page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    small.page.keyboard.press("Enter")
    assert small.page.evaluate("document.activeElement.id") == "table"
    first = small.page.evaluate(
        "document.querySelector('a, button, input, select, summary, [tabindex]').textContent"
    )
    assert first == "Skip to the front"


def test_what_has_the_focus_is_outlined(small: Opened) -> None:
    small.page.locator("#view").focus()
    small.page.keyboard.press("Tab")
    style = small.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_headings_are_in_order_and_every_field_has_a_name(small: Opened) -> None:
    levels = small.page.eval_on_selector_all("h1, h2, h3, h4", "all => all.map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    unnamed = small.page.eval_on_selector_all(
        "input, select, button",
        "all => all.filter(e => !e.ariaLabel && !e.labels?.length && !e.textContent.trim()).length",
    )
    assert unnamed == 0


@pytest.mark.slow
def test_three_dimensions_are_a_button_away_and_turn_when_dragged(small: Opened) -> None:
    small.page.locator("#axes button", has_text="3-D").click()
    assert small.page.locator('[data-axis="z"]').is_visible()
    canvas = small.page.locator("#chart canvas")
    canvas.scroll_into_view_if_needed()
    places = "JSON.stringify(document.getElementById('chart').chart.points)"
    before = small.page.evaluate(places)
    box = canvas.bounding_box()
    small.page.mouse.move(box["x"] + 300, box["y"] + 250)
    small.page.mouse.down()
    small.page.mouse.move(box["x"] + 400, box["y"] + 200, steps=3)
    small.page.mouse.up()
    assert small.page.evaluate(places) != before
    canvas.dblclick(position={"x": 5, "y": 5})
    assert small.page.evaluate(places) == before


def test_dragging_zooms_and_a_double_click_goes_back(small: Opened) -> None:
    range_of = "document.getElementById('chart').chart.axes.x.range"
    before = small.page.evaluate(range_of)
    canvas = small.page.locator("#chart canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    small.page.mouse.move(box["x"] + 150, box["y"] + 100)
    small.page.mouse.down()
    small.page.mouse.move(box["x"] + 350, box["y"] + 300, steps=3)
    small.page.mouse.up()
    low, high = small.page.evaluate(range_of)
    assert before[0] < low < high < before[1]
    canvas.dblclick(position={"x": 5, "y": 5})
    assert small.page.evaluate(range_of) == before


def test_the_chart_is_saved_as_an_image(small: Opened) -> None:
    with small.page.expect_download() as started:
        small.page.locator("#save-image").click()
    assert started.value.suggested_filename == "front.png"
    assert Image.open(started.value.path()).size[0] > 300


@pytest.mark.parametrize("width", [1280, 420])
def test_nothing_of_the_view_in_space_is_cut_off(small: Opened, width: int) -> None:
    """The outermost pixels of the chart show the ground alone: every label and point ends before them."""
    before = small.page.viewport_size
    small.page.set_viewport_size({"width": width, "height": 900})
    small.page.locator("#axes button", has_text="3-D").click()
    small.until(
        "(() => { const c = document.getElementById('chart'); return c.chart.axes.z && c.chart.width === c.clientWidth; })()"
    )
    shot = np.asarray(
        Image.open(io.BytesIO(small.page.locator("#chart").screenshot())).convert("L"), dtype=int
    )
    small.page.set_viewport_size(before)
    edge = np.concatenate([shot[0], shot[-1], shot[:, 0], shot[:, -1]])
    assert shot.std() > 2
    assert np.ptp(edge) < 12


def test_the_rows_can_be_taken_along_as_csv(small: Opened) -> None:
    with small.page.expect_download() as started:
        small.page.locator("#download").click()
    lines = started.value.path().read_text(encoding="utf-8").splitlines()
    assert lines[0] == "evaluation,error,params,madds,architecture"
    assert len(lines) == 1 + len(small.column("error"))


def test_failures_are_shown_with_an_example_that_opens(small: Opened) -> None:
    assert "3\tfailed" in small.text("#failure-list table")
    small.page.locator("#failure-list summary").first.click()
    assert "onerror" in small.text("#failure-list pre")


def test_previous_and_next_walk_through_the_table(small: Opened) -> None:
    small.page.locator("#grid tbody tr").nth(0).click()
    first = small.chosen()
    small.page.locator("#step-on").click()
    assert small.chosen() != first
    small.page.locator("#step-back").click()
    assert small.chosen() == first


@pytest.mark.slow
def test_printing_draws_the_charts_that_no_one_scrolled_to(open_page: Open) -> None:
    page = open_page(wild_source()).page
    drawn = "document.querySelectorAll('#progress-charts canvas').length"
    assert page.evaluate(drawn) == 0
    paper = page.pdf()
    assert paper.startswith(b"%PDF")
    assert page.evaluate(drawn) >= 3


@pytest.mark.slow
def test_it_fits_a_phone_without_sideways_scrolling(open_page: Open) -> None:
    opened = open_page(wild_source(), size=(375, 700), has_touch=True, is_mobile=True)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 375
    opened.page.locator("#grid tbody tr").nth(1).tap()
    assert opened.chosen() is not None
    assert opened.errors == []


@pytest.mark.slow
def test_it_follows_a_dark_system(open_page: Open) -> None:
    opened = open_page(some_source(), color_scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    assert opened.page.evaluate(ground) == "rgb(20, 23, 27)"
    opened.page.emulate_media(color_scheme="light")
    assert opened.page.evaluate(ground) == "rgb(255, 255, 255)"
    assert opened.errors == []


@pytest.mark.slow
def test_ten_thousand_evaluations_are_small_enough_and_still_sort_filter_and_select(open_page: Open) -> None:
    frame = frame_of(THREE, 10_000)
    frame["architecture"] = [
        f"r32/stem16s1/se0.25/{'ir40:k3.5s2e4/sp:k5e2m-0/' * 4}{text}" for text in frame["architecture"]
    ]
    opened = open_page(source_of(table_of(frame, THREE)))
    assert opened.path.stat().st_size < 1_500_000
    page = opened.page
    page.locator("#view").select_option("all")
    kept = int(opened.text("#page-said").split()[-2].replace(",", ""))
    assert 5_000 <= kept <= 10_000  # points without room are thinned evenly, never the front
    opened.sort_by("params")
    rising = [int(text.split()[0].replace(",", "")) for text in opened.column("params")]
    assert rising[0] == int(frame["params"].min())  # on the front
    page.evaluate("document.querySelector('#limits').open = true")
    page.locator('[data-limit="params at least"]').fill("5M")
    opened.until("document.querySelector('#count').textContent.includes('meet the limits')")
    found = int(opened.text("#page-said").split()[-2].replace(",", ""))
    assert found == pytest.approx(kept * (frame["params"] >= 5e6).mean(), rel=0.05)
    page.locator("#grid tbody tr").nth(4).click()
    fifth = int(opened.column("params")[4].split()[0].replace(",", ""))
    assert opened.ringed()["y"][0] == pytest.approx(fifth)
    page.locator("#next-page").click()
    assert opened.text("#page-said").startswith("Page 2")
    assert opened.errors == []


@pytest.mark.slow
def test_three_runs_are_compared_each_with_its_mark(open_page: Open) -> None:
    sources = [some_source(40, FIVE, f"runs/{name}", seed) for seed, name in enumerate(("a", NASTY, "c"))]
    opened = open_page(*sources)
    assert opened.page.locator("#runs tbody tr").count() == 3
    marks = opened.page.eval_on_selector_all(
        "#runs .swatch", "all => all.map(e => e.textContent + e.style.color)"
    )
    assert len(set(marks)) == 3
    assert set(opened.column("run")) >= {"a"} or NASTY in " ".join(opened.column("run"))
    legend = opened.text("#legend")
    assert all(name in legend for name in ("a", NASTY, "c"))
    assert opened.page.evaluate("window.hacked") is None
    assert opened.errors == []


@pytest.mark.slow
def test_the_contents_list_the_sections_that_are_there(plain_page: Opened) -> None:
    links = plain_page.page.locator("#contents a")
    assert links.count() > 4
    assert not any("surrogates" in text for text in links.all_inner_texts())


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 5])
def test_other_numbers_of_objectives_are_shown(open_page: Open, count: int) -> None:
    opened = open_page(some_source(25, FIVE[:count]))
    assert opened.errors == []
    assert len(opened.ringed()["x"]) == 1
    assert opened.page.locator("#parallel canvas").count() == int(count > 1)
    assert opened.page.locator("#axes button:not(#save-image)").count() == (2 if count > 2 else 0)


@pytest.mark.slow
def test_a_run_without_values_reports_it(open_page: Open) -> None:
    frame = failed(frame_of(THREE, 4), [0, 1, 2, 3], "ValueError: no")
    opened = open_page(source_of(table_of(frame, THREE)))
    assert opened.errors == []
    assert "No evaluation has values yet" in opened.text("#grid")
    assert "ValueError: no" in opened.text("#failure-list")
