"""Plots and the report of a run with a noisy objective: every number is that of front.csv."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid
from noisy_parts import ERROR, noisy, search
from report_browser import Open

import nas
from nas.core.objectives import Objective
from nas.core.records import Trial
from nas.report.evaluated import evaluated
from nas.report.gather import describe
from nas.report.plots_front import front_3d_figure, front_figure
from nas.report.plots_progress import cloud_figure, hypervolume_figure, running_best
from nas.report.sources import read_source
from nas.runs.run_folder import RunTable
from nas.training import Halving

pytestmark = pytest.mark.usefixtures("no_plots")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("noisy") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        search(out)
    return out


@pytest.fixture(scope="module")
def table(run: Path) -> RunTable:
    return read_source(run).table


@pytest.fixture(scope="module")
def front(run: Path) -> pd.DataFrame:
    return pd.read_csv(run / "front.csv")


def marks(figure: Any, label: str) -> list[tuple[float, ...]]:
    found = [c for ax in figure.axes for c in ax.collections if c.get_label() == label]
    return sorted(map(tuple, np.asarray(found[0].get_offsets()).tolist()))


def test_the_points_of_the_plot_are_expected_values_and_the_crosses_measured_ones(
    table: RunTable, front: pd.DataFrame
) -> None:
    figure = front_figure(table, 0, 1)
    assert marks(figure, "front") == sorted(zip(front["error_expected"], front["params"], strict=True))
    assert marks(figure, "error as measured") == sorted(zip(front["error"], front["params"], strict=True))
    said = " ".join(text.get_text() for text in figure.texts)
    assert "error: expected values; bars: 90% interval of a further measurement; crosses: as measured" in said
    assert f"{len(front)} on the front" in said


def test_the_bars_are_the_intervals_of_front_csv(table: RunTable, front: pd.DataFrame) -> None:
    (ax,) = front_figure(table, 0, 1).axes
    (bars,) = (c.lines[2][0] for c in ax.containers)
    ends = sorted((a[0], b[0]) for a, b in bars.get_segments())
    assert np.array(ends) == pytest.approx(
        front[["error_low", "error_high"]].sort_values("error_low").to_numpy()
    )


def test_the_other_plots_show_expected_values(table: RunTable, front: pd.DataFrame) -> None:
    run = evaluated(table)
    assert running_best(run, 0)[-1] == front["error_expected"].min()
    assert "error: expected values" in " ".join(t.get_text() for t in cloud_figure(table).texts)
    caption = hypervolume_figure(table).get_supxlabel()
    assert "Each result counts with its final expected error." in caption.replace("\n", " ")


def test_three_objectives_are_drawn_with_bars_and_crosses() -> None:
    made = nas.search(
        Grid(), [ERROR, "params", "madds"], noisy, algorithm="random", budget=30, executor="serial"
    ).table
    assert made is not None
    figure = front_3d_figure(made)
    labels = [c.get_label() for c in figure.axes[0].collections]
    assert "error as measured" in labels
    assert "expected values" in " ".join(t.get_text() for t in figure.texts)


def test_the_page_has_the_numbers_of_front_csv(run: Path, front: pd.DataFrame) -> None:
    report = describe([read_source(run)])
    rows = report.runs[0].rows
    (beside,) = rows.noisy
    assert beside.objective == 0
    by_text = front.set_index("architecture")
    assert {rows.architecture[i] for i in rows.front} == set(front["architecture"])
    for i in rows.front:
        row = by_text.loc[rows.architecture[i]]
        found = [rows.values[0][i], beside.measured[i], beside.low[i], beside.high[i], rows.values[1][i]]
        assert found == pytest.approx(
            row[["error_expected", "error", "error_low", "error_high", "params"]].tolist()
        )
    assert rows.unrated == []
    curve = report.runs[0].curve
    assert curve is not None
    assert curve.box.endswith("Each result counts with its final expected error.")


def test_rows_without_an_expected_value_are_marked_and_not_compared(tmp_path: Path) -> None:
    def trained(trial: Trial) -> dict[str, float]:
        assert trial.budget is not None
        return {name: value + 20 / trial.budget for name, value in noisy(trial).items()}

    out = tmp_path / "run"
    nas.search(
        Grid(), [ERROR, "params"], trained, algorithm="random", budget=40, out=out, executor="serial",
        loop=nas.LoopSettings(halving=Halving(1, 9)),
    )  # fmt: skip
    source = read_source(out)
    rows = describe([source]).runs[0].rows
    budgets = rows.further["budget"]
    assert {budgets[i] for i in rows.unrated} == {1, 3}
    assert not set(rows.front) & set(rows.unrated)
    assert all(rows.noisy[0].low[i] is None for i in rows.unrated)
    assert evaluated(source.table).best([0]).tolist() != []


def test_an_exact_run_has_nothing_beside_its_values() -> None:
    table = search(objective=Objective("error")).table
    assert table is not None
    run = evaluated(table)
    assert run.noisy == []
    assert run.note == ""
    assert np.array_equal(run.values, run.measured)
    assert not front_figure(table, 0, 1).axes[0].containers


def test_the_opened_page_shows_both_values_and_says_which_is_which(
    run: Path, front: pd.DataFrame, show_page: Open
) -> None:
    opened = show_page(read_source(run))
    assert opened.errors == []
    heads = opened.page.locator("#headers th button").all_inner_texts()
    names = [text.split("\n")[0].strip(" ▲▼") for text in heads]
    assert names[1:6] == ["error", "error_expected", "error_low", "error_high", "params"]
    assert opened.page.locator('#grid th[aria-sort="ascending"]').inner_text().startswith("error_expected")
    first = opened.page.locator("#grid tbody tr").first.inner_text()
    for name in ("error", "error_expected", "error_low", "error_high"):
        assert f"{front[name].iloc[0]:.2f}" in first
    assert opened.text("#chart-note").startswith("error: expected values; bars of the front: 90% interval")
    assert "error as measured" in opened.text("#legend")
    assert f"Best error, expected\n{front['error_expected'].min():.2f} %" in opened.text("#facts")
