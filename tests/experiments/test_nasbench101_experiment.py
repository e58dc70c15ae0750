"""The scripts of experiments/nasbench101: their runs, rows, scores and tests."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nas
from nas.compare.config import check_comparison
from nas.compare.folder import remember
from nas.compare.runs import Comparison, carry_out
from nas.config.schema import read_config
from nas.core.errors import ConfigError
from nas.core.records import Architecture, Trial
from nas.engine.loop import LoopSettings

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "nasbench101"))

import accuracy
import cells_runs
import cells_scoring
import moead
from ablation_parts import GreedyInfill, RandomInfill, WithDuplicates, WithoutNormalisation
from cells_report import compared, curve_report, summary_table
from cells_runs import Run
from cells_tasks import Task, load, problems

FOLDER = Path(accuracy.__file__).parent


class Grid(nas.SearchSpace):
    """Two genes of six."""

    name = "grid"
    cardinalities = (6, 6)

    def cost(self, architecture: Architecture) -> dict[str, float]:
        return {"params": 1.0 + architecture.genes[0], "madds": 1.0 + architecture.genes[1]}

    def enumerate(self) -> Any:
        return (Architecture("grid", (i, j)) for i in range(6) for j in range(6))


def measure(trial: Trial) -> dict[str, float]:
    """Seen: something noisy; reported: the truth."""
    error = 20.0 - sum(trial.architecture.genes)
    return {"error": error + trial.seed % 3, "test_error": error, "train_seconds": 86_400.0}


def task(*names: str, timed: bool = False) -> Task:
    return Task("grid", "a grid", nas.Problem(Grid(), names, measure), "seen", "reported", timed=timed)


@pytest.fixture
def comparison(tmp_path: Path) -> Path:
    """The folder of a comparison of two algorithms with two seeds on one task."""
    config = check_comparison(
        {
            "problems": [{"name": "t", "space": "nas.testing.toy:ToySpace", "objectives": ["error", "params"], "budget": 12, "evaluator": "nas.testing.toy:toy_error"}],
            "algorithms": ["random", {"name": "local-search", "label": "local search"}],
            "seeds": 2,
            "initial": 0,
        }
    )  # fmt: skip
    made = Comparison(config, tmp_path, tmp_path)
    remember(made)
    for key in list(made.every_run())[:3]:
        carry_out(made, key)
    return tmp_path


def test_complete_runs_take_the_place_of_committed_rows(
    comparison: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scored(run: Run) -> list[dict[str, Any]]:
        assert len(run.told) == run.budget == 12
        return [{"method": f"{run.method}!", "value": run.told["error"].min()}]

    monkeypatch.setattr(cells_runs, "HERE", tmp_path)
    (tmp_path / "results").mkdir()
    old = [{"task": "t", "method": m, "seed": 1, "value": -1.0} for m in ("random!", "local search!")]
    pd.DataFrame(old).to_csv(tmp_path / "results" / "x.csv", index=False)
    args = argparse.Namespace(runs=[comparison], out=tmp_path, engine="0123abc")
    frame = cells_runs.rows("x", args, scored, ("random!", "local search!"))
    assert frame[["method", "seed"]].to_numpy().tolist() == [
        ["random!", 0], ["random!", 1], ["local search!", 0], ["local search!", 1]
    ]  # fmt: skip
    assert (frame["value"] == -1.0).tolist() == [False, False, False, True]
    assert frame["engine"].tolist() == ["0123abc"] * 3 + [cells_runs.FIRST]
    assert len(pd.read_csv(tmp_path / "x.csv")) == 4


def test_a_folder_without_a_comparison_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not the folder of a comparison"):
        cells_runs.of_comparison(tmp_path, lambda run: [])


def test_a_setting_that_was_chosen_counts_as_tuned(shared_data: Path) -> None:
    known = load("5v-final-1", shared_data).everything[:20]
    told = known.assign(error=known["test_error"], train_seconds=9.0)
    run = Run("5v-final-1", "regularized evolution 50/10", 0, 20, told)
    names = [row["method"] for row in accuracy.scored({"5v-final-1": "50/10"}, shared_data, run)]
    assert names == [accuracy.TUNED, "regularized evolution 50/10"]
    names = [row["method"] for row in accuracy.scored({"5v-final-1": "10/5"}, shared_data, run)]
    assert names == ["regularized evolution 50/10"]


def test_the_best_is_chosen_by_searched_and_reported_by_true_values() -> None:
    told = pd.DataFrame(
        {
            "status": ["ok"] * 12,
            "error": [5, 4, 4, 6, 3] + [9] * 7,
            "test_error": range(12),
            "train_seconds": 43_200.0,
        }
    )
    row = accuracy.best_so_far(task("error", timed=True), told, 12)
    assert (row["test_10"], row["days_10"]) == (4.0, 5.0)
    assert "test_15" not in row


def test_the_found_front_is_scored_by_the_reported_values() -> None:
    told = pd.DataFrame(
        {"status": "ok", "architecture": ["a", "b", "c"], "error": [1.0, 2.0, 3.0], "params": [2.0, 3.0, 1.0],
         "test_error": [9.0, 1.0, 5.0]}
    )  # fmt: skip
    assert cells_scoring.reported(task("error", "params"), told).tolist() == [[9.0, 2.0], [5.0, 1.0]]


def test_the_whole_space_has_all_of_the_true_hypervolume() -> None:
    known = task("error", "params")
    told = known.everything.assign(error=known.everything["test_error"])
    row = cells_scoring.quality_row(known, told, [10, 36], 36)
    assert row["hv_36"] == 1.0
    assert row["igd_plus"] == 0.0
    assert len(known.truth) == 6


def test_at_most_a_hundred_cells_are_scored_the_best_in_the_searched_objectives() -> None:
    rng = np.random.default_rng(0)
    told = pd.DataFrame(rng.random((300, 2)), columns=["error", "params"]).assign(
        test_error=lambda t: t["error"]
    )
    kept = cells_scoring.population(task("error", "params"), told)
    assert len(kept) == cells_scoring.POPULATION
    best = told.loc[told["error"].idxmin(), ["test_error", "params"]].tolist()
    assert best in kept.tolist()


def test_a_method_that_is_better_with_every_seed_is_called_so_and_few_seeds_are_not_tested() -> None:
    values = {"ours": pd.Series(range(12)), "theirs": pd.Series(range(12)) + 1.5}
    found = compared(values, "ours")["theirs"]
    assert found["verdict"] == "better"
    assert float(str(found["p_holm"])) < 0.001
    few = compared({m: v[:3] for m, v in values.items()}, "ours")["theirs"]
    assert str(few["verdict"]).startswith("too few seeds")


def test_the_table_names_the_better_method_and_the_test() -> None:
    rows = [("t", m, s, 1.0 - s / 100 - (m == "b") / 10) for m in "ab" for s in range(10)]
    frame = pd.DataFrame(rows, columns=["task", "method", "seed", "hv_50"])
    text = summary_table(curve_report(frame, "hv", [50, 100], "a"), "median")
    assert "| b | 10 | 0.855 | worse than a at 50 (A 0.00, p 0.00" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "algorithm", [WithoutNormalisation, WithDuplicates, GreedyInfill, RandomInfill], ids=lambda a: a.__name__
)
def test_every_variant_of_the_ablation_searches(algorithm: Any) -> None:
    known = task("error", "params")
    run = partial(nas.search, known.problem.space, known.names, measure, algorithm=algorithm)
    loop = LoopSettings(evaluations=25, seed=1, concurrency=1)
    history = run(loop=loop).history
    assert len(history) == 25
    assert history["architecture"].is_unique == (algorithm is not WithDuplicates)
    assert run(loop=loop).history["architecture"].tolist() == history["architecture"].tolist()


@pytest.mark.parametrize("name", ["5v-final-3", "5v-short-1", "13k C10/MOP2", "nb201-cifar10-2"])
def test_a_task_measures_its_reported_values(shared_data: Path, name: str) -> None:
    known = load(name, shared_data)
    problem = known.problem
    cell = problem.space.sample(np.random.default_rng(0))
    values = {**problem.measure()(Trial(0, cell, 0)), **problem.cheap_values(cell)}
    assert set(known.columns) | set(known.names) <= set(values)
    assert known.timed == ("train_seconds" in values)
    assert known.name == name


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(file.stem for file in FOLDER.glob("*.yaml")))
def test_every_comparison_can_begin(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = check_comparison(read_config(FOLDER / f"{name}.yaml"))
    if name != "full":  # needs all of NASBench-101
        (tmp_path / "shared").mkdir()
        (tmp_path / "shared" / "data").symlink_to(shared_data)
        (tmp_path / "here").mkdir()
        monkeypatch.chdir(tmp_path / "here")
        Comparison(config, FOLDER, tmp_path / "out").check()


def test_every_committed_row_has_its_task(shared_data: Path) -> None:
    tasks = {
        str(name)
        for file in ("accuracy", "fronts", "evoxbench", "preference", "ablation", "scaling", "tuning_runs")
        for name in pd.read_csv(FOLDER / "results" / f"{file}.csv")["task"].unique()
    }
    assert tasks <= set(problems(shared_data))


def test_a_setting_of_moead_is_chosen_on_other_tables() -> None:
    shares = {
        "5v-final-2": (0.9, 0.1),
        "5v-short-2": (0.9, 0.1),
        "13k-2": (0.1, 0.9),
        "nb201-cifar100-2": (0.1, 0.9),
    }
    rows = [
        {"task": task, "method": method, "seed": 1000, "hv": hv}
        for task, both in shares.items()
        for method, hv in zip("ab", both, strict=True)
    ]
    found = moead.choice(pd.DataFrame(rows)).query("chosen").set_index("table")["method"]
    assert found.to_dict() == {"5v": "b", "13k": "a", "nb201-cifar100": "a"}
