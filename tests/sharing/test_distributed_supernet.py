"""A supernet trained by several processes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from processes import launch

from nas.training.weights import read

SCRIPT = """
import sys
from nas.sharing import SupernetSettings, train_supernet
from nas.training import Recipe
from nas.training.data import Digits
from tests.shared.sharing_parts import plain
recipe = Recipe(subset=0.2, lr=0.05, batch_size=32, ema_decay=0.9)
train_supernet(plain(), Digits(), recipe, sys.argv[1], settings=SupernetSettings(epochs=2))
"""


@pytest.mark.slow
def test_two_processes_train_the_supernet_that_one_trains(tmp_path: Path) -> None:
    """Without batch norm or transforms a batch split over processes has the same gradient."""
    launch(SCRIPT, tmp_path / "one", 1, timeout=300)
    launch(SCRIPT, tmp_path / "two", 2, timeout=300)
    one, two = (read(tmp_path / name / "supernet.pt")["weights"] for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    assert any(not torch.equal(one[name], two[name]) for name in one)
