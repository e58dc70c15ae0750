from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from tiny import tiny_detector

from nas.tasks.detection.augment import Augmentation
from nas.tasks.detection.data import DetectionParquet
from nas.tasks.detection.task import Detection, DetectionScore
from nas.training import weights
from nas.training.full import FullSettings, train_full
from nas.training.recipe import Recipe

STILL = Augmentation(zoom=(1.0, 1.0), stretch=0.0, flip=0.0, colour=0.0)
CPU = FullSettings(threads=1, device="cpu")


def recipe(epochs: int) -> Recipe:
    return Recipe(
        epochs=epochs,
        batch_size=4,
        optimiser="adamw",
        lr=5e-3,
        weight_decay=0.0,
        warmup_epochs=1,
        ema_decay=0.9,
    )


def data(shapes: tuple[Path, Path]) -> DetectionParquet:
    return DetectionParquet(str(shapes[0]), str(shapes[1]), resolution=64)


@pytest.mark.slow
def test_a_small_detector_learns_four_pictures_by_heart(shapes: tuple[Path, Path], tmp_path: Path) -> None:
    task = Detection(augmentation=STILL, repeats=10)
    train_full(tiny_detector, data(shapes), recipe(30), tmp_path, settings=CPU, task=task)
    prepared = task.prepare(data(shapes), recipe(30), torch.device("cpu"))
    network = tiny_detector(num_classes=2)
    network.load_state_dict(weights.read(tmp_path / "weights.pt")["network"])
    score = task.judge(network, prepared.train, prepared, nullcontext)
    assert isinstance(score, DetectionScore)
    assert score.map > 90
