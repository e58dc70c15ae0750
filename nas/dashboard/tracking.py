"""Follow one run by its files: its row in the list and its front, read again only when they changed."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nas.core.errors import HistoryError, NasError
from nas.core.records import FloatArray
from nas.core.text import command, one_line
from nas.core.tracebacks import summarize_exception
from nas.dashboard.finding import Stamp, stamp_of
from nas.dashboard.records import CRASHED, FINISHED, RUNNING, STARTING, STOPPED, UNREADABLE, Front, Row
from nas.engine.heartbeat import read_heartbeat
from nas.monitor import RunStatus
from nas.monitor.recorded import RecordedFront, RecordedStatus
from nas.report.rows import evenly, numbers

MOST_POINTS = 500  # of a front
_SKETCHED = 32  # points of a front in the list
_LOG_RATIO = 10**1.5  # from here on an axis is logarithmic, as in the report
_TEXT = 200  # characters of a name
_DETAIL = 600
_SHARE = 20  # a run is read again after this many times the time of reading it
_LONGEST_S = 60.0
_RETRY_S, _LAST_RETRY_S = 5.0, 600.0  # for a run that cannot be read
_SURE_S = 100.0  # a search whose heartbeat did not change for this long has ended


class TrackedRun:
    """One run of the list. Only `refresh` reads files; the other attributes are its last findings."""

    def __init__(self, folder: Path, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self.id = hashlib.blake2s(os.fsencode(name), digest_size=8).hexdigest()
        self.row = Row(one_line(name, _TEXT))
        self.front = Front()
        self.stamp: Stamp | None = None  # of the files as last read
        self._clock = clock
        self._reader: RecordedStatus | None = None
        self._shown: tuple[object, ...] = ()
        self._due = -np.inf  # not read again before
        self._changed_at = -np.inf  # when its files were last seen to change
        self._failures = 0

    @property
    def is_read(self) -> bool:
        """Whether it was read before."""
        return self.stamp is not None

    @property
    def is_live(self) -> bool:
        """Whether it may change without a change of its files: while its search runs, or may still run elsewhere."""
        return self._reader is not None

    def refresh(self, stamp: Stamp | None = None) -> bool:
        """Read what changed since the last call; return whether the row changed. `stamp` is that of its files now."""
        began = self._clock()
        stamp = stamp or stamp_of(self.folder)
        same = self.stamp is not None and stamp.files == self.stamp.files
        if began < self._due and (same or self.is_live):
            return False
        if same and not self.is_live and not self._failures:
            return False
        if not same:
            self._changed_at = began
            self._failures = 0
        try:
            if stamp.problem:
                raise HistoryError(stamp.problem)
            changed = self._read(stamp)
            self._failures = 0
        except Exception as error:  # whatever a damaged file leads to
            changed = self._failed(stamp, error)
        self.stamp = stamp
        self._due = self._clock() + self._pause(self._clock() - began)
        return changed

    def _pause(self, took: float) -> float:
        """Seconds until the next read of unchanged files."""
        if self._failures:
            return min(_RETRY_S * 2.0 ** min(self._failures - 1, 20), _LAST_RETRY_S)
        return min(_LONGEST_S, _SHARE * took) if self.is_live else 0.0

    def _read(self, stamp: Stamp) -> bool:
        reader = self._reader or RecordedStatus(self.folder, curve=False)
        status = reader.look()
        state, detail = self._state(status)
        waiting = state == CRASHED and self._clock() - self._changed_at < _SURE_S  # its clock may be wrong
        self._reader = reader if state == RUNNING or waiting else None
        shown = (stamp.log, state, detail)
        if shown == self._shown:
            return False
        self._shown = shown
        front = reader.front()
        assert front is not None
        alive = stamp.changed if state == RUNNING else stamp.alive
        self.front = _front(front)
        self.row = _row(self.row.name, status, front, state, detail, stamp.changed, alive)
        return True

    def _state(self, status: RunStatus) -> tuple[str, str]:
        """The state, and what to know about it."""
        if status.outcome:
            if status.outcome == "finished":
                return FINISHED, ""
            if status.outcome == "exhausted":
                return FINISHED, "every architecture of the space is evaluated"
            return STOPPED, "" if status.outcome == "stopped" else one_line(status.outcome, _TEXT)
        pulse = read_heartbeat(self.folder)
        if pulse is not None and not status.crashed:
            return RUNNING, one_line(status.trouble, _DETAIL)
        where = (
            "" if pulse is None else f"its search (pid {pulse.pid} on {one_line(pulse.host, 60)}) ended early"
        )
        resume = command("nas", "search", "--resume", self.folder)
        advice = (
            "" if status.heading.evaluations is None else f"; continue with: {resume}"
        )  # a study has no command
        said = one_line((where or "no search writes to it, and it did not finish") + advice, _DETAIL)
        return (CRASHED if status.crashed else STOPPED), said

    def _failed(self, stamp: Stamp, error: Exception) -> bool:
        self._reader = None
        self._failures += 1
        text = str(error) if isinstance(error, NasError) else summarize_exception(error)
        pulse = read_heartbeat(self.folder) if not stamp.problem else None
        starts = pulse is not None and pulse.here and not self.row.evaluated
        shown = (starts, text, stamp.log)
        if shown == self._shown:
            return False
        self._shown = shown
        state = STARTING if starts else UNREADABLE
        self.row = replace(
            self.row, state=state, detail=one_line(text, _DETAIL), changed=stamp.changed, alive=stamp.alive
        )
        return True


def _row(
    name: str, status: RunStatus, front: RecordedFront, state: str, detail: str, changed: float, alive: float
) -> Row:
    heading = status.heading
    (volume, left) = numbers([status.hypervolume, np.nan if status.left is None else status.left], 6)
    texts = {key: one_line(getattr(heading, key), _TEXT) for key in ("space", "algorithm")}
    best = [
        replace(b, objective=one_line(b.objective, _TEXT), unit=one_line(b.unit, _TEXT)) for b in status.best
    ]
    return Row(
        name, state, detail, **texts, seed=heading.seed, evaluated=status.evaluated, planned=heading.evaluations,
        failed=status.failed, front_size=status.front_size, hypervolume=volume, left=left if state == RUNNING else None,
        best=best, sketch=sketch(front.values), changed=changed, alive=alive,
    )  # fmt: skip


def _front(found: RecordedFront) -> Front:
    total = len(found.values)
    kept = evenly(np.arange(total), min(1.0, MOST_POINTS / total)) if total else np.empty(0, dtype=np.int64)
    return Front(
        [
            {"name": one_line(o.name, _TEXT), "unit": one_line(o.unit, _TEXT), "maximize": o.maximize}
            for o in found.objectives
        ],
        [numbers(point) for point in found.values[kept]],
        [one_line(found.architectures[i], _TEXT) for i in kept.tolist()],
        total - len(kept),
    )


def sketch(values: FloatArray) -> list[tuple[int, int]]:
    """At most 32 points of a front (k, m) in its first two objectives, each from 0 to 100; none with a single objective."""
    if values.shape[0] == 0 or values.shape[1] < 2:
        return []
    kept = values[evenly(np.arange(len(values)), min(1.0, _SKETCHED / len(values))), :2]
    return list(map(tuple, np.stack([_shares(column) for column in kept.T], axis=1).tolist()))


def _shares(column: FloatArray) -> NDArray[np.int64]:
    """The places of values (k,) along their own range, 0 to 100, or 50 when they are equal."""
    low, high = column.min(), column.max()
    if low > 0 and high / low > _LOG_RATIO:
        column = np.log10(column)
        low, high = column.min(), column.max()
    if not high > low:
        return np.full(len(column), 50, dtype=np.int64)
    shares: NDArray[np.int64] = (100 * (column - low) / (high - low)).round().astype(np.int64)
    return shares
