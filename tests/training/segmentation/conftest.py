"""A small CamVid in the real format."""

from __future__ import annotations

from pathlib import Path

import pytest
from mask_files import row, write_camvid

from nas.training.tasks.segmentation.data import CamVid


@pytest.fixture
def rows() -> list[dict[str, object]]:
    """Eight training images, four for validation, three for the test."""
    splits = ["train"] * 8 + ["val"] * 4 + ["test"] * 3
    return [row(split, seed) for seed, split in enumerate(splits)]


@pytest.fixture
def camvid(tmp_path: Path, rows: list[dict[str, object]]) -> CamVid:
    return CamVid(str(write_camvid(tmp_path / "camvid.parquet", rows)))
