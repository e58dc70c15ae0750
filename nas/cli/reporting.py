"""`nas report`: the page of a run or a comparison; `nas search` writes it at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nas.cli.console import output
from nas.core.errors import ConfigError, NasError
from nas.core.json_text import read_json
from nas.core.space import SearchSpace
from nas.core.text import command

if TYPE_CHECKING:
    from nas.engine.record import SearchResult


def make_report(runs: Sequence[Path], out: Path | None) -> None:
    """Write the page and print its path. Raises `NasError` for a folder without a run, or runs that cannot be compared."""
    from nas.report import write_report

    named = {run.resolve() for run in runs}
    if len(named) < len(runs):
        raise ConfigError(f"runs: name each run once, got {' '.join(map(str, runs))}")
    path = write_report(runs, out)
    output().print(f"{path}  {_size(path)}, opens offline in any browser")


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def report_at_the_end(result: SearchResult, space: SearchSpace) -> Path | None:
    """Write the page of a finished search; None, with a warning, if that fails."""
    assert result.out is not None
    assert result.table is not None
    try:
        from nas.report import Source, write_page

        config = read_json((result.out / "config.json").read_text(encoding="utf-8"))
        return write_page([Source(result.out, result.table, config, result.state, space)])
    except Exception as error:  # must not fail the finished search
        reason = str(error) if isinstance(error, NasError) else f"{type(error).__name__}: {error}"
        again = command("nas", "report", result.out)
        output().print(
            f"No report: {reason}. All other files are written; write the report with: {again}",
            style="yellow",
        )
        return None
