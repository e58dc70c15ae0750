"""A small data set to learn from."""

from __future__ import annotations

from pathlib import Path

import pytest
from detection_shapes import write_shapes


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Four images to train on, two to validate, two to test."""
    return write_shapes(tmp_path_factory.mktemp("shapes"), {"train": 4, "val": 2, "test": 2})
