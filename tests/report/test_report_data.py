"""The description of a run before rendering the page."""

from __future__ import annotations

import json
import math
import shlex
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_parts import (
    ACCURACY,
    ERROR,
    FIVE,
    NASTY,
    PARAMS,
    THREE,
    failed,
    frame_of,
    notes,
    some_source,
    source_of,
    table_of,
)

import nas
from nas.core.errors import ConfigError, HistoryError
from nas.core.space import HasBlocks
from nas.pareto.archive import non_dominated
from nas.report import rows as rows_module
from nas.report import write_page, write_report
from nas.report.assembling import as_json
from nas.report.gather import describe
from nas.report.sources import UNDER_WAY, Source, _with_space, read_source
from nas.report.timeline import timeline
from nas.runs.run_folder import run_table
from nas.testing.toy import ToySpace, toy_error
from search_spaces.muxnet import MUXNetSpace
from search_spaces.nasbench101 import NASBench101
from search_spaces.nasbench201 import NASBench201

SPACES = {
    "muxnet-tiny": MUXNetSpace("tiny"),
    "nasbench101": NASBench101.digits(),
    "nasbench101-full": NASBench101(),
    "nasbench201": NASBench201(),
    "nasbench201-odd": NASBench201(channels=5, image_size=9, cells_per_stage=2),
}


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES.keys())
def test_the_blocks_of_a_network_add_up_to_its_cost(space: HasBlocks) -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        architecture = space.canonical(space.sample(rng))  # type: ignore[attr-defined]
        parts, cost = space.blocks(architecture), space.cost(architecture)  # type: ignore[attr-defined]
        assert sum(b.params for b in parts) == cost["params"]
        assert sum(b.madds for b in parts) == cost["madds"]


def test_the_rows_of_the_front_are_those_of_front_csv() -> None:
    source = some_source(60)
    (run,) = describe([source]).runs
    assert {run.rows.architecture[i] for i in run.rows.front} == set(source.table.front["architecture"])


def test_values_keep_their_units_and_directions() -> None:
    source = some_source(30, FIVE)
    report = describe([source])
    assert [(m.name, m.unit, m.maximize) for m in report.measures] == [
        (o.name, o.unit, o.maximize) for o in FIVE
    ]
    shown = report.runs[0].rows.values[0]
    assert shown == pytest.approx(source.table.frame["accuracy"].tolist())


def test_what_breaks_a_limit_is_shown_as_outside_and_not_on_the_front() -> None:
    source = source_of(table_of(frame_of(THREE, 40), THREE, "params <= 1e6"), limits=["params <= 1e+06"])
    report = describe([source])
    rows = report.runs[0].rows
    assert rows.outside
    assert set(rows.outside) == {i for i, value in enumerate(rows.values[1]) if value > 1e6}
    assert not set(rows.outside) & set(rows.front)
    assert report.measures[1].limits == ["params <= 1e+06"]


def test_results_of_lower_budgets_are_not_compared() -> None:
    frame = frame_of(THREE, 6)
    frame["budget"] = [1.0, 1.0, 1.0, 3.0, 3.0, 9.0]
    frame["architecture"] = ["a", "b", "c", "a", "b", "a"]
    rows = describe([source_of(table_of(frame, THREE))]).runs[0].rows
    assert rows.superseded == [0, 1, 3]
    assert rows.unrated == [0, 1, 2, 3, 4]
    assert rows.front == [5]
    assert rows.further["budget"] == [1, 1, 1, 3, 3, 9]


def test_results_of_an_earlier_run_come_first_and_name_it() -> None:
    early = frame_of(THREE, 5, seed=3)[
        ["architecture", "status", "error", "params", "madds", "seed", "budget"]
    ]
    early["architecture"] = [f"early-{i}" for i in range(5)]
    early["origin"] = "runs/before"
    table = run_table(frame_of(THREE, 10), THREE, (), 5, (), early)
    rows = describe([source_of(table)]).runs[0].rows
    assert rows.order[:6] == [None] * 5 + [1]
    assert list(rows.further["origin"][:6]) == ["runs/before"] * 5 + [""]
    assert {rows.architecture[i] for i in rows.front} == set(table.front["architecture"])


def test_a_huge_run_keeps_its_front_and_names_the_omitted_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MOST_ROWS", 200)
    source = some_source(500, (ERROR, PARAMS))
    report = describe([source])
    rows = report.runs[0].rows
    assert len(rows.trial) <= 200
    assert rows.left_out == 500 - len(rows.trial)
    assert len(rows.front) == len(source.table.front)
    assert any(f"{rows.left_out:,} evaluations" in note for note in report.notes)
    assert max(rows.trial) > 450  # evenly over the search, not its beginning


def test_a_front_that_is_too_long_itself_is_thinned_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "MOST_ROWS", 50)
    source = some_source(300, FIVE)
    report = describe([source])
    rows = report.runs[0].rows
    assert len(rows.trial) <= 50
    assert rows.front_left_out == len(source.table.front) - len(rows.front)
    assert any(f"{rows.front_left_out:,} of them on the front" in note for note in report.notes)
    assert max(rows.values[0]) == pytest.approx(source.table.front["accuracy"].max())


def test_long_architectures_make_room_for_fewer_rows() -> None:
    frame = frame_of(THREE, 200)
    frame["architecture"] = [
        text.ljust(rows_module.MOST_CHARACTERS // 50, "x") for text in frame["architecture"]
    ]
    rows = describe([source_of(table_of(frame, THREE))]).runs[0].rows
    assert len(rows.trial) <= 60


def test_failures_are_grouped_by_their_words_with_an_example() -> None:
    frame = failed(frame_of(THREE, 20), [3, 9], "ValueError: 3 is odd\n  File x")
    frame = failed(frame, [5], "stopped after 2 s", "timeout")
    frame.loc[9, "reason"] = "ValueError: 11 is odd"
    first, second = describe([source_of(table_of(frame, THREE))]).runs[0].failures
    assert (first.status, first.count, first.reason, first.trial) == ("failed", 2, "ValueError: 3 is odd", 3)
    assert first.details.endswith("File x")
    assert (second.status, second.count) == ("timeout", 1)


def test_a_run_in_which_everything_failed_has_failures_and_no_curve_that_rises() -> None:
    frame = failed(frame_of(THREE, 6), list(range(6)), "ValueError: no")
    report = describe([source_of(table_of(frame, THREE))])
    (run,) = report.runs
    assert run.rows.architecture == []
    assert run.knee is None
    assert run.failures[0].count == 6
    as_json(report)


def test_a_run_without_a_result_yet_makes_a_page() -> None:
    frame = frame_of(THREE, 3).assign(
        status="running", told=np.nan, told_seconds=np.nan, finished=np.nan, started=np.nan
    )
    report = describe([source_of(table_of(frame, THREE))])
    assert report.runs[0].timeline is None
    assert report.runs[0].curve is None
    as_json(report)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_any_number_of_objectives_makes_a_page(count: int) -> None:
    report = describe([some_source(25, FIVE[:count])])
    assert len(report.measures) == count
    assert json.loads(as_json(report))["runs"][0]["knee"] is not None


def test_the_curves_end_at_the_numbers_of_the_summary() -> None:
    source = some_source(60)
    curve = describe([source]).runs[0].curve
    assert curve is not None
    assert curve.hypervolume[-1] == pytest.approx(source.table.hypervolume, rel=1e-5)
    assert curve.igd_plus[-1] == 0
    assert curve.evaluations[-1] == 60


def test_a_long_curve_is_measured_at_some_hundred_places() -> None:
    curve = describe([some_source(3000)]).runs[0].curve
    assert curve is not None
    assert len(curve.evaluations) <= 400
    assert curve.evaluations[-1] == 3000


def test_surrogates_are_listed_by_objective_with_unreliable_ones_marked() -> None:
    source = source_of(table_of(frame_of(THREE, 30), THREE, said=notes()))
    (surrogate,) = describe([source]).runs[0].surrogates
    assert surrogate.objective == "error"
    assert surrogate.told == [10, 20, 30]
    assert surrogate.reliable == [False, True, True]
    assert surrogate.text == "tau 0.4"


def test_a_timeline_has_a_lane_a_worker_in_seconds_from_the_first_start() -> None:
    found = timeline(frame_of(THREE, 8), virtual=False)
    assert found is not None
    assert [w.name for w in found.workers] == ["host:0", "host:1"]
    assert found.workers[0].start == [0, 10, 20, 30]
    assert found.workers[0].end == [9, 19, 29, 39]
    assert found.workers[1].busy == 36
    assert found.span == 39


def test_a_long_pause_between_sessions_is_cut_out_of_the_timeline() -> None:
    frame = frame_of(THREE, 8)
    frame.loc[4:, ["started", "finished"]] += 86_400.0
    found = timeline(frame, virtual=False)
    assert found is not None
    assert found.span == pytest.approx(38)
    assert found.cuts == [(19.0, pytest.approx(86_401.0))]


def test_very_many_trials_are_joined_in_the_timeline_without_losing_one() -> None:
    frame = frame_of(THREE, 20_000)
    found = timeline(frame, virtual=False)
    assert found is not None
    assert sum(len(w.start) for w in found.workers) < 20_000
    assert sum(sum(w.trials) for w in found.workers) == 20_000
    failed_too = timeline(failed(frame, [777], "no"), virtual=False)
    assert failed_too is not None
    assert [s for w in failed_too.workers for s in w.status].count("failed") == 1


def test_of_very_many_workers_the_busiest_are_shown() -> None:
    frame = frame_of(THREE, 400)
    frame["worker"] = [f"w{i % 100}" for i in range(400)]
    found = timeline(frame, virtual=False)
    assert found is not None
    assert len(found.workers) + found.left_out == 100
    assert found.left_out > 0


def test_the_networks_of_the_front_are_taken_apart() -> None:
    space = NASBench101.digits()
    rng = np.random.default_rng(0)
    frame = frame_of(THREE, 12)
    frame["architecture"] = [space.format(space.canonical(space.sample(rng))) for _ in range(12)]
    frame["test_error"] = 5.0
    source = source_of(table_of(frame, THREE))
    source = Source(source.folder, source.table, source.config, source.state, space)
    report = describe([source])
    networks = report.runs[0].networks
    assert [n.row for n in networks.drawn] == sorted(report.runs[0].rows.front)
    first = networks.drawn[0]
    assert first.svg.startswith("<svg")
    assert first.parts[0].kind == "stem"
    assert first.reported == {"test_error": 5}


def test_of_a_long_front_some_networks_are_drawn_the_knee_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.report.gather.MOST_DRAWN", 3)
    (run,) = describe([some_source(300)]).runs
    assert run.networks.left_out == len(run.rows.front) - len(run.networks.drawn)
    assert len(run.networks.drawn) in (3, 4)
    assert run.knee in [network.row for network in run.networks.drawn]


def test_a_space_whose_drawing_fails_is_listed_with_the_reason() -> None:
    class Broken(ToySpace):
        def to_svg(self, architecture: object) -> str:
            raise KeyError("colour")

        def describe(self, architecture: object) -> str:
            return ""

    frame = frame_of(THREE, 5)
    frame["architecture"] = "1-2-3-1-1-1"
    source = source_of(table_of(frame.iloc[:1], THREE))
    source = Source(source.folder, source.table, source.config, source.state, Broken())
    (network,) = describe([source]).runs[0].networks.drawn
    assert "Drawing failed: KeyError" in network.words


def test_commands_survive_a_shell_with_any_folder() -> None:
    source = some_source(20, folder="my runs/it's here")
    (run,) = describe([source]).runs
    for command in run.commands:
        assert str(source.folder) in shlex.split(command.before), command


def test_the_command_to_train_names_data_and_settings_of_the_search() -> None:
    (run,) = describe([some_source()]).runs
    train = next(c for c in run.picks if c.before.startswith("nas train"))
    words = shlex.split(train.before + shlex.quote(train.word.format("r8/x")) + train.after)
    assert words == [
        "nas", "train", "muxnet-tiny:r8/x", "--data", "digits", "--set", "data.validation=0.3", "--set", "space.resolutions=[8]",
    ]  # fmt: skip


def test_the_preference_that_is_suggested_can_be_read() -> None:
    from nas.pareto.preferences import Preference

    source = some_source(30, FIVE)
    (command,) = [c.before for c in describe([source]).runs[0].commands if "--prefer" in c.before]
    Preference.parse(shlex.split(command)[-1], source.table.objectives)


def test_the_data_of_the_page_cannot_end_their_script() -> None:
    frame = failed(frame_of(THREE, 5), [1], f"ValueError: {NASTY} </script> <!-- \u2028")
    report = describe([source_of(table_of(frame, THREE), folder=NASTY, space=NASTY)])
    text = as_json(report)
    assert "<" not in text
    assert "\u2028" not in text
    assert json.loads(text)["runs"][0]["failures"][0]["reason"].startswith(f"ValueError: {NASTY}")


def test_numbers_that_are_not_finite_are_null() -> None:
    assert rows_module.numbers([1.5, math.nan, math.inf, 3.0]) == [1.5, None, None, 3]


def test_runs_are_compared_in_one_box_and_in_the_objectives_that_they_share() -> None:
    first, second = some_source(40, THREE, "runs/a"), some_source(40, (ERROR, PARAMS), "runs/b", seed=5)
    report = describe([first, second])
    assert [m.name for m in report.measures] == ["error", "params"]
    assert [run.name for run in report.runs] == ["a", "b"]
    curves = [run.curve for run in report.runs]
    assert curves[0] is not None
    assert curves[1] is not None
    assert curves[0].box == curves[1].box
    assert any("also has madds" in note for note in report.notes)


def test_the_distance_of_the_best_of_several_runs_is_to_the_front_of_all() -> None:
    sources = [some_source(40, THREE, f"runs/{i}", seed=i) for i in range(3)]
    curves = [run.curve for run in describe(sources).runs]
    assert all(c is not None and c.igd_plus[-1] is not None and c.igd_plus[-1] > 0 for c in curves)
    points = np.concatenate(
        [s.table.front[["error", "params", "madds"]].to_numpy(dtype=float) for s in sources]
    )
    assert len(non_dominated(points)) < len(points)  # else the claim above would say little


def test_runs_that_share_nothing_cannot_be_compared() -> None:
    with pytest.raises(ConfigError, match="have no common objective"):
        describe([some_source(5, (ERROR,)), some_source(5, (PARAMS,))])


def test_runs_that_differ_in_a_unit_cannot_be_compared() -> None:
    other = nas.Objective("error", "share")
    with pytest.raises(ConfigError, match="minimised in share"):
        describe([some_source(5, (ERROR,)), source_of(table_of(frame_of((ERROR,), 5), (other,)))])


@pytest.fixture
def run(tmp_path: Path, no_plots: None) -> Path:
    """A small run on disk."""
    nas.search(
        ToySpace(),
        ["error", "params", "madds"],
        toy_error,
        budget=12,
        out=tmp_path / "run",
        algorithm="moead",
    )
    return tmp_path / "run"


def test_a_run_is_read_back_with_how_it_ended(run: Path) -> None:
    source = read_source(run)
    assert source.state == "finished"
    assert source.space is None
    assert source.search is None


def test_a_run_with_more_results_than_its_summary_is_under_way(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps(summary | {"evaluations": 3}))
    source = read_source(run)
    assert source.state == UNDER_WAY
    assert any("is running" in note for note in describe([source]).notes)
    assert any(c.before.startswith("nas watch") for c in describe([source]).runs[0].commands)


def test_one_call_writes_the_page_into_the_folder(run: Path) -> None:
    path = write_report(run, space=ToySpace())
    assert path == run / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_run_with_a_record_of_the_wrong_kind_is_reported_as_damaged(run: Path) -> None:
    with sqlite3.connect(run / "history.sqlite") as db:
        db.execute(
            "UPDATE meta SET value = ? WHERE key = 'config'",
            (json.dumps({"config": None, "loop": [1], "limits": 3}),),
        )
    db.close()
    with pytest.raises(HistoryError, match="is damaged"):
        write_report(run)


@pytest.mark.parametrize("schema", [1, 2])
def test_runs_of_older_versions_have_a_page(schema: int, tmp_path: Path) -> None:
    stored = Path(__file__).parents[1] / "integration" / f"history_schema_{schema}.sql"
    with sqlite3.connect(tmp_path / "history.sqlite") as db:
        db.executescript(stored.read_text(encoding="utf-8"))
    db.close()
    assert write_report(tmp_path).is_file()


def test_a_page_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HistoryError, match="cannot be written"):
        write_page([some_source(5)], tmp_path / "file" / "page.html")


def test_reading_a_run_does_not_execute_the_space_that_it_names(tmp_path: Path, no_plots: None) -> None:
    own = tmp_path / "own.py"
    own.write_text("raise SystemExit('executed')")
    for named in (
        f"{own}:Space",
        {"name": "segmentation", "backbone": f"{own}:Space", "picture": [8, 8], "num_classes": 2},
    ):
        described = named if isinstance(named, dict) else {"name": named}
        table = table_of(frame_of(THREE, 5), THREE)
        source = source_of(table, config={"search": {"space": described}, "base": str(tmp_path)})
        assert _with_space(source).space is None


def test_pandas_strings_and_missing_budgets_become_plain_json() -> None:
    frame = frame_of((ACCURACY,), 4)
    frame["budget"] = pd.array([1.0, None, 2.0, 2.0])
    text = as_json(describe([source_of(table_of(frame, (ACCURACY,)))]))
    assert json.loads(text)["runs"][0]["rows"]["further"]["budget"] == [1, None, 2, 2]
