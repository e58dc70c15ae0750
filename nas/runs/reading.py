"""Read a run from its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nas.core.errors import HistoryError
from nas.core.objectives import Limit, Objective
from nas.pareto.indicators import CURVE_STEPS
from nas.runs.brought import imported_table
from nas.runs.expected import ExpectedValues
from nas.runs.history import FILE, read_history, read_notes
from nas.runs.log_file import well_formed
from nas.runs.parameters import META, read_parameters
from nas.runs.run_folder import RunTable, run_table


def load_run(folder: str | Path, steps: int | None = CURVE_STEPS) -> tuple[RunTable, dict[str, Any]]:
    """Read a run, finished or running, without its space or code: its table (see `run_table`) and its meta values."""
    path = Path(folder)
    frame, meta = read_history(path)
    if not meta.get("objectives"):
        raise HistoryError(f"{folder}: the run ended before its first evaluation; start it again")
    notes = read_notes(path)
    parameters = read_parameters(path / FILE, meta.get(META))
    with well_formed(path / FILE):
        objectives = [Objective(**values) for values in meta["objectives"]]
        limits = [Limit.parse(text) for text in meta["limits"]]
        imported = imported_table(meta)
        expected = ExpectedValues.from_meta(meta, int(frame["told"].notna().sum()))
        return run_table(
            frame, objectives, limits, int(meta["initial"]), notes, imported, steps, parameters, expected
        ), meta
