"""The pool of real trainings: resumed lists and tables, the noise ceiling, and the replays over a pool."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import nas
from nas.cli.comparing import Flags, run_compare
from nas.core.errors import ConfigError, TrainingDiverged
from nas.core.records import Architecture, Trial
from nas.testing import check_space
from nas.training.feed import MemoryFeed, Normalise, Prepared
from nas.training.recipe import Recipe

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "real_pool"))

import expected_values
import noise_ceiling
import pool
import pool_space
import pools
import recorded
import replays
import surrogate_share


def tiny_data(images: int = 20) -> Prepared:
    """Random images of 24 pixels in ten classes, the same in each split."""
    pixels = torch.randint(0, 255, (images, 24, 24, 3), dtype=torch.uint8)
    normalise = Normalise(torch.full((3,), 120.0), torch.full((3,), 60.0), channels_last=True)
    feed = MemoryFeed(pixels, torch.arange(images) % 10, normalise)
    return Prepared(feed, feed, feed, tuple("0123456789"), (0.0,) * 3, (1.0,) * 3)


def made_up(path: Path, count: int = 40, noise: float = 1.0) -> None:
    """A table of `count` networks of the ResNet pool: an error that falls with the cost, and noise of each seed."""
    space, rng = pools.pool_of("resnets").space, np.random.default_rng(0)
    rows, found = [], set()
    while len(found) < count:
        found.add(space.canonical(space.sample(rng)))
    for index, architecture in enumerate(sorted(found, key=lambda a: a.genes)):
        true = 60.0 - 0.5 * sum(architecture.genes)
        for seed in "AB":
            error = true + noise * rng.normal()
            row: dict[str, object] = dict.fromkeys(pool.COLUMNS, error)
            row |= {f"{split}_loss": true / 30 + 0.01 * rng.normal() for split in pool.SPLITS}
            row |= {c: json.dumps([error + 2, error + 1, error]) for c in pool.COLUMNS if "curve" in c}
            row |= {"index": index, "seed": seed, "params": 1000 + index, "madds": 2000 - index}
            rows.append(row | {"network": space.format(architecture)})
    pd.DataFrame(rows).to_csv(path, index=False)


@pytest.fixture
def table(tmp_path: Path) -> recorded.Recorded:
    made_up(tmp_path / "resnets.csv")
    return recorded.read(tmp_path / "resnets.csv")


def test_a_longer_list_of_networks_extends_a_shorter_one(tmp_path: Path) -> None:
    muxnet = pools.pool_of("muxnet")
    first = pools.networks(muxnet, 3, tmp_path / "one")
    longer = pools.networks(muxnet, 5, tmp_path / "one")
    assert longer[:3] == first == pools.networks(muxnet, 3, tmp_path / "other")
    assert len(set(longer)) == 5
    assert all(muxnet.least <= pools.madds(muxnet, a) <= muxnet.most for a in longer)


def test_the_committed_networks_are_those_of_the_seed() -> None:
    path = pools.RESULTS / "networks_muxnet.csv"
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    muxnet = pools.pool_of("muxnet")
    for row in rows[:3]:
        assert muxnet.space.format(pools.draw(muxnet, int(row["draw"]), 20)) == row["network"]


def test_a_killed_run_continues_after_its_last_whole_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    muxnet, path = pools.pool_of("muxnet"), tmp_path / "muxnet.csv"
    listed = pools.networks(muxnet, 2, tmp_path)
    recipe = Recipe(epochs=2, batch_size=10, lr=0.01, ema_decay=0.5)
    pool.fill(muxnet, listed[:1], tiny_data(), path, recipe)
    whole = path.read_bytes()
    path.write_bytes(whole + b"1,A,333,44")
    pool.fill(muxnet, listed, tiny_data(), path, recipe, part=(0, 2))  # the other part's network is left out
    assert path.read_bytes() == whole
    pool.fill(muxnet, listed, tiny_data(), path, recipe, part=(1, 2))
    assert path.read_bytes().startswith(whole)
    frame = pd.read_csv(path)
    assert list(zip(frame["index"], frame["seed"], strict=True)) == [(0, "A"), (0, "B"), (1, "A"), (1, "B")]
    assert tuple(frame.columns) == pool.COLUMNS
    curve = json.loads(frame["curve_loss"][0])
    assert len(curve) == 2
    assert curve[-1] == frame["val_loss"][0]


def test_a_training_that_diverges_leaves_an_empty_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*arguments: object) -> None:
        raise TrainingDiverged("the training loss became inf")

    monkeypatch.setattr(pool, "train", diverge)
    made_up(tmp_path / "muxnet.csv", 2)
    muxnet = pools.pool_of("muxnet")
    listed = [pools.draw(muxnet, 0, 20)] * 3
    pool.fill(muxnet, listed, tiny_data(), tmp_path / "muxnet.csv", Recipe())
    assert len(pd.read_csv(tmp_path / "muxnet.csv")) == 6
    assert len(recorded.read(tmp_path / "muxnet.csv")) == 2


def test_soft_error_is_one_minus_the_mean_probability_of_the_true_class() -> None:
    class Constant(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 10)

    scores = pool.measure(Constant(), tiny_data().test)
    assert scores == pytest.approx({"error": 90.0, "loss": np.log(10), "soft": 90.0})


def test_the_ceiling_ranks_the_less_noisy_value_first(table: recorded.Recorded) -> None:
    found = noise_ceiling.ceiling(table, rounds=20).set_index("value")
    assert found.loc["loss", "tau_test"] > found.loc["error", "tau_test"]
    assert found.loc["loss", "icc"] > found.loc["error", "icc"]
    assert (found["tau_test_low"] <= found["tau_test_high"]).all()
    assert len(noise_ceiling.markdown(found.reset_index())) == len(found) + 2


def test_intraclass_correlation_of_equal_seeds_is_one_and_of_independent_ones_about_zero() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=500)
    assert noise_ceiling.intraclass(np.stack([values, values], axis=1)) == pytest.approx(1.0)
    assert abs(noise_ceiling.intraclass(rng.normal(size=(500, 2)))) < 0.15


@pytest.fixture
def folder(tmp_path: Path) -> str:
    made_up(tmp_path / "resnets.csv")
    return str(tmp_path)


def test_the_networks_of_a_pool_are_a_space(folder: str) -> None:
    space = pool_space.space("resnets", folder)
    check_space(space)
    rng = np.random.default_rng(0)
    members = set(space.members)
    first, second = space.sample(rng), space.sample(rng)
    for _ in range(20):
        assert space.mutate(first, rng) in members - {first}
        assert space.crossover(first, second, rng) in members - {first, second}
    assert set(space.neighbours(first, rng)) <= members - {first}
    outside = Architecture(space.name, tuple(int(g) for g in rng.integers(0, space.cardinalities)))
    assert space.canonical(outside) in members


def test_a_replay_sees_one_seed_and_reports_the_other(folder: str) -> None:
    space, data = pool_space.space("resnets", folder), recorded.read(Path(folder) / "resnets.csv")
    trial = Trial(0, space.members[3], 0)
    plain = pool_space.Replay("resnets", results=folder)(trial)
    assert plain["error"] == data.values["error"][3, 0]
    assert plain["test_error"] == data.test[3, 1]
    swapped = pool_space.Replay("resnets", "loss", swapped=True, results=folder)(trial)
    assert swapped["error"] == data.values["loss"][3, 1]
    assert swapped["test_error"] == data.test[3, 0]
    with pytest.raises(ConfigError, match="expected a value"):
        pool_space.Replay("resnets", "accuracy", results=folder)


@pytest.mark.parametrize("algorithm", ["moead", "local-search"])
def test_searches_move_through_the_pool(folder: str, algorithm: str) -> None:
    space = pool_space.space("resnets", folder)
    evaluate = pool_space.Replay("resnets", results=folder)
    found = nas.search(space, ["error", "params", "madds"], evaluate, algorithm=algorithm, budget=30, seed=1)
    assert found.history["architecture"].nunique() == 30


def test_the_surrogates_are_compared_with_the_ceiling(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "surrogates.csv"
    models = ["pairwise-ridge", "rbf"]
    frame = surrogate_share.fill(path, ["resnets"], [20, 200], 2, models, ["error", "loss"], folder)
    again = surrogate_share.fill(path, ["resnets"], [20, 200], 2, models, ["error", "loss"], folder)
    assert len(frame) == len(again) == len(pd.read_csv(path)) == 8
    summary = surrogate_share.summary(frame)
    assert set(summary["results"]) == {20}
    assert len(surrogate_share.markdown(summary)) == 2 + 4


def test_the_report_of_the_replays_pairs_both_directions(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("write_figures", "_page"):  # which take longer than the runs
        monkeypatch.setattr(f"nas.compare.report.{name}", lambda *given: "")

    def problem(name: str, swapped: bool) -> dict[str, Any]:
        where = {"pool": "resnets", "results": folder}
        return {
            "name": name,
            "space": {"name": f"{pool_space.__file__}:space", **where},
            "objectives": ["error", "params", "madds"],
            "evaluator": {"name": f"{pool_space.__file__}:Replay", "swapped": swapped, **where},
            "report": "test_error",
            "reference": {"enumerate": True},
        }

    config = {
        "problems": [problem("resnets", False), problem("resnets-swapped", True)],
        "algorithms": [{"name": "local-search", "label": replays.REFERENCE}, "random"],
        "budget": 10,
        "checkpoints": [5, 10],
        "seeds": 2,
        "executor": "serial",
        "workers": 1,
        "out": str(tmp_path / "runs"),
    }
    file = tmp_path / "replays.yaml"
    file.write_text(json.dumps(config), encoding="utf-8")
    run_compare(file, Flags(), report_only=False)
    shares = replays.shares(file, tmp_path / "runs")
    wide = shares.pivot_table(index=["method", "run", "evaluations"], columns="score", values="share")
    assert len(wide) == 2 * 4 * 2
    assert (wide["trained"] >= wide["reported"] - 1e-12).all()
    assert wide["trained"].le(1 + 1e-12).all()
    table = replays.medians(shares)
    assert set(table["runs"]) == {4}
    effort = replays.needed(table)
    assert set(effort["score"]) == {"reported", "trained"}
    assert sum("| random |" in line for line in replays.markdown(table, effort, [5, 10])) == 2


def test_the_front_by_measured_errors_has_a_part_of_the_hypervolume(table: recorded.Recorded) -> None:
    together = table.table.assign(madds=table.table["params"])
    exact = table.values | {"error": table.test[:, ::-1]}
    assert replays.limit(recorded.Recorded(together, exact), 0) == 1.0
    assert 0.5 < replays.limit(recorded.Recorded(together, table.values), 0) < 1.0


def test_expected_values_of_one_seed_are_compared_with_the_test_errors_of_the_other(tmp_path: Path) -> None:
    made_up(tmp_path / "resnets.csv", 30)
    found = expected_values.table_of(recorded.read(tmp_path / "resnets.csv"), pools.pool_of("resnets"))
    assert found["networks"].tolist() == [12, 25, 30]
    data = recorded.read(tmp_path / "resnets.csv")
    off = np.abs(data.values["error"] - data.test[:, ::-1]).mean()
    assert found["off_measured"].iloc[-1] == pytest.approx(off)
    assert found[[c for c in found if c.startswith("inside")]].stack().between(0, 1).all()
