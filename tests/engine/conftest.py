"""Fixtures for tests of the engine."""

from __future__ import annotations

import pytest


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the pictures, which take longer than a small search."""
    monkeypatch.setattr("nas.plots.write_plots", lambda folder, table: [])
