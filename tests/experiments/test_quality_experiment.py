"""The comparison of experiments/quality: its configs, its rows and reports."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas
from nas.algorithms.peers import PEERS
from nas.compare.config import check_comparison
from nas.compare.runs import Comparison
from nas.config.schema import read_config
from nas.core.problem import Problem
from nas.core.records import Architecture, Observation, Trial
from search_spaces.nasbench201 import NASBench201

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "quality"))

import costs
import report
import rows
from bananas import Bananas
from five_vertices import Errors, cells

FOLDER = Path(report.__file__).parent


@pytest.mark.parametrize("name", ["compare", "concurrent", "single_objective", "costs", "costs_shared"])
def test_every_comparison_can_begin(name: str, shared_data: Path, tmp_path: Path) -> None:
    values = read_config(FOLDER / f"{name}.yaml")
    installed = [a for a in values["algorithms"] if "optuna" not in str(a) and "syne" not in str(a)]
    for problem in values["problems"]:
        for part in (problem["space"], problem["evaluator"]):
            if isinstance(part, dict):
                part["path"] = str(shared_data / Path(part["path"]).name)
    for part in check_comparison(values).algorithms:
        if part.name in PEERS:
            PEERS[part.name].Settings(**part.settings)
    config = check_comparison({**values, "algorithms": installed})
    Comparison(config, FOLDER, tmp_path).check()
    assert {problem.name.partition("@")[0].split()[0] for problem in config.problems} >= {"nasbench101_5v"}


def test_the_cells_of_five_vertices_are_looked_up(shared_data: Path) -> None:
    path = str(shared_data / "nasbench101_5v")
    space = cells(path)
    assert len(list(space.enumerate())) == space.size == 2516
    cell = space.canonical(space.sample(np.random.default_rng(0)))
    assert Errors(path)(Trial(0, cell, 5))["error"] == space.values[cell][0]
    noisy = [Errors(path, 0.5)(Trial(0, cell, seed))["error"] for seed in (1, 1, 2)]
    assert noisy[0] == noisy[1] != noisy[2]
    assert space.cost(cell)["params"] == space.values[cell][1]


def compared(folder: Path, measure: str, **files: pd.DataFrame) -> Path:
    """What `nas compare` writes of one run of 50 evaluations, as far as it is read here."""
    run = {"problem": "nasbench201-cifar10@8", "algorithm": "moead", "seed": 3}
    runs = pd.DataFrame([{**run, "seconds": 1.5, "architectures": 50}])
    at = [{**run, "measure": measure, "evaluations": n, "value": n / 100} for n in (25, 50)]
    searched = pd.DataFrame(at).assign(values="searched")
    reported = searched.assign(values="reported", value=searched["value"] + 1)
    targets = [{**run, "target": t, "evaluations": n} for t, n in ((0.9, 7), (0.95, np.nan))]
    reference = pd.DataFrame({"problem": [run["problem"]] * 3, "front_hypervolume": 0.8})
    quality = pd.concat([searched, reported]) if measure == "best" else searched
    for name, frame in {
        "runs": runs, "quality": quality, "reached": pd.DataFrame(targets), "reference": reference
    }.items():  # fmt: skip
        (folder / "results").mkdir(exist_ok=True)
        frame.to_csv(folder / "results" / f"{name}.csv", index=False)
    return folder


def test_runs_of_a_comparison_take_the_place_of_committed_ones(tmp_path: Path) -> None:
    fresh = rows.of_comparison(compared(tmp_path, "hypervolume"))
    old = pd.DataFrame(
        [
            {"table": "nasbench201-cifar10", "method": m, "seed": 3, "budget": 50, "at_25": 0.1, "to_90": 9}
            for m in ("sa-moead", "moead@8")
        ]
    )
    found = rows.merged(old, fresh).set_index("method")
    assert found["at_25"].tolist() == [0.1, 0.3125]
    assert found.loc["moead@8", "to_90"] == 7


def test_with_one_objective_the_seen_and_the_reported_error_are_kept(tmp_path: Path) -> None:
    row = rows.of_comparison(compared(tmp_path, "best")).iloc[0]
    assert (row["seen_25"], row["test_25"], row["test_50"]) == (0.25, 1.25, 1.5)


def test_a_target_that_most_runs_miss_takes_infinitely_long() -> None:
    run = {"table": "t", "method": "moead", "budget": 100, **dict.fromkeys(rows.TO, np.nan)}
    frame = pd.DataFrame([{**run, "seed": i, "to_95": 1 if i == 0 else np.nan} for i in range(3)])
    needed = report.effort(frame).set_index("percent")
    assert needed.loc[95, "reached"] == 1
    assert np.isinf(needed.loc[95, "median"])


def test_the_committed_runs_are_reported_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "draw", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["report.py", "--out", str(tmp_path)])
    report.main()
    for name in ("medians.csv", "effort.csv", "tests.csv", "tables.md", "single_objective_summary.csv"):
        assert (tmp_path / name).read_text() == (FOLDER / "results" / name).read_text()


@pytest.mark.slow
def test_bananas_asks_for_new_valid_cells_and_beats_random_search_on_an_easy_error() -> None:
    def error(architecture: Architecture) -> float:
        return float(sum(gene != 3 for gene in architecture.genes)) + 0.1 * architecture.genes[0]

    def best(algorithm: object) -> float:
        found = nas.search(
            NASBench201(), [nas.Objective("error", function=error)], algorithm=algorithm, budget=60
        )
        assert found.history["architecture"].is_unique
        return float(found.history["error"].min())

    assert best(Bananas) < best("random")


def test_bananas_asks_the_same_for_the_same_seed() -> None:
    def asked() -> list[Architecture]:
        problem = Problem(NASBench201(), [nas.Objective("error", function=lambda a: float(sum(a.genes)))])
        algorithm = Bananas(problem, np.random.default_rng(3))
        for _ in range(3):
            cells = algorithm.ask(10)
            algorithm.tell([Observation(a, np.array([float(sum(a.genes))]), 0.0, True) for a in cells])
        return cells

    assert asked() == asked()


def shares(costs_of: dict[tuple[str, str], float]) -> pd.DataFrame:
    """Rows of 21 seeds of one table, by form of the costs and method; seeds differ by a little."""
    found = [
        {"table": "t", "costs": form, "method": method, "seed": seed}
        | dict.fromkeys(costs.AT, value + seed / 1000)
        for (form, method), value in costs_of.items()
        for seed in range(21)
    ]
    return pd.DataFrame(found)


def test_a_rival_counts_with_the_better_of_its_forms_where_costs_are_shared() -> None:
    known = {("known", "sa-moead"): 0.9, ("known", "a"): 0.8, ("known", "b"): 0.95}
    frame = shares({**known, ("shared", "a"): 0.85, ("shared", "b"): 0.5})
    found = costs.values(frame, "t", "shared", "at_100")
    assert {method: of[0] for method, of in found.items()} == {"sa-moead": 0.9, "a": 0.85, "b": 0.95}
    assert {m: p.verdict() for m, p in costs.tests(frame, "t", "shared", "at_100").items()} == {
        "a": "worse",
        "b": "better",
    }
    assert costs.values(frame, "t", "unknown", "at_100") == {}
    text = costs.report(frame)
    assert "| b | 21 | 0.960* | 0.960* | 0.960* |" in text
    assert "sa-moead is ahead in 3 of 6 comparisons." in text
    assert "t: no runs." in text
