"""The ImageNet recipe on real images: from end to end, interrupted and resumed, and by two processes."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.cli import main
from nas.training.loop import Training

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

PIXELS = 32
START = "import sys; from nas.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def images(shared_data: Path) -> Path:
    """200 images of ImageNet, one per class."""
    file = shared_data / "images" / "imagenet_sample200.parquet"
    if not file.is_file():
        pytest.skip(f"images of ImageNet not found at {file}")
    return file


def arguments(images: Path, out: Path, epochs: int = 2) -> list[str]:
    """The command of the documentation, cut down: few small images, decoded on demand."""
    small = [f"data.resolution={PIXELS}", f"recipe.resolution={PIXELS}", "data.memory_mb=0"]
    small += ["data.num_classes=1000", "recipe.max_pictures=16", "recipe.batch_size=8"]
    settings = [word for value in small for word in ("--set", value)]
    command = ["train", "mobilenet_v2_050", "--data", str(images), "--recipe", "imagenet"]
    return [*command, "--epochs", str(epochs), "--threads", "1", "--out", str(out), *settings]


def run(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> int:
    """The exit code of a command in this process."""
    monkeypatch.setattr(sys, "argv", ["nas", *words])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found: dict[str, Any] = torch.load(folder / "weights.pt", weights_only=True)
    return found["network"]


def losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


def test_an_interrupted_training_of_the_recipe_ends_like_an_uninterrupted_one(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch = Training.epoch

    def stopped(self: Training, feed: Any) -> float:
        if self.done == 1:
            raise KeyboardInterrupt
        return epoch(self, feed)

    assert run(monkeypatch, arguments(images, tmp_path / "whole")) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Training, "epoch", stopped)
        assert run(patch, arguments(images, tmp_path / "stopped")) == 130
    assert not (tmp_path / "stopped" / "weights.pt").is_file()
    assert run(monkeypatch, arguments(images, tmp_path / "stopped")) == 0
    assert losses(tmp_path / "stopped") == losses(tmp_path / "whole")
    whole, stopped_ = weights(tmp_path / "whole"), weights(tmp_path / "stopped")
    assert all(torch.equal(whole[name], stopped_[name]) for name in whole)
    result = json.loads((tmp_path / "whole" / "result.json").read_text())
    assert result["test"]["pictures"] > 0
    assert whole["classifier.weight"].shape == (1000, 1280)


def test_two_processes_train_the_recipe_together(images: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = tmp_path / "start.py"
    script.write_text(START)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--master-addr=127.0.0.1", f"--master-port={port}", str(script)]
    done = subprocess.run(
        [*command, *arguments(images, tmp_path / "two", epochs=1)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("epoch 1/1") == 1
    assert len(losses(tmp_path / "two")) == 1
    assert json.loads((tmp_path / "two" / "result.json").read_text())["test"]["pictures"] > 0
