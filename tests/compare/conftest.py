"""A small comparison that tests look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compare_parts import PARTS, Compare, config, make_runs

from nas.compare.config import check_comparison
from nas.compare.runs import Comparison


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file that configs name."""
    folder = tmp_path_factory.mktemp("parts")
    (folder / "parts.py").write_text(PARTS, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def comparison(parts: Path) -> Compare:
    """Makes a comparison in a folder, from the keys that differ."""

    def make(out: Path, **changes: Any) -> Comparison:
        return Comparison(check_comparison(config(**changes)), parts, out)

    return make


@pytest.fixture(scope="session")
def made(comparison: Compare, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The comparison with all its runs."""
    found = comparison(tmp_path_factory.mktemp("made"))
    progress = make_runs(found)
    assert not progress.failed
    return found
