"""`nas.search` and `nas.load_run`: arguments, files, and errors in users' own parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from engine_parts import Grid, quick

import nas
from nas.core.errors import ConfigError, ForeignFileError, HistoryError
from nas.core.records import Architecture, Trial
from nas.executors import SimulatedSettings
from nas.training import Halving

OBJECTIVES = ["error", "params", "madds"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    return nas.search(
        Grid(),
        OBJECTIVES,
        quick,
        budget=40,
        seed=3,
        out=tmp_path_factory.mktemp("api") / "run",
        limits=["params <= 35"],
        algorithm="moead",
    )


def test_front_csv_has_the_architecture_and_one_column_an_objective(run) -> None:
    table = pd.read_csv(run.out / "front.csv")
    assert list(table.columns) == ["architecture", "error", "params", "madds"]
    assert list(table["architecture"]) == list(run.front["architecture"])


def test_the_front_is_exactly_the_feasible_non_dominated_set(run) -> None:
    seen = run.history[run.history["params"] <= 35]
    points = seen[OBJECTIVES].to_numpy()
    free = [
        not any((q <= p).all() and (q < p).any() for q in points) for p in points
    ]  # the definition, compared pair by pair
    assert set(run.front["architecture"]) == set(seen["architecture"][free])


def test_the_summary_counts_and_measures(run) -> None:
    summary = json.loads((run.out / "summary.json").read_text())
    assert summary == run.summary
    assert {"evaluations": 40, "ok": 40, "failed": 0, "state": "finished"}.items() <= summary.items()
    assert summary["front_size"] == len(run.front)
    assert 0 < summary["hypervolume"] <= 1


def test_config_json_names_seed_versions_and_settings(run) -> None:
    config = json.loads((run.out / "config.json").read_text())
    assert config["seed"] == 3
    assert config["algorithm"] == "moead"
    assert config["algorithm_settings"]["population"] >= 3
    assert {"python", "numpy", "multiobjective-nas"} <= config["versions"].keys()


def test_history_parquet_holds_every_trial(run) -> None:
    pd.testing.assert_frame_equal(pd.read_parquet(run.out / "history.parquet"), run.history)


def test_plots_are_written(run) -> None:
    names = {path.name for path in (run.out / "plots").iterdir()}
    assert {"front_error_params.png", "front_3d.png", "hypervolume.png", "cloud.png"} <= names


def test_no_half_written_file_is_left(run) -> None:
    assert not list(run.out.rglob("*.part"))


def test_load_run_reads_the_same_front_without_the_space(run) -> None:
    table, meta = nas.load_run(run.out)
    pd.testing.assert_frame_equal(table.front, run.front)
    assert meta["identity"]["space"] == "grid"


def test_searches_in_memory_and_in_a_folder_agree(run) -> None:
    kept = nas.search(
        Grid(), OBJECTIVES, quick, budget=40, seed=3, limits=["params <= 35"], algorithm="moead"
    )
    pd.testing.assert_frame_equal(kept.front, run.front)
    assert kept.summary["hypervolume"] == run.summary["hypervolume"]
    assert list(kept.history["architecture"]) == list(run.history["architecture"])


@pytest.mark.usefixtures("no_plots")
def test_cardinalities_of_numpy_integers_are_fine(tmp_path: Path) -> None:
    space = Grid()
    space.cardinalities = tuple(np.array([6] * 6))
    assert len(nas.search(space, OBJECTIVES, quick, budget=20, out=tmp_path / "run", algorithm="moead").front)


def search(**changes):
    arguments = {"space": Grid(), "objectives": OBJECTIVES, "evaluate": quick, "budget": 20} | changes
    return nas.search(**{"algorithm": "moead", **arguments})


class Costless(nas.SearchSpace):
    name = "costless"
    cardinalities = (3, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "grid"}, "space: expected a SearchSpace, got str"),
        ({"space": Costless()}, "objectives params, madds are read from the space's cost.*'costless' has none"),
        ({"objectives": []}, "objectives: expected at least one"),
        ({"objectives": "error"}, r"objectives: expected a list, got 'error' alone"),
        ({"objectives": ["params", "params"]}, "each name may appear once"),
        ({"objectives": ["eror"]}, r"unknown objective 'eror' \(did you mean 'error'\?\)"),
        ({"objectives": [nas.Objective("status", cheap=True)]}, "'status' is a reserved column"),
        ({"evaluate": None}, 'evaluate: needed to measure error.*@space.build.*data="FOLDER" trains them'),
        ({"data": "digits"}, "data: not used with evaluate"),
        ({"evaluate": None, "data": "digits"}, "data: space 'grid' builds no networks to train; decorate .*@space.build"),
        ({"evaluate": None, "training": {}}, "training: space 'grid' builds no networks"),
        ({"evaluate": 3}, "evaluate: expected a callable, got int"),
        ({"limits": "params <= 3"}, "limits: expected a list"),
        ({"limits": ["size <= 3"]}, "'size' is not an objective of this search"),
        ({"limits": ["params =< 3"]}, "expected 'objective <= number'"),
        ({"limits": ["params <= 9"]}, "no architecture of space 'grid' was found that meets them; the nearest had params = 10"),
        ({"algorithm": "moaed"}, r"algorithm: unknown 'moaed' \(did you mean 'moead'\?\)"),
        ({"algorithm": lambda problem: 3}, "cannot be made from .problem, rng, settings.: TypeError"),
        ({"algorithm": lambda problem, rng, settings: 3}, "expected a nas.Algorithm, got int"),
        ({"executor": "rayy"}, r"executor: unknown 'rayy' \(did you mean 'ray'\?\)"),
        ({"budget": 0}, "evaluations: expected a whole number of at least 1, got 0"),
        ({"budget": 5}, "budget: 5 evaluations are fewer than the .* of the initial design of moead"),
        ({"resume": True}, "resume: needs out"),
    ],
)  # fmt: skip
def test_an_invalid_argument_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        search(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"limits": ["params <= 9"]}, {"algorithm": "moaed"}, {"budget": 5}, {"executor_settings": "x"}],
)
def test_a_search_that_cannot_start_leaves_no_folder(changes: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 (which one is tested elsewhere)
        search(out=tmp_path / "run", evaluate=None if "executor_settings" in changes else quick, **changes)
    assert not (tmp_path / "run").exists()


def test_an_exact_objective_that_raises_is_named_with_its_architecture_and_line() -> None:
    def depth(architecture: Architecture) -> float:
        return architecture.layers  # type: ignore[attr-defined]

    message = r"objective 'depth': failed for architecture \d-.* of space 'grid': AttributeError: .*test_api.py, line \d+, in depth"
    with pytest.raises(ConfigError, match=message):
        search(objectives=["error", nas.Objective("depth", cheap=True, function=depth)])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "large", None])
def test_an_exact_objective_that_is_not_a_number_is_named_with_its_architecture(value: object) -> None:
    item = nas.Objective("depth", cheap=True, function=lambda architecture: value)  # type: ignore[arg-type,return-value]
    with pytest.raises(
        ConfigError, match=r"objective 'depth': expected a finite number for architecture \d-"
    ):
        search(objectives=["error", item])


def test_a_cost_that_raises_is_named_with_its_architecture() -> None:
    class Broken(Grid):
        def cost(self, architecture: Architecture) -> dict[str, float]:
            return {}[architecture]  # type: ignore[index]

    with pytest.raises(ConfigError, match=r"cost\(\): failed for architecture .*KeyError"):
        search(space=Broken())


def test_an_exact_objective_that_the_cost_does_not_have_is_named() -> None:
    with pytest.raises(
        ConfigError, match="'latency': the cost of space 'grid' has no such entry; it has params, madds"
    ):
        search(objectives=["error", nas.Objective("latency", cheap=True)])


def test_an_evaluator_may_report_more_values_even_under_a_column_name_of_the_table() -> None:
    def evaluate(trial: Trial) -> dict[str, float]:
        return {**quick(trial), "train_loss": 0.5, "seconds": 7.0}

    history = search(evaluate=evaluate).history
    assert (history["train_loss"] == 0.5).all()
    assert (history["reported_seconds"] == 7.0).all()
    assert (history["seconds"] < 7.0).all()


@pytest.mark.usefixtures("no_plots")
def test_a_folder_with_a_run_is_not_written_over(tmp_path: Path) -> None:
    first = search(out=tmp_path / "run")
    with pytest.raises(HistoryError, match="already holds a run: continue it with --resume"):
        search(out=tmp_path / "run", budget=30)
    pd.testing.assert_frame_equal(nas.load_run(tmp_path / "run")[0].front, first.front)


@pytest.mark.usefixtures("no_plots")
def test_a_folder_with_other_files_is_refused_with_the_first_of_them(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ForeignFileError, match=r"\(first: notes\.txt"):
        search(out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("inside", ["", "deeper/run"])
def test_a_file_in_place_of_the_folder_is_named(inside: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match=r"out: .*file.* is a file, or lies below one"):
        search(out=tmp_path / "file" / inside)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_name_that_is_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"out: .*x\.\.\.: File name too long; choose another folder"):
        search(out=tmp_path / ("x" * 300))


@pytest.mark.usefixtures("no_plots")
def test_one_objective_gives_a_front_of_one(tmp_path: Path) -> None:
    result = search(objectives=["error"], out=tmp_path / "run")
    assert len(result.front) == 1
    assert result.front["error"][0] == result.history["error"].min()


@pytest.mark.parametrize(
    "changes",
    [
        {"executor": {"name": "simulated", "workers": 3, "generational": True}},
        {"executor": "simulated", "executor_settings": {"workers": 3, "generational": True}},
        {"executor": {"name": "simulated"}, "executor_settings": SimulatedSettings(3, generational=True)},
    ],
)
def test_settings_of_an_executor_are_a_mapping_or_an_object(changes: dict[str, object]) -> None:
    expected = SimulatedSettings(3, generational=True)
    given = nas.search(Grid(), OBJECTIVES, quick, budget=4, algorithm="random", **changes)
    plain = nas.search(
        Grid(),
        OBJECTIVES,
        quick,
        budget=4,
        algorithm="random",
        executor="simulated",
        executor_settings=expected,
    )
    assert given.history["seconds"].tolist() == plain.history["seconds"].tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"executor": {"name": "ray", "wokers": 2}},
            "executor ray: no setting 'wokers'.*did you mean 'workers'",
        ),
        ({"executor_settings": {"timeout": 2}}, "executor serial: no setting 'timeout'"),
        ({"executor_settings": 2}, "executor_settings: expected a SerialSettings or a mapping .*, got int"),
        ({"executor": {"workers": 2}}, "executor: expected one of serial, ray, simulated"),
        (
            {"executor": {"name": "ray", "workers": 2}, "executor_settings": {"retries": 1}},
            "in one of the two",
        ),
        ({"loop": {"halving": {"frist": 1}}}, "halving settings: no setting 'frist'.*did you mean 'first'"),
        ({"loop": {"halvin": {}}}, "loop settings: no setting 'halvin'.*did you mean 'halving'"),
        ({"loop": 3}, r"loop: expected nas\.LoopSettings or a mapping, got 3"),
    ],
)
def test_wrong_settings_in_a_mapping_are_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        nas.search(Grid(), OBJECTIVES, quick, budget=2, algorithm="random", **changes)


def test_halving_is_a_mapping_or_an_object() -> None:
    values = {"first": 1, "last": 4, "eta": 2}
    assert nas.LoopSettings(halving=values).halving == Halving(**values)
    with pytest.raises(ConfigError, match=r"halving: expected nas\.training\.Halving, or a mapping"):
        nas.LoopSettings(halving=9)
    given = nas.search(Grid(), OBJECTIVES, quick, budget=6, algorithm="random", loop={"halving": values})
    assert given.history["budget"].notna().all()
    assert nas.Study(Grid(), OBJECTIVES, algorithm="random", halving=values).ask().budget == 1
