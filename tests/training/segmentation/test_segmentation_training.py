from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mask_files import row, write_camvid
from torch import nn

from nas.cli import main
from nas.core.errors import ConfigError, EvaluationError
from nas.core.records import Trial
from nas.core.space import SearchSpace
from nas.training import FullSettings, Recipe, TrainingEvaluator, train_full
from nas.training.feed import Prepared
from nas.training.tasks.segmentation.data import CamVid
from nas.training.tasks.segmentation.network import SegmentationNetwork
from nas.training.tasks.segmentation.settings import IGNORE, Augment, HeadSettings
from nas.training.tasks.segmentation.task import Segmentation, class_weights
from nas.training.weights import read

pytestmark = pytest.mark.usefixtures("no_plots")

CONFIG = Path(__file__).resolve().parents[3] / "configs" / "muxnet_camvid.yaml"
RECIPE = Recipe(epochs=6, batch_size=4, lr=0.1, schedule="poly", ema_decay=0.9)
TASK = Segmentation(Augment((24, 32), (0.8, 1.25)))
ONE = FullSettings(threads=1)


class Body(nn.Module):
    """Two maps, at strides 4 and 8."""

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.strides, self.widths = (4, 8), (8, 12)
        self.stem = nn.Sequential(nn.Conv2d(in_channels, 8, 4, 4, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.last = nn.Sequential(nn.Conv2d(8, 12, 3, 2, 1, bias=False), nn.BatchNorm2d(12), nn.ReLU())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        fine = self.stem(x)
        return [fine, self.last(fine)]


def build(*, num_classes: int, in_channels: int) -> SegmentationNetwork:
    settings = HeadSettings("c1", 8, auxiliary=True)
    return SegmentationNetwork(Body(in_channels), settings, num_classes=num_classes, in_channels=in_channels)


def test_a_training_learns_logs_evaluates_and_keeps_the_weights(tmp_path: Path, camvid: CamVid) -> None:
    result = train_full(build, camvid, replace(RECIPE, epochs=12), tmp_path / "run", settings=ONE, task=TASK)
    assert result.log[0]["validation_miou"] < result.log[-1]["validation_miou"]
    written = json.loads((tmp_path / "run" / "result.json").read_text())["test"]
    assert written["miou"] == result.test.miou > 60
    assert written["class_ious"]["sky"] > 80
    assert written["class_ious"]["car"] is None or written["class_ious"]["car"] == 0
    network = build(num_classes=11, in_channels=3)
    network.load_state_dict(read(result.weights)["network"])


def test_an_interrupted_training_ends_exactly_like_an_uninterrupted_one(
    tmp_path: Path, camvid: CamVid
) -> None:
    class Interrupted(Exception):
        pass

    def stop(row: dict[str, float]) -> None:
        if row["epoch"] == 3:
            raise Interrupted

    straight = train_full(build, camvid, RECIPE, tmp_path / "a", settings=ONE, task=TASK)
    halting = FullSettings(threads=1, on_epoch=stop)
    with pytest.raises(Interrupted):
        train_full(build, camvid, RECIPE, tmp_path / "b", settings=halting, task=TASK)
    resumed = train_full(build, camvid, RECIPE, tmp_path / "b", settings=ONE, task=TASK)
    a, b = (read(tmp_path / name / "weights.pt")["network"] for name in "ab")
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert (resumed.test.miou, resumed.test.loss) == (straight.test.miou, straight.test.loss)


def test_a_training_of_another_task_in_the_folder_is_refused(tmp_path: Path, camvid: CamVid) -> None:
    one = replace(RECIPE, epochs=1)
    train_full(build, camvid, one, tmp_path / "run", settings=ONE, task=TASK)
    with pytest.raises(ConfigError, match="task differ"):
        train_full(
            build, camvid, one, tmp_path / "run", settings=ONE, task=replace(TASK, class_weights="none")
        )


def test_validating_now_and_then_still_validates_the_last_epoch(tmp_path: Path, camvid: CamVid) -> None:
    settings = FullSettings(threads=1, validate_every=2)
    result = train_full(
        build, camvid, replace(RECIPE, epochs=3), tmp_path / "run", settings=settings, task=TASK
    )
    assert ["validation_miou" in row for row in result.log] == [False, True, True]
    assert (tmp_path / "run" / "log.csv").read_text().splitlines()[1].endswith(",,,")


class Logits(nn.Module):
    """Returns its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def prepared(weights: tuple[float, ...] | None) -> Prepared:
    feed = None
    return Prepared(feed, feed, feed, tuple("abc"), (0.0,), (1.0,), weights)  # type: ignore[arg-type]


@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 2.5)], ids=["alike", "weighted"])
def test_the_loss_is_the_weighted_mean_over_the_pixels_that_count(weights: tuple[float, ...] | None) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 5, 6, generator=rng)
    targets = torch.randint(0, 3, (2, 5, 6), generator=rng)
    targets[:, 0] = IGNORE
    ours = Segmentation().loss(RECIPE, prepared(weights))(Logits(), logits, targets)
    given = None if weights is None else torch.tensor(weights)
    theirs = nn.functional.cross_entropy(logits, targets, given, ignore_index=IGNORE)
    assert torch.allclose(ours, theirs)


def test_a_batch_without_a_pixel_that_counts_has_no_loss() -> None:
    targets = torch.full((1, 4, 4), IGNORE)
    for weights in (None, (1.0, 1.0, 1.0)):
        loss = Segmentation().loss(RECIPE, prepared(weights))(Logits(), torch.randn(1, 3, 4, 4), targets)
        assert float(loss) == 0


def test_a_network_that_gives_a_class_an_image_is_refused_with_the_expected_shape() -> None:
    loss = Segmentation().loss(RECIPE, prepared(None))
    with pytest.raises(EvaluationError, match="a score for each class at each pixel"):
        loss(Logits(), torch.zeros(2, 3), torch.zeros(2, 4, 4, dtype=torch.long))


@pytest.mark.parametrize("way", ["log", "median"])
def test_rare_classes_weigh_more_and_the_mean_is_one(way: str) -> None:
    weights = class_weights(np.array([1000, 100, 10, 0]), way)
    assert weights[0] < weights[1] < weights[2]
    assert np.mean(weights[:3]) == pytest.approx(1.0)
    assert weights[3] == 1.0


def test_the_recipe_of_a_classification_is_refused(camvid: CamVid) -> None:
    with pytest.raises(ConfigError, match="for classification"):
        TASK.prepare(camvid, Recipe(augment=("flip",)), torch.device("cpu"))


class Bodies(SearchSpace):
    """One network."""

    name = "bodies"
    cardinalities = (2,)

    def build(self, architecture: object, *, num_classes: int = 11, in_channels: int = 3) -> nn.Module:
        return build(num_classes=num_classes, in_channels=in_channels)


def test_an_evaluator_continues_from_kept_weights_to_the_same_values(tmp_path: Path, camvid: CamVid) -> None:
    space = Bodies()
    whole = TrainingEvaluator(space, camvid, RECIPE, task=TASK, horizon=4)
    kept = whole.keeping(str(tmp_path), 4)
    architecture = space.parse("1")
    kept(Trial(0, architecture, 5, budget=2.0))
    continued = kept(Trial(1, architecture, 5, budget=4.0))
    straight = whole(Trial(2, architecture, 5, budget=4.0))
    assert continued["trained_epochs"] == 2
    assert continued["miou"] == straight["miou"]
    assert continued["error"] == 100 - continued["miou"]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command line in this process; gives its exit code."""

    def one(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["nas", *words])
        try:
            main()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return one


TINY = ["--set", "head.width=8", "--set", "head.output_stride=32", "--set", "task.crop=[24,32]"]


@pytest.mark.slow
def test_the_command_line_trains_and_evaluates_a_segmentation(
    run: Callable[..., int], tmp_path: Path, camvid: CamVid, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    common = ["muxnet_xs", "--task", "segmentation", "--data", "camvid", "--path", camvid.path]
    trained = run("train", *common, "--head", "ppm", "--epochs", "1", "--out", str(out), *TINY)
    assert trained == 0
    assert "test: mIoU" in capsys.readouterr().out
    assert run("evaluate", *common, "--weights", str(out / "weights.pt"), "--json") == 0
    judged = json.loads(capsys.readouterr().out)
    test = json.loads((out / "result.json").read_text())["test"]
    assert judged["miou"] == pytest.approx(test["miou"])
    assert judged["class_ious"].keys() == test["class_ious"].keys()
    assert run("export", str(out), "--no-onnx") == 0
    assert f"test: miou {test['miou']:.4g}" in capsys.readouterr().out
    module = runpy.run_path(str(out / "export" / "network.py"))
    with torch.no_grad():
        scores = module["load"](out / "export" / "weights.pt")(torch.zeros(1, *module["IMAGE"]))
    assert scores.shape == (1, len(module["CLASSES"]), *module["IMAGE"][1:])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--task", "segment"], "--task: unknown 'segment' (did you mean 'segmentation'?)"),
        (["--task", "segmentation", "--head", "c2"], "did you mean 'c1'"),
        (["--task", "segmentation", "--set", "task.crops=[1,2]"], "did you mean 'crop'"),
        (["--head", "c1"], "classification has a fixed head"),
    ],
    ids=["task", "head", "setting", "classification"],
)
def test_an_unknown_argument_is_refused_before_anything_is_written(
    run: Callable[..., int], words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", "camvid", "--path", "x"] if "segmentation" in words else ["--data", "digits"]
    assert run("train", "muxnet_xs", *data, "--out", str(tmp_path / "run"), *words) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_the_config_for_camvid_searches_by_the_costs_of_the_whole_network(
    run: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
    rows = [row(split, seed) for seed, split in enumerate(["train"] * 4 + ["val"] * 2)]
    data = write_camvid(tmp_path / "camvid.parquet", rows)
    out = tmp_path / "search"
    settings = {
        "evaluator.data.path": str(data),
        "evaluator.recipe": "{batch_size: 2}",
        "evaluator.task.crop": "[16, 16]",
        "space.backbone": "{name: muxnet-cifar, resolutions: [24]}",
        "space.picture": "[24, 32]",
        "halving": "{first: 1, last: 2, eta: 2}",
        "algorithm": "random",
        "executor": "serial",
    }
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    assert run("search", str(CONFIG), "--budget", "3", "--out", str(out), *sets) == 0
    capsys.readouterr()
    assert run("front", str(out), "--json") == 0
    front = json.loads(capsys.readouterr().out)
    assert front
    assert all(0 <= one["miou"] <= 100 and one["madds"] <= 300e6 for one in front)
