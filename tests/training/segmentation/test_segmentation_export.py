"""A search for segmentation networks, exported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from mask_files import row, write_camvid

import nas
from nas.cli.search_config import Flags
from nas.cli.searching import run_search

CONFIG = """
space:
  name: segmentation
  backbone: {name: muxnet-tiny, resolutions: [8]}
  head: {name: c1, output_stride: 16, width: 8}
  picture: [24, 32]
  num_classes: 11
objectives: [miou, params]
algorithm: random
evaluator:
  name: segmentation
  data: {name: camvid, path: DATA}
  recipe: {batch_size: 4, epochs: 1, ema_decay: 0}
  task: {crop: [16, 16]}
executor: serial
budget: 2
out: run
"""


@pytest.mark.slow
def test_a_segmentation_is_exported_with_its_scores_and_runs_alone(tmp_path: Path, no_plots: None) -> None:
    sizes = {"train": 8, "val": 4, "test": 4}
    data = write_camvid(tmp_path / "scenes.parquet", [row(s, i) for s, n in sizes.items() for i in range(n)])
    (tmp_path / "search.yaml").write_text(CONFIG.replace("DATA", json.dumps(str(data))), encoding="utf-8")
    run = tmp_path / "run"
    run_search(tmp_path / "search.yaml", Flags(None, None, None, None, None, None, None, run, ()), None)
    (exported,) = nas.export_run(run, ["miou"], onnx=False)
    text = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert f"| validation miou | {pd.read_csv(run / 'front.csv')['miou'].max():.2f}% | 4 images" in text
    assert "| test miou |" in text
    done = subprocess.run(
        [sys.executable, "-I", "network.py", "weights.pt"],
        cwd=exported.folder,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert "give (2, 11, 24, 32)" in done.stdout
