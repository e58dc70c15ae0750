from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from experiments.segmentation.report import CURVES, SHEET_BYTES, Trained, report
from nas.training.tasks.segmentation.classes import CAMVID_CLASSES


def trained(folder: Path, name: str, seed: int) -> Trained:
    """A folder as a training leaves it, with random numbers."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    ious = {**dict.fromkeys(CAMVID_CLASSES, 40.0), "sign": None}
    score = {"miou": 40.0, "pixel_accuracy": 80.0, "class_ious": ious}
    scores = {"epochs": 2, "seconds": 3.5, "test": score, "multi_scale": score}
    (folder / "scores.json").write_text(json.dumps(scores))
    lines = [",".join(CURVES), "1,2.5,,,,0.5", "2,2.0,30.0,70.0,1.0,0.5"]
    (folder / "log.csv").write_text("\n".join(lines) + "\n")
    np.savez(folder / "sheet.npz", predicted=rng.integers(0, 11, (2, 60, 80)).astype(np.uint8))
    return Trained(name, folder)


def test_the_report_has_every_network_and_a_sheet_that_is_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = [
        (rng.integers(0, 255, (3, 60, 80)).astype(np.uint8), rng.integers(0, 11, (60, 80)).astype(np.uint8))
        for _ in range(2)
    ]
    names = ["MUXNet-m + C1", "ResNet18 + C1", "MUXNet-m + PPM"]
    report(
        [trained(tmp_path / n, n, i) for i, n in enumerate(names)], pairs, CAMVID_CLASSES, tmp_path / "out"
    )
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["network", "metric", "value", "epochs", "seconds"]
    assert [r["network"] for r in rows if r["metric"] == "miou"] == names
    assert next(r["value"] for r in rows if r["metric"] == "iou_sign") == ""
    assert (tmp_path / "out" / "curves.csv").read_text().splitlines()[1] == "MUXNet-m + C1,2,2,30,70,1,0.5"
    assert (tmp_path / "out" / "curves.png").is_file()
    assert (tmp_path / "out" / "pictures.png").stat().st_size < SHEET_BYTES
