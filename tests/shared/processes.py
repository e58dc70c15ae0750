"""Run a script in several processes, as torchrun does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def launch(script: str, folder: Path, processes: int, *arguments: object, timeout: float = 110) -> None:
    """Run the text `script` with `folder` and further arguments; it must succeed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = folder.parent / "script.py"
    file.write_text(script)
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    command += [
        "--master-addr=127.0.0.1",
        f"--master-port={port}",
        str(file),
        str(folder),
        *map(str, arguments),
    ]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
