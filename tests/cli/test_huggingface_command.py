"""`nas data check` on data sets of Hugging Face."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest


def test_a_saved_data_set_is_recognised_by_its_path(folder: Path, nas_command) -> None:
    datasets = pytest.importorskip("datasets", reason="not installed: datasets")
    datasets.disable_progress_bars()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    features = {
        "image": datasets.Array2D((8, 8), "uint8"),
        "label": datasets.ClassLabel(names=["cat", "dog"]),
    }
    columns = {"image": list(pixels), "label": [0, 1] * 10}
    datasets.Dataset.from_dict(columns, features=datasets.Features(features)).save_to_disk("pets")
    done = nas_command("data", "check", "pets", "--set", "channels=1")
    assert done.code == 0, done.err
    assert done.out.splitlines()[:2] == ["huggingface: pets", "  images: 8x8, 1 channel; 2 classes"]


def test_a_missing_package_is_one_sentence(
    folder: Path, nas_command, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("pets").mkdir()
    Path("pets/dataset_dict.json").write_text('{"splits": ["train"]}')
    monkeypatch.setitem(sys.modules, "datasets", None)
    done = nas_command("data", "check", "pets")
    assert done.code == 2
    assert "pip install 'multiobjective-nas[huggingface]'" in done.sentence
