"""Fine-tuning in experiments/transfer: starts, costs, written files."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nas.core.errors import ConfigError, DataError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "transfer"))

import transfer

NETWORK = "r32/stem8s2/ds8/ir16:s2e2/head32"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """60 images of 32 pixels in three classes of different brightness."""
    rng = np.random.default_rng(0)
    labels = [i % 3 for i in range(60)]
    blobs = []
    for label in labels:
        stream = io.BytesIO()
        pixels = np.clip(rng.normal(60 + 60 * label, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(stream, "PNG")
        blobs.append(stream.getvalue())
    file = tmp_path / "pictures.parquet"
    pq.write_table(pa.table({"image": blobs, "label": labels}), file)
    return file


def run(images: Path, tmp_path: Path, *options: str) -> list[dict[str, str]]:
    target = f"{{name: parquet, path: {images}, test: 0.3}}"
    common = ["--target", target, "--set", "epochs=1", "--set", "resolution=32", "--set", "batch_size=12"]
    transfer.main([*options, *common, "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")])
    with (tmp_path / "out" / "results.csv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_digits_in_colour_are_the_digits_four_times_as_large() -> None:
    splits = transfer.ColourDigits().load()
    images = splits.train.images
    assert images is not None
    assert images.shape[1:] == (3, 32, 32)
    assert (images[:, :, ::4, ::4] == images[:, :, 3::4, 3::4]).all()
    assert (images[:, 0] == images[:, 2]).all()
    assert images.mean() == pytest.approx(splits.mean[0], rel=1e-6)
    assert images.std() == pytest.approx(splits.std[0], rel=1e-6)


def test_a_network_learns_a_source_and_is_compared_with_itself_from_scratch(
    images: Path, tmp_path: Path
) -> None:
    rows = run(images, tmp_path, NETWORK, "--source", "digits", "--source-epochs", "1", "--scratch")
    assert [row["start"] for row in rows] == ["digits", "scratch"]
    assert rows[0]["madds"] == rows[1]["madds"]
    assert all(0 <= float(row["accuracy"]) <= 100 for row in rows)
    assert (tmp_path / "out" / "transfer.png").stat().st_size > 5_000
    assert "98.0% on CIFAR-10" in (tmp_path / "out" / "results.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_given_weights_are_begun_from_and_a_second_run_repeats_the_table(
    images: Path, tmp_path: Path
) -> None:
    run(images, tmp_path, NETWORK, "--source", "digits", "--source-epochs", "1")
    (weights,) = [
        file
        for file in (tmp_path / "runs").glob("*/weights.pt")
        if "Colour" in (file.parent / "config.json").read_text(encoding="utf-8")
    ]
    first = run(images, tmp_path, f"{NETWORK}:{weights}")
    assert first[0]["start"] == "weights.pt"
    assert run(images, tmp_path, f"{NETWORK}:{weights}") == first


def test_missing_weights_and_settings_without_a_value_are_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.pt: not found"):
        run(images, tmp_path, f"{NETWORK}:{tmp_path / 'gone.pt'}")
    with pytest.raises(ConfigError, match="expected KEY=VALUE"):
        run(images, tmp_path, NETWORK, "--set", "epochs")


def test_the_recipe_is_the_authors_unless_changed() -> None:
    recipe = transfer.RECIPES[transfer.RECIPE].recipe
    assert (recipe.optimiser, recipe.lr, recipe.momentum, recipe.weight_decay) == ("sgd", 0.01, 0.9, 4e-5)
    assert (recipe.batch_size, recipe.epochs, recipe.schedule, recipe.clip) == (96, 50, "cosine", 5.0)
    assert (recipe.resolution, recipe.augment) == (224, ("crop", "flip"))
    assert transfer.RECIPES[transfer.RECIPE].dropout == 0.2
