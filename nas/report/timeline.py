"""The lanes of the workers' timeline, from the trials in the log."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nas.core.records import FloatArray
from nas.report.records import Timeline, Worker

_LANES = 64  # workers shown
_INTERVALS = 6_000  # of all workers; with more trials, neighbours are joined
_PAUSE = 0.1  # of the busy time: longer idle times are cut out


def timeline(frame: pd.DataFrame, virtual: bool) -> Timeline | None:
    """The timeline of a run's table (see `nas.runs.history.read_history`); None if nothing has run.

    `virtual`: whether the times are from a virtual clock.
    """
    ran = frame[(frame["finished"].fillna(0) > 0) & (frame["worker"].fillna("") != "")]
    if ran.empty:
        return None
    start = ran["started"].to_numpy(dtype=np.float64)
    end = np.maximum(ran["finished"].to_numpy(dtype=np.float64), start)
    gaps = _pauses(start, end)
    origin = start.min()
    start, end = _without(start, gaps) - origin, _without(end, gaps) - origin
    span = float(end.max()) or 1.0
    lanes = ran.assign(start=start, end=end).groupby("worker", sort=False)
    busy = sorted(lanes, key=lambda lane: -float((lane[1]["end"] - lane[1]["start"]).sum()))
    shown = sorted(busy[:_LANES], key=lambda lane: (float(lane[1]["start"].min()), str(lane[0])))
    cuts = [(float(_without(np.array([low]), gaps)[0] - origin), float(high - low)) for low, high in gaps]
    visible = 0.0 if len(ran) <= _INTERVALS else span * len(shown) / _INTERVALS
    workers = [_worker(str(name), rows.sort_values("start"), visible) for name, rows in shown]
    return Timeline(workers, round(span, 3), cuts, len(busy) - len(shown), virtual)


def _pauses(start: FloatArray, end: FloatArray) -> list[tuple[float, float]]:
    """Long idle times, such as those between two sessions."""
    order = np.argsort(start)
    reached = np.maximum.accumulate(end[order])
    low, high = reached[:-1], start[order][1:]
    idle = np.maximum(0.0, high - low)
    busy = float(reached[-1] - start.min() - idle.sum())
    long = np.flatnonzero(idle > max(_PAUSE * busy, 1.0))
    return [(float(low[i]), float(high[i])) for i in long]


def _without(times: FloatArray, gaps: list[tuple[float, float]]) -> FloatArray:
    """Times (n,) on a clock that stops in the gaps."""
    lost = [np.clip(times - low, 0.0, high - low) for low, high in gaps]
    return np.asarray(times - sum(lost, np.zeros_like(times)), dtype=np.float64)


def _worker(name: str, ran: pd.DataFrame, visible: float) -> Worker:
    start, end = ran["start"].to_numpy(dtype=np.float64), ran["end"].to_numpy(dtype=np.float64)
    status = ran["status"].to_numpy(dtype=object)
    first = _beginnings(start, end, status, visible)
    last = np.append(first[1:], len(ran)) - 1
    return Worker(
        name,
        start=[round(t, 3) for t in start[first].tolist()],
        end=[round(t, 3) for t in np.maximum.accumulate(end)[last].tolist()],
        status=[str(s) for s in status[first]],
        trial=ran["trial"].to_numpy(dtype=np.int64)[first].tolist(),
        trials=(last - first + 1).tolist(),
        count=len(ran),
        busy=round(float((end - start).sum()), 3),
    )


def _beginnings(
    start: FloatArray, end: FloatArray, status: NDArray[np.object_], visible: float
) -> NDArray[np.int64]:
    """Rows, sorted by start, that begin a visible interval: after a gap or with another status."""
    if visible == 0.0:
        return np.arange(len(start))
    apart = (start[1:] - end[:-1] > visible) | (end[1:] - start[1:] > visible)
    return np.append(0, np.flatnonzero(apart | (status[1:] != status[:-1])) + 1)
