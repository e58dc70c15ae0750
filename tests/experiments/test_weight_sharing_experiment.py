"""The experiment weight_sharing: a space within a range of costs, a row for a supernet, the curve of committed rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nas.sharing.supernet
from nas.sharing.settings import SupernetSettings
from nas.training.data import Digits
from nas.training.recipe import Recipe

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "real_pool"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "weight_sharing"))

import curve
import equal_compute
import overhead
import pools
import recorded
import residual
import supernets
import within

DIGITS = nas.TaskSpec(in_channels=1, num_classes=10, image_size=(8, 8))


@pytest.fixture
def small() -> within.Within:
    """Small ResNets of one stage for the digits, 18 of them without the limit."""
    fixed = residual.space.fix({"stages.kernel": 3}, depth=1, stem=3, activation="relu", width=8)
    return within.Within(fixed.for_task(DIGITS), 0, 40_000)


def test_a_space_within_a_range_has_its_networks_alone(small: within.Within) -> None:
    rng = np.random.default_rng(0)
    drawn = [small.sample(rng) for _ in range(20)]
    drawn += [small.mutate(a, rng) for a in drawn]
    assert all(small.is_valid(a) and small.cost(a)["madds"] <= 40_000 for a in drawn)
    whole = [small.canonical(small.base.sample(rng)) for _ in range(40)]
    assert {small.is_valid(a) for a in whole} == {True, False}


def test_a_supernet_gives_a_row_with_inherited_values(
    small: within.Within, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nas.sharing.supernet, "NETWORKS", 40)
    rng = np.random.default_rng(0)
    networks = list(dict.fromkeys(small.sample(rng) for _ in range(4)))
    listed = pd.DataFrame({"index": range(len(networks)), "network": [small.format(a) for a in networks]})
    recipe = Recipe(batch_size=64, max_pictures=256, ema_decay=0.9)
    row = supernets.measured(
        small, Digits(), recipe, SupernetSettings(epochs=1, seed=3), tmp_path / "s", listed
    )
    supernets.add(tmp_path / "rows.csv", row)
    assert supernets.done(tmp_path / "rows.csv") == {(3, 1)}
    assert row["cpu_seconds"] > 0
    errors = json.loads(row["inherited_error"])
    assert len(errors) == len(networks)
    assert all(0 <= e <= 100 for e in errors)


def test_the_evaluated_networks_stay_when_the_pool_grows() -> None:
    data = recorded.read(pools.RESULTS / "resnets.csv")
    rows = supernets.chosen("resnets", data)
    assert len(set(rows)) == supernets.COUNT
    fewer = recorded.Recorded(data.table.iloc[:176], {})
    assert supernets.chosen("resnets", fewer) == rows


def test_the_highest_tau_with_the_mean_of_two_trainings_is_above_that_of_two() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(size=400)
    pair = true[:, None] + 0.7 * rng.normal(size=(400, 2))
    seeds = curve.tau(*pair.T)
    assert curve.most_with_mean(seeds) == pytest.approx(curve.tau(true, pair.mean(axis=1)), abs=0.05)


def test_the_curve_of_the_committed_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(curve, "ROUNDS", 3)
    committed = curve.RESULTS / "supernets_resnets.csv"
    (tmp_path / committed.name).write_bytes(committed.read_bytes())
    monkeypatch.setattr(sys, "argv", ["curve.py", "--results", str(tmp_path)])
    curve.main()
    table = pd.read_csv(tmp_path / "curve_resnets.csv")
    known = pd.read_csv(curve.RESULTS / "curve_resnets.csv")
    assert table["partial"].to_numpy() == pytest.approx(known["partial"].to_numpy(), nan_ok=True)
    assert (tmp_path / "curve_resnets.png").stat().st_size > 10_000
    assert "| inherited loss |" in capsys.readouterr().out


def test_longer_trainings_judge_the_networks_that_have_all_their_seeds() -> None:
    def row(index: int, seed: str, errors: list[float]) -> dict[str, object]:
        curve = {"curve_error": json.dumps(errors), "cpu_seconds": 10.0 * len(errors)}
        return {"index": index, "seed": seed, "madds": 1e6 * index, "params": 1000, **curve}

    short = pd.DataFrame([row(i, seed, [60.0 + i, 50.0 + i]) for i in (1, 2, 3) for seed in "AB"])
    trained = [(1, "A", 20.0), (3, "B", 31.0), (2, "A", 25.0), (3, "A", 30.0), (1, "B", 22.0)]
    longer = pd.DataFrame([row(i, seed, [70.0, 65.0, error]) for i, seed, error in trained])
    own, places = curve.longer_of(short, longer, [3, 2, 1])
    assert places == [0, 2]
    assert own.error.tolist() == [[30.0, 31.0], [20.0, 22.0]]
    assert own.costs[:, 0].tolist() == [3e6, 1e6]
    assert own.short is not None
    assert own.short.tolist() == [[53.0, 53.0], [51.0, 51.0]]
    assert (own.seconds, own.short_seconds) == (30.0, 20.0)


def test_overhead_leaves_out_the_first_evaluations_of_each_worker() -> None:
    history = pd.DataFrame(
        {
            "worker": ["a"] * 4 + ["b"] * 3,
            "started": [0.0, 10.0, 11.1, 12.2, 0.0, 9.0, 10.5],
            "finished": [9.0, 11.0, 12.1, 13.2, 8.0, 10.0, 11.5],
            "seconds": [9.0, 1.0, 1.0, 1.0, 8.0, 1.0, 1.0],
            "evaluation_seconds": [8.0, 0.9, 0.9, 1.0, 8.0, 1.0, 0.8],
        }
    )
    found = overhead.overheads(history)
    assert found["overhead"].round(3).tolist() == [0.2, 0.1, 0.7]


def test_a_front_is_scored_by_recorded_test_errors(tmp_path: Path) -> None:
    table = tmp_path / "finalists.csv"
    for network, madds, error in (("a", 1e5, 52.5), ("b", 4e6, 30.0), ("c", 1e6, 80.0)):
        row = {"network": network, "madds": madds, "test_error": error, "test_loss": 1.0}
        equal_compute.pool.append(table, row, list(row))
    front = pd.DataFrame({"architecture": ["a", "b", "c"], "madds": [1e5, 4e6, 1e6]})
    volume, members = equal_compute.score(front, table)
    assert members == 3
    assert volume == pytest.approx(0.5)  # the second lies on the edge of the box
