"""The evaluations of a run as columns of the page, thinned if there are very many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.core.records import FloatArray
from nas.report.evaluated import Evaluated
from nas.report.plots_axes import axis_of
from nas.report.records import Measure, Noisy, Number, Parameter, Rows
from nas.runs.parameters import Cell, plain_cell
from nas.runs.run_folder import RunTable

MOST_ROWS = 10_000  # on a page, including the front
MOST_CHARACTERS = 700_000  # of architectures and parameters, to keep a page under 1.5 MB
SIGNS = (
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-"  # of `Parameter.rows`; also in data.js
)
_DIGITS = 10
_FURTHER = ("budget", "measurements", "origin")

Mask = NDArray[np.bool_]


def share_of_rows(runs: Sequence[Evaluated], parameters: int = 0) -> list[NDArray[np.int64]]:
    """The rows of each run on the page, ascending: the fronts, and an even selection of the rest.

    `parameters` is the largest number of a run. Fronts that are too long are thinned evenly along the first objective, keeping the ends.
    """
    total = sum(len(run.values) for run in runs)
    texts = pd.concat([run.frame["architecture"] for run in runs]).str.len()
    length = parameters + (float(texts.mean()) if len(texts) else 0.0)
    room = min(MOST_ROWS, int(MOST_CHARACTERS / max(1.0, length)))
    if total <= room:
        return [np.arange(len(run.values)) for run in runs]
    fronts = sum(int(run.front.sum()) for run in runs)
    part = max(0, room - fronts) / max(1, total - fronts)
    return [_thinned(run, min(1.0, room / max(1, fronts)), part) for run in runs]


def _thinned(run: Evaluated, of_front: float, of_others: float) -> NDArray[np.int64]:
    """The given shares of the front, along the first objective, and of the others, in evaluation order."""
    front = np.flatnonzero(run.front)
    front = front[np.argsort(run.values[front, 0], kind="stable")]
    return np.sort(np.concatenate([evenly(front, of_front), evenly(np.flatnonzero(~run.front), of_others)]))


def evenly(rows: NDArray[np.int64], part: float) -> NDArray[np.int64]:
    """About the given share of the rows, including the first and the last."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, int(part * len(rows))).round().astype(np.int64))]


def rows(
    run: Evaluated,
    kept: NDArray[np.int64],
    parameters: Sequence[str] = (),
    further: Mapping[str, Sequence[Number | str]] | None = None,
) -> Rows:
    """The columns of the rows `kept`; `parameters` are the names of those of the space, `further` more columns."""
    frame = run.frame.iloc[kept]
    trials = (
        pd.to_numeric(frame["trial"], errors="coerce") if "trial" in frame else pd.Series(np.nan, frame.index)
    )
    seconds = pd.to_numeric(frame["told_seconds"]) if "told_seconds" in frame else trials
    whole = [None if math.isnan(t) else int(t) for t in trials.tolist()]
    return Rows(
        trial=whole,
        order=[n or None for n in run.order[kept].tolist()],
        seconds=numbers(seconds, 5),
        architecture=frame["architecture"].astype(str).tolist(),
        values=[numbers(column) for column in run.values[kept].T],  # type: ignore[misc]
        front=np.flatnonzero(run.front[kept]).tolist(),
        outside=np.flatnonzero(~run.feasible[kept]).tolist(),
        superseded=np.flatnonzero(~run.latest[kept]).tolist(),
        unrated=np.flatnonzero(~run.compared[kept]).tolist(),
        noisy=[
            Noisy(k, numbers(run.measured[kept, k]), numbers(run.low[kept, k]), numbers(run.high[kept, k]))
            for k in run.noisy
        ],
        further={
            **{name: _column(frame[name]) for name in _FURTHER if _says_something(run.frame, name)},
            **(further or {}),
        },
        parameters=[_parameter(name, frame[name]) for name in parameters],
        left_out=len(run.values) - len(kept),
        front_left_out=int(run.front.sum()) - int(run.front[kept].sum()),
    )


def _parameter(name: str, values: pd.Series[Any]) -> Parameter:
    """The column of a parameter, each different cell once."""
    cells: dict[tuple[bool, Cell], int] = {}
    places = [
        cells.setdefault((isinstance(item, bool), item), len(cells))
        for item in map(plain_cell, values.tolist())
    ]
    text = "".join(SIGNS[place] for place in places) if len(cells) <= len(SIGNS) else places
    return Parameter(name, [item for _, item in cells], text)


def _says_something(frame: pd.DataFrame, name: str) -> bool:
    return name in frame and frame[name].nunique() > 1


def _column(values: pd.Series[float]) -> list[Number | str]:
    if pd.api.types.is_numeric_dtype(values):
        return list(numbers(values))
    return ["" if pd.isna(value) else str(value) for value in values]


def numbers(values: Sequence[float] | FloatArray | pd.Series[float], digits: int = _DIGITS) -> list[Number]:
    """Plain rounded numbers, integers without a point, None if not finite."""
    found: list[Number] = []
    for value in np.asarray(values, dtype=np.float64).tolist():
        if not math.isfinite(value):
            found.append(None)
        elif value.is_integer() and abs(value) < 1e15:
            found.append(int(value))
        else:
            found.append(float(f"{value:.{digits}g}"))
    return found


def measures(
    tables: Sequence[RunTable],
    runs: Sequence[Evaluated],
    limits: Sequence[str],
    further: Callable[[str], FloatArray] = lambda name: np.empty(0),
) -> list[Measure]:
    """The common objectives of all runs, with a joint axis, which also has the `further` values of each objective."""
    objectives = [
        o for o in tables[0].objectives if all(o.name in [p.name for p in t.objectives] for t in tables)
    ]
    found = []
    for item in objectives:
        places = [[o.name for o in t.objectives].index(item.name) for t in tables]
        seen = [run.in_view(k) for run, k in zip(runs, places, strict=True)]
        more = further(item.name)
        seen.append((more, np.ones(len(more), dtype=bool)))
        values, front = (np.concatenate(parts) for parts in zip(*seen, strict=True))
        own = list(dict.fromkeys(text for text in limits if text.split(" ")[0] == item.name))
        if len(values):
            axis = axis_of(item, values, front)
            found.append(Measure(item.name, item.unit, item.maximize, axis.log, axis.low, axis.high, own))
        else:
            found.append(Measure(item.name, item.unit, item.maximize, False, 0.0, 1.0, own))
    return found
