"""The plots of a run: files, content, and unusual runs."""

from __future__ import annotations

import threading
import warnings
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from nas.core.objectives import Limit, Objective
from nas.pareto.archive import non_dominated
from nas.report.plots import figures, write_plots
from nas.report.plots_axes import axis_of, linear_ticks, log_ticks, short, tick_labels
from nas.report.plots_front import front_3d_figure, front_figure, parallel_figure, staircase
from nas.report.plots_progress import best_figure, cloud_figure, hypervolume_figure
from nas.runs.run_folder import RunTable, run_table

ERROR = Objective("error", "%", best=0.0)
ACCURACY = Objective("accuracy", "%", maximize=True, best=100.0)
PARAMS = Objective("params", "parameters", best=0.0)
MADDS = Objective("madds", "multiply-adds", best=0.0)
LATENCY = Objective("latency", "ms")


def table(
    objectives: list[Objective], values: Any, status: list[str] | None = None, *limits: str
) -> RunTable:
    """A run with trials in result order, values (n, m) in the user's direction."""
    rows = np.asarray(values, dtype=np.float64).reshape(-1, len(objectives))
    n = len(rows)
    frame = pd.DataFrame(rows, columns=[o.name for o in objectives])
    frame["status"] = status or ["ok"] * n
    frame["architecture"] = [f"a{i}" for i in range(n)]
    frame["told"] = np.arange(1.0, n + 1)
    frame["told_seconds"] = np.arange(1.0, n + 1) * 2
    frame.loc[frame["status"] != "ok", [o.name for o in objectives]] = np.nan
    return run_table(frame, objectives, [Limit.parse(text) for text in limits], 5)


def some_run(objectives: list[Objective], n: int = 60, *limits: str) -> RunTable:
    """A run with a trade-off between size and error, and three failures."""
    rng = np.random.default_rng(7)
    params = 10 ** rng.normal(6.0, 0.6, n)
    error = 5 + 60 * (params / 1e5) ** -0.5 + rng.gamma(1.5, 2.0, n)
    known = {
        "error": error,
        "accuracy": 100 - error,
        "params": params,
        "madds": params * rng.uniform(20, 200, n),
        "latency": params / 1e4 + rng.gamma(2.0, 4.0, n),
    }
    status = ["failed" if i in (3, 9, 12) else "ok" for i in range(n)]
    return table(objectives, np.column_stack([known[o.name] for o in objectives]), status, *limits)


def drawn(figure: Any, label: str) -> np.ndarray:
    """The offsets (n, 2) of the markers with that label, in the units of the data."""
    found = [c for ax in figure.axes for c in ax.collections if c.get_label() == label]
    return np.asarray(found[0].get_offsets()) if found else np.empty((0, 2))


def texts(figure: Any) -> str:
    return " | ".join(t.get_text() for t in figure.texts)


def rendered(figure: Any) -> np.ndarray:
    """How light each pixel is, 0 to 255."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].mean(axis=2)


def levels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


NAMES = {
    1: {"best.png"},
    2: {"front_error_params.png", "hypervolume.png", "cloud.png"},
    3: {
        "front_error_params.png",
        "front_error_madds.png",
        "front_params_madds.png",
        "front_3d.png",
        "hypervolume.png",
        "cloud.png",
    },
}


@pytest.mark.parametrize("m", NAMES)
def test_one_two_and_three_objectives_give_the_promised_files(m: int) -> None:
    assert set(figures(some_run([ERROR, PARAMS, MADDS][:m]))) == NAMES[m]


def test_four_objectives_give_every_pair_and_parallel_coordinates() -> None:
    objectives = [ERROR, PARAMS, MADDS, LATENCY]
    pairs = {f"front_{a.name}_{b.name}.png" for a, b in combinations(objectives, 2)}
    assert set(figures(some_run(objectives))) == pairs | {"parallel.png", "hypervolume.png", "cloud.png"}


def test_files_are_small_png_images_of_1200_by_900_with_content_on_white(tmp_path: Path) -> None:
    paths = write_plots(tmp_path / "plots", some_run([ERROR, PARAMS, MADDS], 1500))
    assert {p.name for p in paths} == {p.name for p in (tmp_path / "plots").iterdir()} == NAMES[3]
    for path in paths:
        with Image.open(path) as image:
            assert (image.format, image.size) == ("PNG", (1200, 900)), path.name
        pixels = levels(path)
        assert pixels[0, 0] == 255, path.name
        assert (pixels < 200).sum() > 3000, path.name
        assert path.stat().st_size < 300_000, path.name


def test_settings_of_matplotlib_are_not_the_runs(tmp_path: Path) -> None:
    """LaTeX in a user's settings, without LaTeX installed, ended a finished search."""
    with matplotlib.rc_context({"text.usetex": True, "lines.linewidth": 9.0}):
        ours = [path.read_bytes() for path in write_plots(tmp_path / "own", some_run([ERROR]))]
        assert matplotlib.rcParams["text.usetex"]
    assert ours == [path.read_bytes() for path in write_plots(tmp_path / "plain", some_run([ERROR]))]


def test_plots_can_be_written_again_and_from_several_threads(tmp_path: Path) -> None:
    run, failures = some_run([ERROR]), []

    def work(folder: Path) -> None:
        try:
            write_plots(folder, run)
            write_plots(folder, run)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(tmp_path / str(k),)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert (tmp_path / "0/best.png").read_bytes() == (tmp_path / "1/best.png").read_bytes()


def test_a_disk_error_leaves_no_partial_plot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Image.Image, path: Path, **_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_plots(tmp_path, some_run([ERROR, PARAMS], 8))
    assert list(tmp_path.iterdir()) == []


ODD = {
    "nothing told": ([], []),
    "one result": ([[1.0, 2.0, 3.0]], ["ok"]),
    "all failed": ([[0, 0, 0]] * 5, ["failed", "timeout", "lost", "invalid", "out_of_memory"]),
    "equal values": ([[0.0, 2.0, 2.0]] * 4, ["ok"] * 4),
    "equal and huge": ([[1e15, 1e-12, -1e15]] * 3, ["ok"] * 3),
    "negative": ([[-1.0, -2e6, -3e-5], [-3.0, -1e3, -7e-5]], ["ok"] * 2),
    "a rounding error apart": ([[1.0, 1e6, 5.0], [1.0 + 1e-15, 1e6 + 1e-9, 5.0]], ["ok"] * 2),
    "twelve decades": ([[1e-6, 1e6, 1.0], [1e6, 1e-6, 2.0], [1.0, 1.0, 0.5]], ["ok"] * 3),
    "infinite": ([[np.inf, 1.0, 1.0], [1.0, 2.0, 3.0]], ["ok"] * 2),
}


FEW = ("nothing told", "all failed", "equal and huge", "negative", "twelve decades")


@pytest.mark.parametrize("case", [pytest.param(c, marks=[] if c in FEW else [pytest.mark.slow]) for c in ODD])
def test_odd_runs_are_drawn_without_an_error_or_a_warning(case: str) -> None:
    values, status = ODD[case]
    rows = np.asarray(values, dtype=np.float64).reshape(-1, 3)
    rows = np.column_stack([rows, rows[:, 0]])
    objectives = [ERROR, ACCURACY, Objective("cost", "$ per $"), LATENCY]
    three, four = (table(objectives[:m], rows[:, :m], status) for m in (3, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawings = [front_figure(three, 1, 2), front_3d_figure(three), parallel_figure(four)]
        drawings += [cloud_figure(three), hypervolume_figure(three)]
        for figure in drawings:
            figure.set_dpi(50)  # in half the time
            assert (rendered(figure) < 200).sum() > 100


def test_a_run_without_feasible_results_shows_hollow_markers_and_no_front() -> None:
    run = table([ERROR, PARAMS], [[1, 20], [2, 10], [3, 30]], None, "error <= 0.5")
    figure = front_figure(run, 0, 1)
    assert len(drawn(figure, "outside the limits")) == 3
    assert len(drawn(figure, "front")) == 0
    assert len(figure.axes[0].lines) == 0
    for other in (cloud_figure(run), hypervolume_figure(run)):
        assert (rendered(other) < 200).any()


def test_a_run_without_results_shows_a_sentence() -> None:
    for draw in figures(table([ERROR, PARAMS, MADDS], [])).values():
        assert "no result" in texts(draw())


def test_every_feasible_evaluation_is_drawn_once() -> None:
    run = some_run([ERROR, PARAMS, MADDS], 80, "madds <= 2e8")
    figure = front_figure(run, 0, 1)
    labels = ("evaluated (darker: later)", "rest of the front", "front in these two")
    feasible = np.isfinite(run.points).all(axis=1)
    shown = np.concatenate([drawn(figure, label) for label in labels])
    expected = run.told.loc[feasible, ["error", "params"]].to_numpy()
    np.testing.assert_array_equal(shown[np.lexsort(shown.T)], expected[np.lexsort(expected.T)])
    hollow = drawn(figure, "outside the limits")
    assert len(hollow) == 77 - feasible.sum() > 0


def test_the_front_of_two_objectives_is_that_of_the_table() -> None:
    run = some_run([ACCURACY, PARAMS])
    shown = drawn(front_figure(run, 0, 1), "front")
    expected = run.front[["accuracy", "params"]].to_numpy()
    np.testing.assert_array_equal(shown[np.argsort(-shown[:, 0])], expected)


def test_of_three_objectives_the_pair_is_strong_and_the_rest_of_the_front_lighter() -> None:
    run = some_run([ERROR, PARAMS, MADDS])
    figure = front_figure(run, 0, 2)
    usable = run.points[np.isfinite(run.points).all(axis=1)]
    strong, lighter = drawn(figure, "front in these two"), drawn(figure, "rest of the front")
    assert len(strong) == len(non_dominated(usable[:, [0, 2]]))
    assert len(lighter) > 0
    assert len(strong) + len(lighter) == len(run.front)


def test_the_cloud_darkens_with_the_order_of_evaluation() -> None:
    run = table([ERROR, PARAMS], [[1, 1], [9, 9], [0, 0], [8, 8]], ["ok", "ok", "failed", "ok"])
    cloud = next(c for c in front_figure(run, 0, 1).axes[0].collections if "darker" in c.get_label())
    assert list(cloud.get_array()) == [2, 4]
    first, last = (sum(cloud.cmap(cloud.norm(k))[:3]) for k in (2, 4))
    assert last < first


def test_the_front_line_steps_along_the_border_of_the_dominated_region() -> None:
    corners = staircase(np.array([[3.0, 1.0], [1.0, 4.0], [2.0, 2.0]]), np.array([1.0, 1.0]))
    np.testing.assert_array_equal(corners, [[1, 4], [2, 4], [2, 2], [3, 2], [3, 1]])


def test_the_front_line_of_a_maximised_objective_bends_away_from_its_better_end() -> None:
    corners = staircase(np.array([[90.0, 5.0], [80.0, 1.0]]), np.array([-1.0, 1.0]))
    np.testing.assert_array_equal(corners, [[90, 5], [80, 5], [80, 1]])


def test_axes_name_the_objective_its_unit_and_the_better_direction() -> None:
    ax = front_figure(some_run([ACCURACY, PARAMS]), 0, 1).axes[0]
    assert ax.get_xlabel().split("    ") == ["accuracy (%)", "higher is better →"]
    assert ax.get_ylabel().split("    ") == ["params (parameters, log scale)", "← lower is better"]


def test_the_counts_stand_under_the_title() -> None:
    values = [[1, 8], [9, 1], [9, 9], [2, 2], [0, 0], [0, 0]]
    run = table([ERROR, PARAMS], values, ["ok"] * 4 + ["failed", "invalid"], "params <= 8")
    assert "5 evaluations · 3 on the front · 1 failed · 1 outside the limits" in texts(
        front_figure(run, 0, 1)
    )


@pytest.mark.parametrize(
    ("item", "values", "log"),
    [
        (PARAMS, [1.0, 30.0], False),
        (PARAMS, [1.0, 33.0], True),
        (PARAMS, [-1.0, 33.0], False),
        (PARAMS, [0.0, 33.0], False),
        (Objective("speed", maximize=True), [1.0, 33.0], True),
        (ACCURACY, [1.0, 99.0], False),
    ],
)
def test_an_axis_is_logarithmic_from_one_and_a_half_decades_of_positive_values(
    item: Objective, values: list[float], log: bool
) -> None:
    assert axis_of(item, np.array(values), np.array([True, True])).log is log


def test_a_logarithmic_axis_is_native_in_2d_and_of_logarithms_in_3d() -> None:
    run = some_run([ERROR, PARAMS, MADDS])
    assert front_figure(run, 0, 1).axes[0].get_yscale() == "log"
    ax = front_3d_figure(run).axes[0]
    assert 4 < ax.get_ylim()[0] < ax.get_ylim()[1] < 9
    assert any("M" in t.get_text() for t in ax.yaxis.get_ticklabels())


def test_a_few_diverged_results_do_not_squeeze_the_plot_and_are_counted() -> None:
    good = np.column_stack([np.linspace(5, 8, 40), np.linspace(8, 5, 40)])
    run = table([ERROR, PARAMS], [*good.tolist(), [90, 6.6], [90, 6.6]])
    figure = front_figure(run, 0, 1)
    assert figure.axes[0].get_xlim()[1] < 10
    assert "2 poorer beyond the axes" in texts(figure)


def test_no_member_of_the_front_is_ever_out_of_view() -> None:
    good = np.column_stack([np.linspace(5, 8, 40), np.linspace(8, 5, 40)])
    run = table([ERROR, PARAMS], [*good.tolist(), [90, 1.0]])
    assert front_figure(run, 0, 1).axes[0].get_xlim()[1] > 90


def test_the_3d_plot_has_every_member_of_the_front() -> None:
    run = some_run([ERROR, PARAMS, MADDS])
    figure = front_3d_figure(run)
    rendered(figure)  # what lies out of view would be dropped by then
    assert len(drawn(figure, "front")) == len(run.front)


def test_parallel_coordinates_hold_a_line_for_each_member_with_better_at_the_top() -> None:
    run = table([ACCURACY, PARAMS, MADDS, LATENCY], [[90, 9, 2, 2], [80, 1, 2, 3], [70, 9, 9, 9]])
    lines = next(c for c in parallel_figure(run).axes[0].collections if c.get_label() == "front")
    heights = np.array([segment[:, 1] for segment in lines.get_segments()])
    assert heights.shape == (2, 4)
    worse, better = heights
    assert worse[0] < better[0]  # sorted by accuracy, upwards
    assert worse[1] > better[1]  # one parameter stands above nine


def test_hypervolume_is_drawn_over_evaluations_and_over_seconds_with_its_reference() -> None:
    values = [[4, 4], [0, 0], [2, 2], [0, 0], [1, 1]]
    run = table([ERROR, PARAMS], values, ["ok", "failed", "ok", "invalid", "ok"])
    figure = hypervolume_figure(run)
    left, right = (ax.lines[0].get_xydata() for ax in figure.axes)
    np.testing.assert_array_equal(left[:, 0], [1, 2, 3, 4])  # invalid trials cost no evaluation
    np.testing.assert_array_equal(right[:, 0], [2, 4, 6, 10])
    np.testing.assert_array_equal(left[:, 1], run.curve[[0, 1, 2, 4]])
    assert "reference point (error 4.4 %, params 4.4 parameters)" in figure.get_supxlabel()


def test_the_reference_point_is_stated_in_the_direction_of_the_user() -> None:
    item = Objective("accuracy", "%", maximize=True, best=100.0, reference=10.0)
    run = table([item, PARAMS], [[50, 4], [60, 5]])
    assert (
        "(accuracy 10 %, params 5.5 parameters) to the ideal point (accuracy 100 %, params 0 parameters)"
        in hypervolume_figure(run).get_supxlabel().replace("\n", " ")
    )


def test_a_long_search_is_drawn_over_hours() -> None:
    run = some_run([ERROR, PARAMS])
    run.told["told_seconds"] *= 100
    assert hypervolume_figure(run).axes[1].get_xlabel() == "hours of search"


def test_the_cloud_over_time_follows_the_best_feasible_value_of_each_objective() -> None:
    values = [[5, 50], [0, 0], [4, 60], [6, 90], [1, 99]]
    run = table([ERROR, ACCURACY], values, ["ok", "failed", "ok", "ok", "ok"], "error >= 2")
    figure = cloud_figure(run)
    curves = [next(line for line in ax.lines if line.get_label() == "best so far") for ax in figure.axes]
    np.testing.assert_array_equal(curves[0].get_xydata(), [[1, 5], [3, 4], [4, 4], [5, 4]])
    np.testing.assert_array_equal(curves[1].get_ydata(), [50, 60, 90, 90])
    failed = next(line for line in figure.axes[0].lines if line.get_label() == "failed")
    assert list(failed.get_xdata()) == [2]


def test_a_single_objective_without_results_is_drawn_in_words(tmp_path: Path) -> None:
    (path,) = write_plots(tmp_path, table([ERROR], [[0]], ["failed"]))
    assert (levels(path) < 200).sum() > 500


def test_a_single_objective_is_drawn_as_the_best_so_far_over_both_clocks() -> None:
    figure = best_figure(table([ACCURACY], [[50], [40], [70]]))
    curves = [ax.lines[0].get_xydata().tolist() for ax in figure.axes]
    assert curves == [[[1, 50], [2, 50], [3, 70]], [[2, 50], [4, 50], [6, 70]]]


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-3e7, 4e9), (93.21, 93.24), (1e6, 1e6 + 3), (1e-7, 9e-7), (2.5e3, 1.2e4)]
)
def test_tick_labels_are_distinct_and_lie_within_the_axis(low: float, high: float) -> None:
    ticks = linear_ticks(low, high)
    assert len(ticks) >= 2
    assert low <= ticks.min()
    assert ticks.max() <= high
    assert len(set(tick_labels(ticks))) == len(ticks)


@pytest.mark.parametrize(("low", "high"), [(0.2, 8.0), (3e4, 5e7), (1e-9, 1e9), (1.1, 40.0)])
def test_logarithmic_ticks_are_few_and_distinct(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert 2 <= len(ticks) <= 12
    assert len(set(tick_labels(ticks))) == len(ticks)


def test_large_numbers_are_written_short() -> None:
    assert [short(v) for v in (3_400_000.0, 218e6, 1500.0, 20_000.0, -2.5, 0.0)] == [
        "3.4M",
        "218M",
        "1500",
        "20k",
        "−2.5",
        "0",
    ]
