"""A small run, finished and as it was in its middle."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.engine.search_state import SearchState
from nas.testing import ToySpace, toy_error


def search(out: Path, *callbacks: Callable[[SearchState], None], **changes: Any) -> nas.SearchResult:
    """A search of 30 evaluations by moead, or with these changes."""
    arguments = {"evaluate": toy_error, "budget": 30, "out": out, "callbacks": callbacks} | changes
    return nas.search(ToySpace(), ["error", "params", "madds"], **{"algorithm": "moead", **arguments})


def make_runs(folder: Path) -> Path:
    """Make a finished run, `run`, and a copy of it as it was after twelve evaluations, `middle`; return the folder."""

    def copy(state: SearchState) -> None:
        if state.evaluated == 12:
            shutil.copytree(folder / "run", folder / "middle")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.report.plots.write_plots", lambda folder, table: [])
        search(folder / "run", copy)
    return folder
