"""`nas report`: the page of a run, or of several compared; also what `nas search` writes at its end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli.console import output
from nas.core.errors import ConfigError, NasError
from nas.core.space import SearchSpace

if TYPE_CHECKING:
    from nas.engine.record import SearchResult


def make_report(runs: Sequence[Path], out: Path | None) -> None:
    """Write the page and say where it is. Raises `NasError` for what is no run, or cannot be compared."""
    from nas.report import write_report

    named = {run.resolve() for run in runs}
    if len(named) < len(runs):
        raise ConfigError(f"runs: each may be named once, got {' '.join(map(str, runs))}")
    path = write_report(runs, out)
    output().print(f"{path}  {_size(path)}, opens in any browser, offline")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def report_at_the_end(result: SearchResult, space: SearchSpace) -> Path | None:
    """The page of a search that has just ended in a folder; None, with a warning, where it cannot be made."""
    assert result.out is not None
    assert result.table is not None
    try:
        from nas.report import Source, write_page

        config = json.loads((result.out / "config.json").read_text(encoding="utf-8"))
        return write_page([Source(result.out, result.table, config, result.state, space)])
    except Exception as error:  # the search is over and its results are written: nothing here may spoil that
        reason = str(error) if isinstance(error, NasError) else f"{type(error).__name__}: {error}"
        again = shlex.join(["nas", "report", str(result.out)])
        output().print(
            f"No report: {reason}. Everything else is written; make it with: {again}",
            style="yellow",
        )
        return None
