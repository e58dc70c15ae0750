"""The scripts of experiments/robustness, on untrained networks and few images."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from nas.core.errors import ConfigError
from nas.training import weights
from nas.training.corruptions import CORRUPTIONS
from search_spaces.muxnet import MUXNet, parse_spec

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "experiments" / "robustness"))

import measure
import sheet

NETWORK = "r8/stem8s1/ds8/ir8:s2e2/head16"


@pytest.fixture
def networks(tmp_path: Path) -> list[str]:
    """Two untrained networks for the digits."""
    found = []
    for seed, label in enumerate(("first", "second")):
        torch.manual_seed(seed)
        network = MUXNet(parse_spec(NETWORK), num_classes=10, in_channels=1, resize=True)
        weights.save(tmp_path / f"{label}.pt", {"network": network.state_dict()})
        found.append(f"{label}={NETWORK}:{tmp_path / label}.pt")
    return found


@pytest.mark.slow
def test_every_network_is_evaluated_under_every_corruption(networks: list[str], tmp_path: Path) -> None:
    measure.main(
        [*networks, "--data", "digits", "--white", "16", "--pictures", "20", "--out", str(tmp_path / "out")]
    )
    with (tmp_path / "out" / "errors.csv").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 2 * (1 + 15 * 5)
    assert {row["corruption"] for row in rows} == {"none", *CORRUPTIONS}
    lines_of = (tmp_path / "out" / "summary.md").read_text(encoding="utf-8").splitlines()
    assert lines_of[2].split(" | ")[5] == "100.0"  # the first network is the reference of mCE
    assert (tmp_path / "out" / "errors.png").stat().st_size > 10_000


def test_a_network_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected LABEL=NETWORK:WEIGHTS"):
        measure.main([NETWORK, "--data", "digits", "--out", str(tmp_path)])


@pytest.mark.slow
def test_a_sheet_shows_an_image_of_the_given_size(tmp_path: Path) -> None:
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    pq.write_table(pa.table({"png": [stream.getvalue()]}), tmp_path / "one.parquet")
    assert sheet.image(tmp_path / "one.parquet", 0, 24).shape == (24, 24, 3)
    sheet.main([str(tmp_path / "one.parquet"), "--side", "24", "--out", str(tmp_path / "sheet.jpg")])
    assert (tmp_path / "sheet.jpg").stat().st_size > 10_000
