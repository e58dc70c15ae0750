"""The synthetic problems of experiments/quality/large_space.py, and the runs of searches.py."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "quality"))

import baselines
import large_space
import many_objectives
import searches

from nas.core.records import Architecture
from nas.testing import check_space


def test_an_instance_is_the_same_each_time_and_has_known_costs() -> None:
    one, again, other = (large_space.Instance(n) for n in (1, 1, 2))
    genes = np.random.default_rng(0).integers(0, one.cardinalities, (50, 24))
    values = one.values(genes)
    assert np.array_equal(values, again.values(genes))
    assert one.objectives == ("error", "params", "madds")
    assert other.objectives == ("error", "params")
    assert np.prod(np.array(one.cardinalities, dtype=float)) == pytest.approx(5.8e15, rel=0.01)
    space = large_space.LargeSpace(one)
    check_space(space)
    cost = space.cost(Architecture(space.name, tuple(genes[0].tolist())))
    assert [cost["params"], cost["madds"]] == values[0, 1:].tolist()


def test_the_first_instance_has_fixed_values() -> None:
    zeros = large_space.Instance(0).values(np.zeros((1, 24)))[0]
    assert zeros == pytest.approx([18.947472, 904545.83], rel=1e-5)


@pytest.mark.parametrize("number", [0, 1])
def test_the_best_known_front_has_all_of_the_hypervolume(number: int) -> None:
    problem = large_space.problem(number)
    frame = pd.read_csv(large_space.REFERENCE)
    front = frame[frame["instance"] == number][list(problem.objectives)].to_numpy()
    assert problem.share(front) == pytest.approx(1.0)
    assert problem.share(front[:3]) < 0.9


def test_runs_are_not_repeated_and_noise_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = large_space.problem(0)
    replay = searches.search(problem, "moead:population=5", 20, 3, noise=0.05)
    ratio = replay.measured / replay.true
    assert np.all(ratio[:, 1] == 1.0)
    assert 0.01 < np.log(ratio[:, 0]).std() < 0.1
    parser = argparse.ArgumentParser()
    searches.add_arguments(parser, tmp_path / "runs.csv")
    args = parser.parse_args("--methods random moead --seeds 1 --budget 50".split())
    searches.main(args, [problem])
    first = (tmp_path / "runs.csv").read_text()
    searches.main(args, [problem])
    assert (tmp_path / "runs.csv").read_text() == first
    assert len(first.splitlines()) == 3
    assert "| moead | 1 |" in (tmp_path / "runs.md").read_text()
    with pytest.raises(SystemExit, match="unknown method"):
        searches.parsed("nsga7")


@pytest.mark.slow
def test_ten_objectives_of_a_synthetic_table() -> None:
    problem = many_objectives.synthetic(100)
    space = problem.space()
    check_space(space)
    assert len(problem.objectives) == 10
    genes = np.random.default_rng(0).integers(0, space.cardinalities, (30, 8))
    values = problem.values(genes)
    cost = space.cost(Architecture(space.name, tuple(genes[0].tolist())))  # type: ignore[attr-defined]
    assert list(cost.values()) == values[0, -2:].tolist()
    assert 0.0 < problem.share(values[:3]) < problem.share(values) < 1.0


def test_the_published_tables_are_looked_up(shared_data: Path) -> None:
    problem = baselines.nasbench101(str(shared_data))
    space = problem.space()
    cells = [space.canonical(space.sample(np.random.default_rng(i))) for i in range(20)]
    values = problem.values(np.array([cell.genes for cell in cells]))
    assert list(space.cost(cells[3]).values()) == values[3, 1:].tolist()  # type: ignore[attr-defined]
    assert problem.share(values[:2]) < problem.share(values) < 1.0
