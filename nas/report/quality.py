"""Quality of a search's front over evaluations and time, and of its surrogates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from nas.core.objectives import Objective
from nas.core.records import FloatArray, Note
from nas.pareto.archive import non_dominated
from nas.pareto.indicators import CURVE_STEPS, Box, hypervolume, igd_plus, places
from nas.report.plots_axes import short
from nas.report.records import Curve, Surrogate
from nas.report.rows import numbers
from nas.runs.notes import notes_table
from nas.runs.run_folder import RunTable

_DIGITS = 6
_PAIRS = 3e7  # compared pairs of points per curve of IGD+
_FEWEST_STEPS = 24


def own_curve(table: RunTable) -> Curve | None:
    """Hypervolume in the run's box and IGD+ to its final front; None before the first result."""
    if table.box is None or len(table.told) == 0:
        return None
    return _curve(
        table,
        table.curve,
        table.distance(_steps(table.final)),
        box_text(table.objectives, table.box) + expected_text(table),
    )


def _steps(goal: FloatArray) -> int:
    """Number of points of the curve of the distance to a front (k, m), to write a page in about a second."""
    return int(np.clip(_PAIRS / max(1, len(goal)) ** 2, _FEWEST_STEPS, CURVE_STEPS))


def shared_curves(tables: Sequence[RunTable], names: Sequence[str]) -> list[Curve | None]:
    """Hypervolume and IGD+ of several runs in one box and to their joint front, in the objectives `names`."""
    columns = [[[o.name for o in table.objectives].index(name) for name in names] for table in tables]
    objectives = [next(o for o in tables[0].objectives if o.name == name) for name in names]
    box = _joint_box(tables, columns)
    if box is None:
        return [None for _ in tables]
    finals = np.concatenate([table.final[:, at] for table, at in zip(tables, columns, strict=True)])
    goal = finals[non_dominated(finals)]
    text = box_text(objectives, box)
    found: list[Curve | None] = []
    for table, at in zip(tables, columns, strict=True):
        if len(table.told) == 0:
            found.append(None)
            continue
        first = len(table.before)
        volume = table.along(lambda front: hypervolume(front, box), 0.0, columns=at)
        distance = table.along(lambda front: igd_plus(front, goal, box), np.inf, _steps(goal), at)
        found.append(_curve(table, volume[first:], distance[first:], text + expected_text(table)))
    return found


def _joint_box(tables: Sequence[RunTable], columns: Sequence[Sequence[int]]) -> Box | None:
    """The smallest box that contains those of the runs, in these objectives of each."""
    pairs = [
        (table.box, list(at)) for table, at in zip(tables, columns, strict=True) if table.box is not None
    ]
    if not pairs:
        return None
    return Box(
        np.min([box.ideal[at] for box, at in pairs], axis=0),
        np.max([box.reference[at] for box, at in pairs], axis=0),
    )


def _curve(table: RunTable, volume: FloatArray, distance: FloatArray, box: str) -> Curve:
    """The evaluations at which the curves were measured, without trials that never ran."""
    ran = (table.told["status"] != "invalid").to_numpy(dtype=bool)
    if not ran.any():
        return Curve((), (), (), (), box)
    count = np.cumsum(ran)[ran]
    at = places(len(count), CURVE_STEPS)
    seconds = table.told["told_seconds"].to_numpy(dtype=np.float64)[ran]
    return Curve(
        count[at].tolist(),
        numbers(seconds[at], _DIGITS),
        numbers(volume[ran][at], _DIGITS),
        numbers(distance[ran][at], _DIGITS),
        box,
    )


def expected_text(table: RunTable) -> str:
    """A sentence about expected values for the caption of a hypervolume; "" without any."""
    names = () if table.expected is None else table.expected.names
    return f" Each result counts with its final expected {' and '.join(names)}." if names else ""


def box_text(objectives: Sequence[Objective], box: Box) -> str:
    """The corners of a box, in the objectives' units and directions."""
    corners = []
    for corner in (box.reference, box.ideal):
        pairs = zip(objectives, corner.tolist(), strict=True)
        corners.append(", ".join(f"{o.name} {short(o.sign * v)} {o.unit}".strip() for o, v in pairs))
    return f"The box runs from the reference point ({corners[0]}) to the ideal point ({corners[1]})."


def surrogates(notes: Sequence[Note]) -> list[Surrogate]:
    """The recorded quality of the surrogates, one entry per objective."""
    table = notes_table(notes)
    if table.empty:
        return []
    groups = [("", table)] if "objective" not in table else list(table.groupby("objective", sort=False))
    return [_surrogate(str(name), rows) for name, rows in groups]


def _surrogate(name: str, rows: pd.DataFrame) -> Surrogate:
    def column(key: str) -> pd.Series[float]:
        given = rows[key] if key in rows else pd.Series(np.nan, rows.index)
        return pd.to_numeric(given, errors="coerce")

    def texts(key: str) -> list[str]:
        return [str(value) for value in rows[key]] if key in rows else [""] * len(rows)

    reliable = rows["reliable"].astype(bool).tolist() if "reliable" in rows else [True] * len(rows)
    values = {key: numbers(column(key), _DIGITS) for key in ("tau", "tau_low", "tau_high", "coverage")}
    told = rows["told"].astype(int).tolist()
    return Surrogate(name, told, reliable=reliable, chosen=texts("chosen"), text=texts("text")[-1], **values)
