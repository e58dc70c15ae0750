"""A supernet trained by several processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

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


def launch(folder: Path, processes: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = folder.parent / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    command += ["--master-addr=127.0.0.1", f"--master-port={port}", str(script), str(folder)]
    root = Path(__file__).resolve().parents[2]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_train_the_supernet_that_one_trains(tmp_path: Path) -> None:
    """Without batch norm or transforms a batch split over processes has the same gradient."""
    launch(tmp_path / "one", 1)
    launch(tmp_path / "two", 2)
    one, two = (read(tmp_path / name / "supernet.pt")["weights"] for name in ("one", "two"))
    assert all(torch.allclose(one[name], two[name], atol=1e-5) for name in one)
    assert any(not torch.equal(one[name], two[name]) for name in one)
