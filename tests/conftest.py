"""Fixtures that every test may use."""

from __future__ import annotations

import atexit
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from report_browser import launched

# Keep compiled files, against the environment: else each of some hundred processes compiles the package again,
# and pytest rewrites every test, which takes longer than most of the tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# One thread per test, as one thread per worker: small networks train several times faster so, and subprocesses follow.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

# The user's trust is stored in a user folder; the tests have a separate one.
_STATE = tempfile.mkdtemp(prefix="nas-tests-state-")
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)
os.environ["XDG_STATE_HOME"] = _STATE

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
    """Leave out the plots, which take longer than a small search."""
    monkeypatch.setattr("nas.report.plots.write_plots", lambda folder, table: [])


@pytest.fixture(scope="session")
def torchvision() -> Iterator[ModuleType]:
    """torchvision; a build whose compiled operators do not load gets names for the two that it asks for on import."""
    kept: Any = None
    try:
        found = importlib.import_module("torchvision")
    except ImportError:
        pytest.skip("torchvision is not installed; it comes with the extra 'dev'")
    except RuntimeError:  # its operators are missing: a build for GPUs on a machine without
        import torch

        kept = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            kept.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        found = importlib.import_module("torchvision")
    yield found
    del kept


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium or Chrome as installed on this machine.

    Of a module alone: while it is there, no other may be started in the process, nor an event loop. A `package` scope
    would last to the end of the session, as these folders have no `__init__.py`.
    """
    with launched() as found:
        yield found
