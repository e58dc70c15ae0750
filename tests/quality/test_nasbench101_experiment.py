"""The scripts of experiments/nasbench101: what they run, keep, score and test."""

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
from nas.config.schema import read_config
from nas.core.records import Architecture, Trial
from nas.engine.loop import LoopSettings

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "nasbench101"))

import accuracy
import cells_harness
import cells_scoring
from ablation_parts import GreedyInfill, RandomInfill, WithDuplicates, WithoutNormalisation
from cells_report import compared, curve_report, summary_table
from cells_tasks import Task, load

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
    return Task("grid", "a grid", Grid(), names, measure, "seen", "reported", timed=timed)


def args(**changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**{"workers": 1, "minutes": None, **changes})


def work(log: Path, job: cells_harness.Job) -> dict[str, Any]:
    with log.open("a") as file:
        file.write(f"{job.task} {job.method} {job.seed}\n")
    return {"value": job.seed}


def test_only_what_is_missing_is_run(tmp_path: Path) -> None:
    log, file = tmp_path / "log", tmp_path / "rows.csv"
    order = ["b", "a"]
    cells_harness.run_missing(
        file, cells_harness.jobs_of(["t"], order, [0]), partial(work, log), order, args()
    )
    frame = cells_harness.run_missing(
        file, cells_harness.jobs_of(["t"], order, [0, 1]), partial(work, log), order, args()
    )
    assert sorted(log.read_text().split("\n")[:-1]) == ["t a 0", "t a 1", "t b 0", "t b 1"]
    assert frame[["method", "seed"]].to_numpy().tolist() == [["b", 0], ["b", 1], ["a", 0], ["a", 1]]


def test_no_run_is_begun_after_the_limit(tmp_path: Path) -> None:
    jobs = cells_harness.jobs_of(["t"], ["a"], range(40))
    done = cells_harness.run_missing(
        tmp_path / "rows.csv", jobs, partial(work, tmp_path / "log"), ["a"], args(minutes=0.0)
    )
    assert 0 < len(done) < 40


def test_the_best_is_chosen_by_what_is_seen_and_reported_by_what_is_true() -> None:
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


def test_the_found_front_is_judged_by_what_is_reported() -> None:
    told = pd.DataFrame(
        {"status": "ok", "architecture": ["a", "b", "c"], "error": [1.0, 2.0, 3.0], "params": [2.0, 3.0, 1.0],
         "test_error": [9.0, 1.0, 5.0]}
    )  # fmt: skip
    assert cells_scoring.reported(task("error", "params"), told).tolist() == [[9.0, 2.0], [5.0, 1.0]]


def test_the_whole_space_has_all_of_the_true_hypervolume() -> None:
    known = task("error", "params")
    history = known.everything.assign(status="ok", error=known.everything["test_error"])
    row = cells_scoring.quality_row(known, history, [10, 36], 36)
    assert row["hv_36"] == 1.0
    assert row["igd_plus"] == 0.0
    assert len(known.truth) == 6


def test_at_most_a_hundred_cells_are_scored_the_best_by_what_was_seen() -> None:
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


def test_the_table_says_who_was_better_and_by_what_test() -> None:
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
    run = partial(nas.search, known.space, known.objectives, known.evaluate, algorithm=algorithm)
    loop = LoopSettings(evaluations=25, seed=1, concurrency=1)
    history = run(loop=loop).history
    assert len(history) == 25
    assert history["architecture"].is_unique == (algorithm is not WithDuplicates)
    assert run(loop=loop).history["architecture"].tolist() == history["architecture"].tolist()


@pytest.mark.parametrize("name", ["5v-final-3", "5v-short-1", "13k C10/MOP2", "nb201-cifar10-2"])
def test_a_task_measures_what_it_reports(shared_data: Path, name: str) -> None:
    known = load(name, shared_data)
    cell = known.space.sample(np.random.default_rng(0))
    values = {
        **known.evaluate(Trial(0, cell, 0)),
        **nas.Problem(known.space, known.objectives, known.evaluate).cheap_values(cell),
    }
    assert set(known.columns) | set(known.names) <= set(values)
    assert known.timed == ("train_seconds" in values)
    assert known.name == name


def test_the_comparison_by_the_tool_is_one_that_it_reads() -> None:
    config = check_comparison(read_config(FOLDER / "compare.yaml"))
    assert [len(p.objectives) for p in config.problems] == [3, 3, 3]
