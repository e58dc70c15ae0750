from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from detection_shapes import write_shapes
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
FOLDER = ROOT / "experiments" / "detection"

COUNTED = pd.read_csv(FOLDER / "counts.csv").set_index("network")


@pytest.mark.parametrize("network", ["MUXNet-m + SSDLite", "MobileNet + SSD"])
def test_counts_are_those_of_the_networks(network: str) -> None:
    from experiments.detection import counts

    row = COUNTED.loc[network]
    assert counts.count(counts.DETECTORS[network], counts.SIDE) == (row["params"], row["madds"])


def test_parameters_are_within_one_in_a_hundred_of_the_published() -> None:
    off = COUNTED["params"] / 1e6 / COUNTED["params_published_m"] - 1
    assert off.abs().max() < 0.012


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_experiment_runs_from_images_to_report(tmp_path: Path) -> None:
    images, boxes = write_shapes(tmp_path, {"train": 4, "val": 2, "test": 2})
    given = ["--images", str(images), "--boxes", str(boxes), "--source", "shapes", "--resolution", "64"]
    small = ["--epochs", "1", "--passes", "1", "--batch", "4", "--networks", "MobileNetV2 + SSDLite"]
    places = ["--out", str(tmp_path / "runs"), "--results", str(tmp_path)]
    subprocess.run([sys.executable, str(FOLDER / "train.py"), *given, *small, *places], check=True, cwd=ROOT)
    results = pd.read_csv(tmp_path / "results.csv")
    assert list(results.columns) == ["network", "metric", "value", "epochs", "seconds"]
    assert {"test_map", "test_map_11", "test_ap_disc", "validation_map"} <= set(results["metric"])
    assert (tmp_path / "pictures.png").stat().st_size < 600_000
    assert Image.open(tmp_path / "curves.png").width > 1000
    assert "MobileNetV2 + SSDLite" in (tmp_path / "results.md").read_text(encoding="utf-8")
