"""The page in a real browser, while a search runs: live numbers, selected fronts, a phone, and texts that stay texts."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from report_browser import Opened, watched

import nas
from nas.dashboard import Dashboard, watcher
from nas.runs.files import LOG
from nas.testing import ToySpace, toy_error

pytestmark = pytest.mark.usefixtures("no_plots")
NASTY = "<img src=x onerror='window.hacked = true'>"
Show = Callable[..., Opened]


@pytest.fixture(scope="module")
def window(browser: Any) -> Iterator[Opened]:
    """A window for all tests: a new one takes longer than most of them. Each test has its own server, and so its own origin."""
    with browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light") as context:
        yield watched(context.new_page())


@pytest.fixture
def show(browser: Any, window: Opened, monkeypatch: pytest.MonkeyPatch) -> Iterator[Show]:
    """Serves a folder and opens its page, in a new window where its options are given."""
    monkeypatch.setattr(watcher, "_EVERY_S", 0.1)
    monkeypatch.setattr(watcher, "_SWEEP_S", 0.1)
    monkeypatch.setattr(watcher, "_SHARE", 0)
    with ExitStack() as stack:

        def shown(folder: Path, **context: Any) -> Opened:
            served = stack.enter_context(Dashboard(folder))
            thread = threading.Thread(target=served.serve, daemon=True)
            stack.callback(thread.join, 10)
            stack.callback(served.stop)
            thread.start()
            if context:
                found = watched(stack.enter_context(browser.new_context(**context)).new_page())
            else:
                found = window
                stack.callback(found.page.goto, "about:blank")
            found.errors.clear()
            found.requests.clear()
            found.page.goto(served.address)
            found.page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
            return found

        yield shown


def item(shown: Opened, name: str) -> Any:
    """The item of a run in the list."""
    return shown.page.locator(".run", has=shown.page.get_by_role("link", name=name, exact=True))


def until(shown: Opened, holds: Callable[[], bool]) -> None:
    """Wait until a condition holds; each look lets the page go on."""
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, shown.text("body")
        shown.page.wait_for_timeout(50)


def traces(shown: Opened, place: int = 0) -> list[dict[str, Any]]:
    """The lines and marks of a chart."""
    found: list[dict[str, Any]] = shown.page.evaluate(
        "(n) => (document.querySelectorAll('#charts .chart')[n]?.chart.traces ?? [])"
        ".map((t) => ({ title: t.title ?? null, x: [...t.x], y: [...t.y], rows: t.rows ? [...t.rows] : null }))",
        place,
    )
    return found


def named(shown: Opened) -> list[str]:
    return [trace["title"] for trace in traces(shown) if trace["title"]]


def fits(shown: Opened) -> bool:
    return bool(shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


@pytest.fixture
def several(made: Path, runs: Path) -> Path:
    """A folder with three runs, two of them with other values, and a damaged one."""
    for name, factor in (("second", 2), ("third", 3)):
        shutil.copytree(made / "run", runs / "deeper" / name)
        with sqlite3.connect(runs / "deeper" / name / LOG) as db:
            for trial, text in db.execute('SELECT trial, "values" FROM results').fetchall():
                values = {
                    key: value * factor if key == "params" else value
                    for key, value in json.loads(text).items()
                }
                db.execute('UPDATE results SET "values" = ? WHERE trial = ?', (json.dumps(values), trial))
        db.close()
    (runs / "damaged").mkdir()
    (runs / "damaged" / LOG).write_bytes(b"nonsense" * 1000)
    return runs


def test_a_search_is_followed_live_without_a_reload(tmp_path: Path, show: Show) -> None:
    permits = threading.Semaphore(0)

    def evaluate(trial: nas.Trial) -> dict[str, float]:
        assert permits.acquire(timeout=100)
        return toy_error(trial)

    arguments = {"algorithm": "moead", "evaluate": evaluate, "budget": 20, "out": tmp_path / "runs" / "mine"}
    (tmp_path / "runs").mkdir()
    shown = show(tmp_path / "runs")
    until(shown, lambda: "There is no run in" in shown.text("#empty"))
    shown.page.evaluate("window.same = true")
    search = threading.Thread(
        target=nas.search, args=(ToySpace(), ["error", "params", "madds"]), kwargs=arguments
    )
    search.start()
    try:
        for _ in range(8):
            permits.release()
        until(
            shown, lambda: item(shown, "mine").count() == 1 and "8 of 20" in item(shown, "mine").inner_text()
        )
        assert "running" in item(shown, "mine").inner_text()
        assert shown.text("#summary") == "1 run: 1 running."
        until(shown, lambda: named(shown) == ["mine"])  # the first run is selected
        before = traces(shown)
        shown.page.get_by_role("link", name="mine", exact=True).click()
        shown.page.wait_for_selector("html[data-ready]", state="attached")
        assert "8 of 20 planned" in shown.text("#facts")
        shown.page.get_by_role("link", name="All runs").click()
        shown.page.evaluate("window.same = true")
        until(shown, lambda: traces(shown) == before)
    finally:
        for _ in range(20):
            permits.release()
        search.join(100)
    until(shown, lambda: "finished" in item(shown, "mine").inner_text())
    assert "20 of 20" in item(shown, "mine").inner_text()
    until(shown, lambda: traces(shown) != before)
    assert shown.page.evaluate("window.same") is True
    assert shown.errors == []
    address = shown.page.url.partition("#")[0]
    assert [url for url in shown.requests if not url.startswith((address, "data:"))] == []


def test_selected_runs_are_drawn_together_and_side_by_side(several: Path, show: Show) -> None:
    shown = show(several)
    until(shown, lambda: shown.text("#summary") == "4 runs: 3 finished, 1 unreadable.")
    assert "not a run's history" in item(shown, "damaged").inner_text()
    assert item(shown, "damaged").locator("input").is_disabled()
    for name in ("first", "deeper/second", "deeper/third"):
        item(shown, name).locator("input").check()
    until(shown, lambda: sorted(named(shown)) == ["deeper/second", "deeper/third", "first"])
    assert shown.page.locator("#charts .chart").count() == 1
    assert len({tuple(trace["x"]) for trace in traces(shown) if trace["title"]}) == 1  # the same errors
    assert len({tuple(trace["y"]) for trace in traces(shown) if trace["title"]}) == 3  # other params
    assert sorted(shown.text("#legend").split("\n")) == sorted(f"{mark}{n}" for mark, n in _legend(shown))
    shown.page.get_by_role("button", name="Side by side").click()
    until(shown, lambda: shown.page.locator("#charts .chart").count() == 3)
    ranges = shown.page.evaluate(
        "[...document.querySelectorAll('#charts .chart')].map((c) => JSON.stringify([c.chart.settled.x.range, c.chart.settled.y.range]))"
    )
    assert len(set(ranges)) == 1
    item(shown, "deeper/second").locator("input").uncheck()
    until(shown, lambda: shown.page.locator("#charts .chart").count() == 2)
    assert shown.errors == []


def _legend(shown: Opened) -> list[tuple[str, str]]:
    """The mark and the name of each selected run, as the list has them."""
    chosen = shown.page.locator(".run.selected").all()
    return [(run.locator(".pick .swatch").inner_text(), run.locator(".name").inner_text()) for run in chosen]


def test_other_objectives_are_chosen_and_kept_by_a_reload(several: Path, show: Show) -> None:
    shown = show(several)
    item(shown, "first").locator("input").check()
    item(shown, "deeper/third").locator("input").check()
    shown.page.locator('[data-axis="x"]').select_option(label="madds (multiply-adds)")
    shown.page.locator('[data-axis="y"]').select_option(label="error (%)")
    until(
        shown,
        lambda: shown.page.evaluate("document.querySelector('#charts .chart').chart.axes.x.title").startswith(
            "madds"
        ),
    )
    chosen = sorted(named(shown))
    drawn = traces(shown)
    shown.page.reload()
    until(shown, lambda: sorted(named(shown)) == chosen)
    assert [trace["x"] for trace in traces(shown)] == [trace["x"] for trace in drawn]
    assert len(chosen) >= 2


def test_an_objective_that_is_on_the_other_axis_changes_its_place(runs: Path, show: Show) -> None:
    shown = show(runs)
    until(shown, lambda: named(shown) == ["first"])
    shown.page.locator('[data-axis="x"]').select_option(label="params (parameters)")
    titles = "(({ x, y }) => [x.title, y.title])(document.querySelector('#charts .chart').chart.axes)"
    until(shown, lambda: shown.page.evaluate(titles)[0].startswith("params"))
    assert shown.page.evaluate(titles)[1].startswith("error")


def test_a_run_with_one_objective_is_drawn_at_its_evaluations(tmp_path: Path, show: Show) -> None:
    nas.search(
        ToySpace(), ["error"], algorithm="random", evaluate=toy_error, budget=9, out=tmp_path / "runs" / "one"
    )
    shown = show(tmp_path / "runs")
    until(shown, lambda: named(shown) == ["one"])
    (mark,) = traces(shown)
    assert mark["x"] == [9]
    assert shown.page.locator("[data-axis]").count() == 0
    assert shown.errors == []


def test_the_line_of_a_front_joins_its_non_dominated_points_in_the_two_objectives(
    runs: Path, show: Show
) -> None:
    shown = show(runs)
    until(shown, lambda: named(shown) == ["first"])
    line, rest, best = traces(shown)
    points = sorted(zip(best["x"] + rest["x"], best["y"] + rest["y"], strict=True))
    least = [p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)]
    assert sorted(zip(best["x"], best["y"], strict=True)) == sorted(dict.fromkeys(least))
    assert set(zip(best["x"], best["y"], strict=True)) <= set(zip(line["x"], line["y"], strict=True))


def test_a_point_that_is_clicked_is_read_below_the_chart(runs: Path, show: Show) -> None:
    shown = show(runs)
    until(shown, lambda: named(shown) == ["first"])
    place = shown.page.evaluate(
        """() => { const box = document.querySelector("#charts .chart"), { left, top } = box.getBoundingClientRect();
        const trace = box.chart.traces.at(-1), [x, y] = box.chart.at(trace.x[1], trace.y[1]); return { x: left + x, y: top + y, error: trace.x[1] }; }"""
    )
    shown.page.mouse.move(place["x"], place["y"])
    until(shown, lambda: not shown.page.evaluate("document.getElementById('tip').hidden"))
    shown.page.mouse.click(place["x"], place["y"])
    assert f"{place['error']:.2f}" in shown.text("#point")
    assert "first" in shown.text("#point")


def test_the_filters_keep_what_they_name(several: Path, show: Show) -> None:
    shown = show(several)
    until(shown, lambda: shown.page.locator(".run").count() == 4)
    shown.page.locator("#filter").fill("deeper sec")
    until(shown, lambda: shown.page.locator(".run").count() == 1)
    shown.page.locator("#filter").fill("")
    shown.page.locator("#states").select_option("unreadable")
    until(shown, lambda: shown.page.locator(".run .name").all_inner_texts() == ["damaged"])
    shown.page.locator("#states").select_option("running")
    until(shown, lambda: shown.text("#empty") == "No run passes the filters.")


def test_it_fits_a_phone(several: Path, show: Show) -> None:
    (several / "first").rename(several / ("a-very-long-name-" * 8))
    shown = show(several, viewport={"width": 375, "height": 700}, has_touch=True, is_mobile=True)
    until(shown, lambda: len(named(shown)) == 1)
    left = shown.page.locator(".run input:not(:disabled):not(:checked)")
    while left.count():
        left.first.check()
    until(shown, lambda: len(named(shown)) == 3)
    assert fits(shown)
    shown.page.get_by_role("button", name="Side by side").click()
    until(shown, lambda: shown.page.locator("#charts .chart").count() == 3)
    assert fits(shown)
    assert shown.text("#jump") == "3 fronts ↑"
    shown.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    shown.page.locator("#jump").click()
    until(
        shown,
        lambda: shown.page.evaluate("document.getElementById('fronts').getBoundingClientRect().top < 50"),
    )


def test_the_fronts_follow_light_and_dark(runs: Path, show: Show) -> None:
    shown = show(runs)
    until(shown, lambda: named(shown) == ["first"])
    tone = "document.querySelector('#charts .chart').chart.traces[0].line.color"
    assert shown.page.evaluate(tone) == "#0072B2"
    shown.page.emulate_media(color_scheme="dark")
    until(shown, lambda: shown.page.evaluate(tone) == "#3d9bd8")
    shown.page.emulate_media(color_scheme="light")
    assert shown.errors == []


def test_no_text_of_a_run_becomes_markup(made: Path, tmp_path: Path, show: Show) -> None:
    folder = tmp_path / "runs" / NASTY
    shutil.copytree(made / "run", folder)
    with sqlite3.connect(folder / LOG) as db:
        (text,) = db.execute("SELECT value FROM meta WHERE key = 'config'").fetchone()
        db.execute(
            "UPDATE meta SET value = ? WHERE key = 'config'",
            (json.dumps(json.loads(text) | {"space": NASTY, "algorithm": NASTY}),),
        )
        (text,) = db.execute("SELECT value FROM meta WHERE key = 'objectives'").fetchone()
        objectives = [values | {"unit": NASTY} for values in json.loads(text)]
        db.execute("UPDATE meta SET value = ? WHERE key = 'objectives'", (json.dumps(objectives),))
        db.execute("UPDATE trials SET architecture = architecture || ?", (NASTY,))
    db.close()
    shown = show(tmp_path / "runs")
    until(shown, lambda: named(shown) == [NASTY])
    assert NASTY in shown.text("#runs")
    assert shown.page.locator("img").count() == 0
    shown.page.get_by_role("link", name=NASTY, exact=True).click()
    shown.page.wait_for_selector("html[data-ready]", state="attached")
    assert shown.page.evaluate("window.hacked") is None
    assert shown.errors == []


@pytest.mark.slow
def test_a_lost_connection_is_reported(runs: Path, show: Show) -> None:
    shown = show(runs)
    shown.page.route("**/runs.json*", lambda route: route.abort())
    until(shown, lambda: "No connection to the dashboard" in shown.text("body"))
    shown.page.unroute("**/runs.json*")
    until(shown, lambda: shown.page.evaluate("document.getElementById('lost').hidden"))


def test_many_runs_are_listed_in_parts(made: Path, tmp_path: Path, show: Show) -> None:
    for number in range(105):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / LOG).write_bytes(b"nonsense" * 100)
    shown = show(tmp_path)
    until(shown, lambda: "105 unreadable" in shown.text("#summary"))
    assert shown.page.locator(".run").count() == 100
    shown.page.get_by_role("button", name="Show more (5 further runs)").click()
    until(shown, lambda: shown.page.locator(".run").count() == 105)
