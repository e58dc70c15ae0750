from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import launch
from torch import nn

from nas.core.errors import ConfigError, DataError
from nas.training import FullSettings, Recipe, train_full
from nas.training.data import Digits, Folder
from nas.training.weights import read, remove_others, save

HERE = Path(__file__).resolve().parent
RECIPE = Recipe(epochs=3, ema_decay=0.9, augment=("crop",), optimiser="adamw", lr=1e-2)

ONE = FullSettings(threads=1)  # one thread: these tests share the machine


def build(*, num_classes: int, in_channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels, 12, 3, 2, 1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Flatten(),
        nn.Linear(12 * 16, num_classes),
    )


def same(first: Path, second: Path) -> bool:
    a, b = read(first)["network"], read(second)["network"]
    return all(torch.equal(a[k], b[k]) for k in a)


def test_a_full_training_logs_evaluates_and_keeps_the_weights(tmp_path):
    rows = []
    result = train_full(
        build, Digits(), RECIPE, tmp_path, settings=FullSettings(on_epoch=rows.append, threads=1)
    )
    assert [r["epoch"] for r in csv.DictReader((tmp_path / "log.csv").open())] == ["1", "2", "3"]
    assert rows == list(result.log)
    written = json.loads((tmp_path / "result.json").read_text())["test"]
    assert written["error"] == result.test.error < 30
    assert set(written["class_errors"]) == {str(d) for d in range(10)}
    network = build(num_classes=10, in_channels=1)
    network.load_state_dict(read(result.weights)["network"])


def test_an_interrupted_training_ends_exactly_like_an_uninterrupted_one(tmp_path):
    class Interrupted(Exception):
        pass

    def stop(row):
        if row["epoch"] == 2:
            raise Interrupted

    straight = train_full(build, Digits(), RECIPE, tmp_path / "a", settings=ONE)
    with pytest.raises(Interrupted):
        train_full(build, Digits(), RECIPE, tmp_path / "b", settings=FullSettings(on_epoch=stop, threads=1))
    resumed = train_full(build, Digits(), RECIPE, tmp_path / "b", settings=ONE)
    assert same(tmp_path / "a" / "weights.pt", tmp_path / "b" / "weights.pt")
    assert resumed.test == straight.test
    assert [r["train_loss"] for r in resumed.log] == [r["train_loss"] for r in straight.log]


def test_a_folder_with_another_training_is_refused_naming_what_differs(tmp_path):
    one = dataclasses.replace(RECIPE, epochs=1)
    train_full(build, Digits(), one, tmp_path, settings=ONE)
    with pytest.raises(ConfigError, match=r"recipe\.lr differ"):
        train_full(build, Digits(), dataclasses.replace(one, lr=0.1), tmp_path)
    with pytest.raises(ConfigError, match="already holds"):
        train_full(build, Digits(), one, tmp_path, resume=False)


def test_data_without_validation_is_trained_on_whole(tmp_path):
    result = train_full(
        build, Digits(validation=0.0), dataclasses.replace(RECIPE, epochs=1), tmp_path, settings=ONE
    )
    assert "validation_error" not in result.log[0]
    assert result.test is not None


def test_distributed_without_torchrun_explains_how_to_start(tmp_path):
    with pytest.raises(ConfigError, match="torchrun"):
        train_full(build, Digits(), RECIPE, tmp_path, distributed=True)


def test_images_decoded_on_demand_train_too(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, base in (("dark", 40), ("light", 200)):
        (tmp_path / "data" / "train" / name).mkdir(parents=True)
        for i in range(24):
            pixels = rng.integers(base - 20, base + 20, (14, 18, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / "train" / name / f"{i}.png")
    data = Folder(str(tmp_path / "data"), resolution=8, test=0.25, memory_mb=0)
    recipe = Recipe(epochs=6, batch_size=8, lr=0.05, augment=("flip",))
    straight = train_full(build, data, recipe, tmp_path / "a", settings=ONE)
    again = train_full(build, data, recipe, tmp_path / "b", settings=ONE)
    assert straight.test.error < 20
    assert straight.test == again.test


def test_weights_are_replaced_whole_and_damaged_ones_are_named(tmp_path):
    file = tmp_path / "w.pt"
    save(file, {"x": torch.ones(3)})
    assert [p.name for p in tmp_path.iterdir()] == ["w.pt"]
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(DataError, match=r"w\.pt: cannot be read"):
        read(file)


def test_weights_that_would_run_code_are_refused(tmp_path):
    torch.save({"schema": 1, "x": Path("harmless")}, tmp_path / "w.pt")
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "w.pt")


def test_only_weights_of_the_run_are_removed_and_only_those_that_are_not_kept(tmp_path):
    for name in "abc":
        save(tmp_path / f"{name}.pt", {})
    foreign = ["resnet.pt", ".resnet.pt.4711", f".resnet.pt.{'0' * 16}.part", "a.pt.backup"]
    for name in (*foreign, ".a.pt.4711", f".b.pt.{'0' * 16}.part"):
        (tmp_path / name).touch()
    (tmp_path / "d.pt").symlink_to(tmp_path / "resnet.pt")
    ours = [tmp_path / f"{name}.pt" for name in "abcd"]
    assert remove_others(tmp_path, ours, ours[1:2]) == [ours[0], ours[2]]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*foreign, "b.pt", "d.pt"])


SCRIPT = """
import sys
from torch import nn
from nas.training import FullSettings, Recipe, train_full
from nas.training.data import Digits

def build(*, num_classes, in_channels):
    return nn.Sequential(nn.Conv2d(in_channels, 8, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(128, num_classes))

recipe = Recipe(epochs=int(sys.argv[2]), subset=0.3, lr=0.05, batch_size=31, ema_decay=0.9)
settings = FullSettings(threads=1)
train_full(build, Digits(), recipe, sys.argv[1], settings=settings)
"""


@pytest.mark.slow
def test_two_processes_train_what_one_trains(tmp_path):
    """Without batch normalisation or transforms a batch split over processes has the same gradient."""
    launch(SCRIPT, tmp_path / "one", 1, 2)
    launch(SCRIPT, tmp_path / "two", 2, 2)
    one, two = (read(tmp_path / n / "weights.pt")["network"] for n in ("one", "two"))
    assert all(torch.allclose(one[k], two[k], atol=1e-5) for k in one)
    first, second = (list(csv.DictReader((tmp_path / n / "log.csv").open())) for n in ("one", "two"))
    assert [float(r["train_loss"]) for r in second] == pytest.approx([float(r["train_loss"]) for r in first])
    results = [json.loads((tmp_path / n / "result.json").read_text())["test"] for n in ("one", "two")]
    assert results[1]["pictures"] == results[0]["pictures"]
    assert results[1]["loss"] == pytest.approx(results[0]["loss"], rel=1e-4)
