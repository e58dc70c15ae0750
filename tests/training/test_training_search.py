"""Searches that train: weights of the front, continued trainings, and checks before any training."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from engine_parts import interrupt_at
from torch import nn

import nas
from nas.core.errors import ConfigError, DataError
from nas.core.records import Trial
from nas.engine.loop import LoopSettings
from nas.training import Halving, Recipe, TrainingEvaluator
from nas.training.data import Cifar10, Digits
from nas.training.loop import judge

QUICK = Recipe(epochs=1, max_pictures=200, batch_size=50)
RULE = Halving(1, 4, 2)
pytestmark = pytest.mark.usefixtures("no_plots")


class SizedTiny(nas.SearchSpace):
    """Two genes: width and layers; with something to trade the error for."""

    name = "sized-tiny"
    cardinalities = (3, 2)

    def build(self, architecture, *, num_classes=10, in_channels=1):
        width = 6 * (architecture.genes[0] + 1)
        layers = [nn.Conv2d(in_channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
        for _ in range(architecture.genes[1]):
            layers += [nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width), nn.ReLU()]
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * width, num_classes)
        )

    def cost(self, architecture):
        return {"params": float(sum(p.numel() for p in self.build(architecture).parameters())), "madds": 1.0}


def search(out: Path | None, stop: int | None = None, **more: Any) -> nas.SearchResult:
    recipe, halving = more.pop("recipe", QUICK), more.pop("halving", RULE)
    space = SizedTiny()
    loop = LoopSettings(evaluations=10, seed=1, concurrency=3, halving=halving)
    settings: dict[str, Any] = {"callbacks": [interrupt_at(stop)], **more}
    return nas.search(
        space, ["error", "params"], TrainingEvaluator(space, Digits(), recipe),
        algorithm="random", loop=loop, out=out, **settings,
    )  # fmt: skip


def values(frame: pd.DataFrame) -> list[Any]:
    return frame[["architecture", "budget", "error", "loss", "epochs"]].to_numpy().tolist()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> nas.SearchResult:
    """A search that was never disturbed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        return search(tmp_path_factory.mktemp("search") / "run")


def test_a_network_of_the_front_is_loaded_with_the_error_that_the_search_found(
    whole: nas.SearchResult,
) -> None:
    assert whole.out is not None
    feed = TrainingEvaluator(SizedTiny(), Digits(), QUICK).prepare().validation
    for _, row in whole.front.iterrows():
        network = nas.load_network(whole.out, row["architecture"], SizedTiny())
        assert not network.training
        assert judge(network, feed, 10).error == pytest.approx(row["error"])


def test_the_folder_has_a_named_file_for_each_network_of_the_front(whole: nas.SearchResult) -> None:
    assert whole.out is not None
    index = json.loads((whole.out / "weights/index.json").read_text())
    assert set(index) == set(whole.front["architecture"])
    files = {path.name for path in (whole.out / "weights").iterdir()}
    assert files == {entry["file"] for entry in index.values()} | {"index.json"}
    assert [index[row["architecture"]]["budget"] for _, row in whole.front.iterrows()] == whole.front[
        "budget"
    ].tolist()


def test_the_file_has_the_normalisation_of_the_images(whole: nas.SearchResult) -> None:
    assert whole.out is not None
    file = next((whole.out / "weights").glob("*.pt"))
    state = torch.load(file, weights_only=True)
    assert (state["num_classes"], state["in_channels"]) == (10, 1)
    images = TrainingEvaluator(SizedTiny()).prepare()
    batch, _ = next(iter(images.train.batches([torch.arange(500)], None)))
    raw = batch * state["std"][0] + state["mean"][0]
    assert torch.allclose(raw, raw.round(), atol=1e-3)
    assert raw.max() <= 255


def test_a_continued_training_trains_only_the_missing_epochs(whole: nas.SearchResult) -> None:
    frame = whole.history
    assert frame[frame["budget"] == 2.0]["trained_epochs"].tolist() == [1.0] * (frame["budget"] == 2.0).sum()
    assert frame["trained_epochs"].sum() == whole.summary["budget_spent"]
    assert (frame["budget"] > 1).sum() >= 2


def test_without_a_folder_the_search_is_the_same(whole: nas.SearchResult) -> None:
    assert values(search(None).history) == values(whole.history)


def test_a_search_that_is_stopped_and_loses_its_weights_ends_as_one_that_never_stopped(
    whole: nas.SearchResult, tmp_path: Path
) -> None:
    assert whole.out is not None
    search(tmp_path / "run", stop=6)
    shutil.rmtree(tmp_path / "run/weights")
    again = search(tmp_path / "run", resume=True)
    assert values(again.history) == values(whole.history)
    left = {entry["file"] for entry in json.loads((tmp_path / "run/weights/index.json").read_text()).values()}
    assert left == {path.name for path in (tmp_path / "run/weights").glob("*.pt")}
    assert left <= {path.name for path in (whole.out / "weights").iterdir()}


@pytest.mark.parametrize("changes", [{}, {"ema_decay": 0.9, "augment": ("crop",)}, {"schedule": "step"}])
def test_with_a_horizon_a_continued_training_is_one_that_never_stopped(
    changes: dict[str, Any], space: Any, architecture: Any, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(QUICK, **changes)
    straight = TrainingEvaluator(space, recipe=recipe, horizon=4)
    keeping = straight.keeping(str(tmp_path), 4)
    for budget in (1, 2, 4):
        trial = Trial(0, architecture, seed=4, budget=budget)
        kept, fresh = keeping(trial), straight(trial)
        assert [kept[k] for k in ("error", "loss", "train_loss")] == [
            fresh[k] for k in ("error", "loss", "train_loss")
        ]
    assert kept["trained_epochs"] == 2
    unannealed = straight(Trial(0, architecture, 4, budget=2))["loss"]
    own_schedule = TrainingEvaluator(space, recipe=recipe)(Trial(0, architecture, 4, budget=2))["loss"]
    assert (unannealed == own_schedule) == (changes.get("schedule") == "step")


def test_weights_of_a_training_with_another_horizon_are_not_continued(
    space: Any, architecture: Any, tmp_path: Path
) -> None:
    evaluator = TrainingEvaluator(space, recipe=QUICK)
    evaluator.keeping(str(tmp_path), 4)(Trial(0, architecture, 4, budget=1))
    assert evaluator.keeping(str(tmp_path), 3)(Trial(0, architecture, 4, budget=2))["trained_epochs"] == 2


def test_a_search_that_keeps_nothing_leaves_no_folder(tmp_path: Path) -> None:
    search(tmp_path, keep_weights=False, halving=None)
    assert not (tmp_path / "weights").exists()


def test_the_missing_part_for_a_network_is_named(whole: nas.SearchResult, tmp_path: Path) -> None:
    assert whole.out is not None
    with pytest.raises(DataError, match="has no weights of '9-9'"):
        nas.load_network(whole.out, "9-9", SizedTiny())
    with pytest.raises(ConfigError, match="was started from Python; pass the space"):
        nas.load_network(whole.out, whole.front["architecture"][0])
    with pytest.raises(DataError, match="kept no weights, or was killed"):
        nas.load_network(tmp_path, "1-1", SizedTiny())


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"data": Cifar10(path="/nowhere")}, DataError, "/nowhere"),
        ({"device": "cuda"}, ConfigError, "device: 'cuda' is not available: PyTorch finds no GPU"),
        ({"data": Digits(validation=0.0)}, DataError, "no validation image"),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_search_that_could_only_fail_ends_before_it_trains(
    changes: dict[str, Any], error: type[Exception], said: str, tmp_path: Path
) -> None:
    space = SizedTiny()
    evaluator = dataclasses.replace(TrainingEvaluator(space, recipe=QUICK), **changes)
    with pytest.raises(error, match=said):
        nas.search(space, ["error", "params"], evaluator, budget=12, out=tmp_path / "run", algorithm="moead")
    assert not (tmp_path / "run").exists()
