from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from detection_tiny import tiny_detector

from nas.core.errors import ConfigError
from nas.training import weights
from nas.training.feed import Prepared
from nas.training.full import FullSettings, Row, train_full
from nas.training.recipe import Recipe
from nas.training.tasks.detection.augment import Augmentation
from nas.training.tasks.detection.data import DetectionParquet
from nas.training.tasks.detection.task import Detection, DetectionScore

STILL = Augmentation(zoom=(1.0, 1.0), stretch=0.0, flip=0.0, colour=0.0)
CPU = FullSettings(threads=1, device="cpu")
RECIPE = Recipe(
    epochs=2, batch_size=4, optimiser="adamw", lr=5e-3, weight_decay=0.0, warmup_epochs=1, ema_decay=0.9
)


def data(shapes: tuple[Path, Path]) -> DetectionParquet:
    return DetectionParquet(str(shapes[0]), str(shapes[1]), resolution=64)


def prepared_for(task: Detection, shapes: tuple[Path, Path], recipe: Recipe = RECIPE) -> Prepared:
    return task.prepare(data(shapes), recipe, torch.device("cpu"))


def kept(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = weights.read(folder / "weights.pt")["network"]
    return state


@pytest.mark.slow
def test_a_small_detector_learns_four_images_by_heart(shapes: tuple[Path, Path], tmp_path: Path) -> None:
    task = Detection(augmentation=STILL, repeats=10)
    train_full(tiny_detector, data(shapes), replace(RECIPE, epochs=30), tmp_path, settings=CPU, task=task)
    prepared = prepared_for(task, shapes)
    network = tiny_detector(num_classes=2)
    network.load_state_dict(kept(tmp_path))
    score = task.judge(network, prepared.train, prepared, nullcontext)
    assert score.map > 90


def test_a_training_leaves_log_result_and_weights_that_load(
    shapes: tuple[Path, Path], tmp_path: Path
) -> None:
    result = train_full(tiny_detector, data(shapes), RECIPE, tmp_path, settings=CPU, task=Detection())
    log = pd.read_csv(tmp_path / "log.csv")
    assert list(log["epoch"]) == [1, 2]
    assert {"train_loss", "validation_map", "validation_map_11", "validation_loss"} <= set(log.columns)
    told = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["test"]
    assert set(told["class_aps"]) == {"disc", "square"}
    assert isinstance(result.test, DetectionScore)
    assert told["map"] == result.test.map
    tiny_detector(num_classes=2).load_state_dict(kept(tmp_path))


def test_an_interrupted_training_ends_like_an_uninterrupted_one(
    shapes: tuple[Path, Path], tmp_path: Path
) -> None:
    def interrupt(row: Row) -> None:
        raise KeyboardInterrupt

    train_full(tiny_detector, data(shapes), RECIPE, tmp_path / "whole", settings=CPU, task=Detection())
    stopped = replace(CPU, on_epoch=interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_full(
            tiny_detector, data(shapes), RECIPE, tmp_path / "parts", settings=stopped, task=Detection()
        )
    train_full(tiny_detector, data(shapes), RECIPE, tmp_path / "parts", settings=CPU, task=Detection())
    whole, parts = kept(tmp_path / "whole"), kept(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_training_of_another_task_is_not_gone_on_with(shapes: tuple[Path, Path], tmp_path: Path) -> None:
    train_full(tiny_detector, data(shapes), RECIPE, tmp_path, settings=CPU, task=Detection())
    with pytest.raises(ConfigError, match="task differ"):
        train_full(tiny_detector, data(shapes), RECIPE, tmp_path, settings=CPU, task=Detection(repeats=3))


def test_judging_puts_the_mode_back_and_gives_the_same_twice(shapes: tuple[Path, Path]) -> None:
    task = Detection()
    prepared = prepared_for(task, shapes)
    network = tiny_detector(num_classes=2).train()
    scores = [task.judge(network, prepared.validation, prepared, nullcontext) for _ in range(2)]
    assert network.training
    assert scores[0] == scores[1]
    assert scores[0].pictures == 2


def test_an_epoch_takes_each_image_as_often_as_asked(shapes: tuple[Path, Path]) -> None:
    feed = prepared_for(Detection(repeats=3, augmentation=STILL), shapes).train
    assert len(feed) == 12
    (whole,) = feed.batches([torch.arange(12)], None)
    torch.testing.assert_close(whole[0][:4], whole[0][8:])


def test_augmented_batches_depend_on_the_seed_alone(shapes: tuple[Path, Path]) -> None:
    feed = prepared_for(Detection(), shapes).train
    first, again, other = (next(iter(feed.batches([torch.arange(4)], seed))) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_a_recipe_sets_the_size_and_the_number_of_images(shapes: tuple[Path, Path]) -> None:
    prepared = prepared_for(Detection(), shapes, replace(RECIPE, resolution=32, max_pictures=3))
    assert len(prepared.train) == 3
    (batch,) = prepared.test.batches([torch.arange(2)], None)
    assert batch[0].shape == (2, 3, 32, 32)


def test_difficult_objects_are_not_trained_on(tmp_path: Path) -> None:
    from detection_shapes import write_shapes

    files = write_shapes(tmp_path, {"train": 1})
    boxes = pd.read_parquet(files[1])
    boxes["difficult"] = [1, 0]
    boxes.to_parquet(files[1])
    (batch,) = prepared_for(Detection(augmentation=STILL), files).train.batches([torch.arange(1)], None)
    assert batch[1].shape == (1, 1, 5)


def test_transforms_of_classification_are_refused(shapes: tuple[Path, Path]) -> None:
    with pytest.raises(ConfigError, match="augment: expected none for detection"):
        prepared_for(Detection(), shapes, replace(RECIPE, augment=("flip",)))
