"""The plot of inherited errors against own trainings, and the networks in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_parts import frame_of
from sharing_notes import EXACT, sharing_note, sharing_table, trained

from nas.core.objectives import Objective
from nas.report.plots import figures, write_plots
from nas.report.sharing import on_page, own_trainings, ranges
from nas.runs.run_folder import RunTable, run_table


def drawn(figure: Any, label: str) -> np.ndarray:
    found = [c for c in figure.axes[0].collections if c.get_label() == label]
    return np.asarray(found[0].get_offsets()) if found else np.empty((0, 2))


def texts(figure: Any) -> str:
    return " | ".join(t.get_text() for t in figure.texts)


def without_cost(table: RunTable) -> RunTable:
    return replace(table, objectives=(table.objectives[0], Objective("params")))


def test_own_trainings_are_those_with_both_errors_and_a_budget() -> None:
    table = sharing_table()
    found = own_trainings(table)
    rows = trained(table)
    assert found.architecture == rows["architecture"].tolist()
    assert found.inherited.tolist() == rows["inherited_error"].tolist()
    assert found.own.tolist() == rows["error"].tolist()
    assert found.cost.tolist() == rows["params"].tolist()
    assert found.decided.tolist() == [True] * 6 + [False] * 2


def test_a_network_trained_twice_counts_once_with_its_last_training() -> None:
    table = sharing_table()
    table.told.loc[19, "architecture"] = table.told["architecture"][12]
    found = own_trainings(table)
    assert len(found.own) == 7
    assert found.own[-1] == table.told["error"][19]


def test_failed_trainings_have_no_error_and_are_left_out() -> None:
    table = sharing_table()
    table.told.loc[14, "error"] = np.nan
    assert len(own_trainings(table).own) == 7


def test_multiply_adds_are_the_cost_if_the_history_has_them() -> None:
    found = own_trainings(sharing_table(madds=True))
    assert found.of_cost is not None
    assert (found.of_cost.name, found.of_cost.unit) == ("madds", "multiply-adds")
    assert own_trainings(without_cost(sharing_table())).of_cost is None


def test_columns_of_texts_in_place_of_errors_are_no_errors() -> None:
    table = sharing_table()
    table.told["inherited_error"] = "wide"
    assert own_trainings(table).architecture == []


@pytest.mark.parametrize(
    ("x", "y", "common"),
    [([20.0, 60.0], [10.0, 30.0], True), ([50.0, 60.0], [1.0, 3.0], False), ([20.0], [20.0], True)],
)
def test_the_axes_have_a_common_range_unless_it_squeezes_one(
    x: list[float], y: list[float], common: bool
) -> None:
    across, up = ranges(np.array(x), np.array(y))
    assert (across == up) is common
    assert across[0] < min(x)
    assert max(x) < across[1]
    assert up[0] < min(y)
    assert max(y) < up[1]


def test_the_plot_shows_every_network_with_both_errors() -> None:
    table = sharing_table()
    figure = figures(table)["sharing.png"]()
    rows = trained(table)[["inherited_error", "error"]].to_numpy()
    assert drawn(figure, "trained for the decision").tolist() == rows[:6].tolist()
    assert drawn(figure, "trained later").tolist() == rows[6:].tolist()
    said = texts(figure)
    assert (
        "tau 0.50 (0.10 to 0.80), given the costs 0.40 (-0.10 to 0.75), bias +41.1 points, 6 networks" in said
    )
    assert figure.axes[1].get_ylabel() == "params (parameters, log scale)"
    (line,) = figure.axes[0].lines
    assert line.get_label() == "equal errors"


def test_the_line_of_equal_errors_may_lie_beyond_the_axes() -> None:
    figure = figures(sharing_table(shift=5000.0))["sharing.png"]()
    assert not figure.axes[0].lines
    assert "the line of equal errors lies beyond the axes" in texts(figure)


def test_a_run_stopped_before_its_decision_has_the_plot_without_numbers() -> None:
    figure = figures(sharing_table([]))["sharing.png"]()
    assert len(drawn(figure, "trained")) == 8
    assert "8 networks, too few to measure the agreement" in texts(figure)


def test_without_a_cost_all_marks_have_one_colour() -> None:
    figure = figures(without_cost(sharing_table()))["sharing.png"]()
    assert len(figure.axes) == 1


def test_other_runs_have_no_such_plot() -> None:
    assert "sharing.png" not in figures(run_table(frame_of(EXACT, 12), EXACT, [], 5))
    only_inherited = sharing_table([])
    only_inherited.told["budget"] = 0.0
    assert "sharing.png" not in figures(only_inherited)


def test_the_file_is_written(tmp_path: Path) -> None:
    assert tmp_path / "sharing.png" in write_plots(tmp_path, sharing_table())


def test_the_page_has_the_decision_and_the_newest_numbers() -> None:
    found = on_page(sharing_table())
    assert found is not None
    assert found.text.endswith("The search goes on with inherited errors.")
    assert [(stage.name, stage.networks) for stage in found.stages] == [
        ("at the decision", 6),
        ("all own trainings", 8),
    ]
    assert [stage.value[0] for stage in found.stages] == [0.5, 0.3]
    assert found.stages[0].value[-1] is None
    assert found.decided == [0, 1, 2, 3, 4, 5]
    assert (found.of_cost, found.unit) == ("params", "parameters")


def test_before_a_later_training_the_page_has_one_row() -> None:
    found = on_page(sharing_table([sharing_note(18)]))
    assert found is not None
    assert len(found.stages) == 1
    assert on_page(sharing_table([])) is None
