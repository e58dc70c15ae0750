"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# One thread a test, as one thread a worker: small networks train several times faster so, and subprocesses follow.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real benchmark tables; tests that need it skip when it is absent."""
    folder = Path(os.environ.get("NAS_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"benchmark tables not found at {folder}; set NAS_SHARED_DATA to their folder")
    return folder


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pictures, which take longer than a small search."""
    monkeypatch.setattr("nas.plots.write_plots", lambda folder, table: [])
