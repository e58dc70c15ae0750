"""`nas front RUN --importance`: which parameters matter for each measured objective."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from nas.algorithms.importance import Importances
from nas.cli.console import output
from nas.core.text import counted
from nas.report.importance import Unknown, run_importances
from nas.report.sources import read_source

_ROWS = 20  # printed parameters
_BAR = 20  # characters


def importances_of(run: Path) -> list[Importances | Unknown]:
    """The importances of a run's parameters. Runs no code that the run names."""
    source = read_source(run)
    found = run_importances(source.table, source.space or source.declared)
    hint = "pass it from Python: nas.report.importance.run_importances(nas.load_run(RUN)[0], space)"
    unknown = source.space is None and source.declared is None
    return [
        Unknown(one.objective, f"{one.reason}; {hint}") if unknown and isinstance(one, Unknown) else one
        for one in found
    ]


def print_importances(found: Sequence[Importances | Unknown]) -> None:
    """Print a table per objective."""
    if not found:
        output().print("Importance of parameters: all objectives are exact, so none is predicted")
    for one in found:
        if isinstance(one, Unknown):
            output().print(
                f"Importance of parameters for {one.objective}: not known: {one.reason}", style="yellow"
            )
        else:
            _print(one)


def _print(one: Importances) -> None:
    title = (
        f"Importance of parameters for {one.objective}: share of the variance, {one.results} results; {one.model} predicts "
        f"{one.explained:.0%} of it on held-out results"
    )
    view = Table(title=title, title_justify="left", header_style="bold")
    view.add_column("parameter", overflow="fold")
    for name in ("values", "share", "90% interval"):
        view.add_column(name, justify="right", no_wrap=True)
    view.add_column("", no_wrap=True)
    for row in one.parameters[:_ROWS]:
        known = math.isfinite(row.share)
        bar = "█" * round(_BAR * min(1.0, max(0.0, row.share))) if known else ""
        cells = (_percent(row.share), f"{_percent(row.low)} to {_percent(row.high)}") if known else ("", "")
        view.add_row(row.parameter, str(row.values), *cells, bar)
    output().print(view)
    if len(one.parameters) > _ROWS:
        left = len(one.parameters) - _ROWS
        output().print(f"{counted(left, 'less important parameter')}: --json lists all")
    if not one.reliable:
        output().print(Text("The predictions are not reliable, and so are the shares", style="yellow"))


def _percent(share: float) -> str:
    return f"{round(share, 3) + 0.0:.1%}"  # no negative zero


def importances_as_json(found: Sequence[Importances | Unknown]) -> list[dict[str, Any]]:
    """Plain values; None for numbers that are not finite."""
    return [{name: _plain(value) for name, value in dataclasses.asdict(one).items()} for one in found]


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [{k: _plain(v) for k, v in row.items()} for row in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
