"""The status of a run in another process, read incrementally from its log."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.errors import HistoryError
from nas.core.json_text import read_json
from nas.core.objectives import Limit, Objective
from nas.core.records import FloatArray, Note, Status
from nas.core.text import command
from nas.engine.heartbeat import Heartbeat, read_heartbeat
from nas.monitor.records import Heading, RunStatus
from nas.monitor.tally import Expected, RunTally, Told
from nas.runs.brought import META, imported_table
from nas.runs.expected import ENDS, ExpectedValues
from nas.runs.expected import META as EXPECTED
from nas.runs.history_table import FILE, check_schema, values_of
from nas.runs.log_file import connect_to_look, copy_to_read, explained, identity, signature, well_formed
from nas.runs.notes import SURROGATE, values_from_text
from nas.runs.original import original_values
from nas.runs.sharing_quality import SHARING

_PATIENCE_S = 1.0  # wait for a log that another process locks; the next call comes soon
_ROWS = 5_000  # results per read


@dataclass
class _Known:
    """The part of one log read so far."""

    file: tuple[int, int] | None
    tally: RunTally
    objectives: tuple[Objective, ...]
    last_tell: tuple[int, int, float] = (0, -1, 0.0)  # its place in the log, its trial, when
    last_result: float | None = None
    notes: list[Note] = field(default_factory=list)
    expected: str | None = None  # the expected values in the log, as JSON


@dataclass(frozen=True, eq=False)  # compared by identity: arrays have no single answer to ==
class RecordedFront:
    """The front of a run: `values` (k, m) in the objectives' own units and directions, and the text of each architecture."""

    objectives: tuple[Objective, ...]
    values: FloatArray
    architectures: tuple[str, ...]


@contextmanager
def log_to_read(folder: Path, pulse: Heartbeat | None) -> Iterator[Path]:
    """A folder from which the log of the run can be read now without any change to the run's folder.

    `pulse` is the run's heartbeat. That folder is the run's own, or a temporary copy where the log has a write-ahead log and no search on this machine writes it:
    SQLite would write its index beside it, and the index of another machine cannot be read.
    Raises `HistoryError` when there is no log or it cannot be copied.
    """
    path = folder / FILE
    if not path.is_file():
        raise HistoryError(f"no run in {folder}: {path} is missing")
    if not path.with_name(f"{FILE}-wal").exists() or (pulse is not None and pulse.here):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="nas-watch-") as place:
        with explained(path):
            copy_to_read(path, Path(place))
        yield Path(place)


class RecordedStatus:
    """Reads the status of the run in a folder; writes nothing there."""

    def __init__(self, folder: Path, *, curve: bool = True) -> None:
        """Without `curve`, the hypervolume along the run is left out, so that a read takes about half the time."""
        self._folder = folder
        self._curve = curve
        self._path = folder / FILE
        self._known: _Known | None = None
        self._signature: tuple[object, ...] = ()
        self._beat: tuple[float, float] | None = (
            None  # the last heartbeat and the time it was seen (monotonic)
        )

    def look(self) -> RunStatus:
        """The status of the run now.

        Raises `HistoryError` when there is no run yet, or when its log cannot be read now.
        """
        pulse = read_heartbeat(self._folder)
        written = signature(self._path)
        if self._known is None or written != self._signature:
            with self._opened(pulse) as db:
                self._read(db)
            self._signature = written
        assert self._known is not None
        return self._standing(self._known, pulse)

    def front(self) -> RecordedFront | None:
        """The front as of the last `look`, the best of the first objective first; None before."""
        if self._known is None:
            return None
        objectives, (architectures, points) = self._known.objectives, self._known.tally.front
        values = points * [o.sign for o in objectives]
        order = np.lexsort(points.T[::-1]) if len(points) else np.empty(0, dtype=np.int64)
        return RecordedFront(objectives, values[order], tuple(str(architectures[i]) for i in order.tolist()))

    @contextmanager
    def _opened(self, pulse: Heartbeat | None) -> Iterator[sqlite3.Connection]:
        with (
            log_to_read(self._folder, pulse) as place,
            explained(self._path),
            closing(connect_to_look(place / FILE, _PATIENCE_S)) as db,
        ):
            yield db

    def _read(self, db: sqlite3.Connection) -> None:
        """Read new results, or all of them if the log was replaced or truncated."""
        db.execute("BEGIN")  # one snapshot for all reads
        check_schema(db, self._path)
        file = identity(self._path)
        known = self._known
        if known is None or known.file != file or not _goes_on(db, known):
            known = self._begin(db, file)
        known.tally.heading = self._heading(_meta(db, "config", self._path))
        self._read_tells(db, known)
        self._read_last_result(db, known)
        self._read_expected(db, known)
        known.notes = self._newest_notes(db)
        self._known = known

    def _read_expected(self, db: sqlite3.Connection, known: _Known) -> None:
        """Read the expected values of noisy objectives when the search has estimated them again."""
        row = db.execute("SELECT value FROM meta WHERE key = ?", (EXPECTED,)).fetchone()
        if row is None or row[0] == known.expected:
            return
        known.expected = row[0]
        told = int(db.execute("SELECT COUNT(*) FROM log WHERE event = 'tell'").fetchone()[0])
        with well_formed(self._path):
            found = ExpectedValues.from_meta({EXPECTED: read_json(row[0])}, told)
        if found is not None:
            names = [o.name for o in known.objectives]
            columns = [names.index(name) for name in found.names]
            signs, middle = np.array([known.objectives[j].sign for j in columns]), slice(0, None, len(ENDS))
            values = {text: signs * np.array(cells)[middle] for text, cells in found.values.items()}
            known.tally.expect(Expected(columns, values, found.budget))

    def _begin(self, db: sqlite3.Connection, file: tuple[int, int] | None) -> _Known:
        config, described = _meta(db, "config", self._path), _meta(db, "objectives", self._path)
        if config is None or described is None:
            raise HistoryError(f"{self._folder}: the run has not begun yet")
        with well_formed(self._path):
            objectives = tuple(Objective(**values) for values in described)
            limits = [Limit.parse(text) for text in _meta(db, "limits", self._path)]
            initial = int(_meta(db, "initial", self._path))
            tally = RunTally(self._heading(config), objectives, limits, initial, curve=self._curve)
            imported = _meta(db, META, self._path)
            for row in imported_table({META: imported}).to_dict("records") if imported else ():
                budget = None if np.isnan(row["budget"]) else float(row["budget"])
                tally.begin_with(str(row["architecture"]), budget, _point(objectives, row))  # type: ignore[arg-type]
        return _Known(file, tally, objectives)

    def _heading(self, config: Mapping[str, Any]) -> Heading:
        with well_formed(self._path):
            loop = config["loop"]
            return Heading(
                str(config["space"]),
                str(config["algorithm"]),
                int(config["seed"]),
                None if loop["evaluations"] is None else int(loop["evaluations"]),
                None if loop["seconds"] is None else float(loop["seconds"]),
                str(self._folder),
                int(loop.get("at_least", 0)),
                original_values(config),
            )

    def _read_tells(self, db: sqlite3.Connection, known: _Known) -> None:
        query = (
            "SELECT l.seq, l.trial, l.seconds, t.architecture, t.budget, t.asked_at, "
            'r.status, r."values", r.error, r.finished FROM log l JOIN trials t ON t.id = l.trial '
            "JOIN results r ON r.trial = l.trial WHERE l.event = 'tell' AND l.seq > ? ORDER BY l.seq"
        )
        cursor = db.execute(query, (known.last_tell[0],))
        while rows := cursor.fetchmany(_ROWS):
            values = values_of([row[7] for row in rows], self._path)
            with well_formed(self._path):
                for row, reported in zip(rows, values, strict=True):
                    known.tally.take(_told(known.objectives, row, reported))
                    known.last_result = max(known.last_result or 0.0, _arrival(row[5], row[9]))
            known.last_tell = rows[-1][:3]

    def _read_last_result(self, db: sqlite3.Connection, known: _Known) -> None:
        """When the last result came, including those that wait for their turn."""
        query = "SELECT MAX(MAX(t.asked_at, r.finished)) FROM results r JOIN trials t ON t.id = r.trial WHERE r.trial > ?"
        came = db.execute(query, (known.last_tell[1],)).fetchone()[0]
        known.last_result = max((t for t in (came, known.last_result) if t is not None), default=None)

    def _newest_notes(self, db: sqlite3.Connection) -> list[Note]:
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'notes'").fetchone() is None:
            return []  # a log of the first format
        newest = (
            'SELECT MAX(told), kind, "values" FROM notes WHERE kind = ? GROUP BY objective ORDER BY objective'
        )
        first = 'SELECT MIN(told), kind, "values" FROM notes WHERE kind = ? GROUP BY objective'  # it has the decision
        asked = ((newest, SURROGATE), (first, SHARING), (newest, SHARING))
        with well_formed(self._path):
            return [
                Note(told, kind, values_from_text(text))
                for query, name in asked
                for told, kind, text in db.execute(query, (name,))
            ]

    def _standing(self, known: _Known, pulse: Heartbeat | None) -> RunStatus:
        over = known.last_tell[2]
        if pulse is None:
            outcome = self._outcome()
            return self._silent(known, outcome, "" if outcome else "no search writes to this run")
        silent = self._silence(pulse)
        trouble = pulse.trouble(silent)
        if trouble:
            return replace(self._silent(known, "", trouble), crashed=True)
        since = silent if pulse.ticking else 0.0
        return known.tally.status(
            over if pulse.seconds is None else max(over, pulse.seconds + since),
            workers=[w if w.trial is None else replace(w, seconds=w.seconds + since) for w in pulse.workers],
            waiting=pulse.waiting,
            trains=pulse.trains,
            notes=known.notes,
            ticking=pulse.ticking and pulse.seconds is not None,
            last_result=known.last_result,
            trouble=pulse.silence,
        )

    def _silent(self, known: _Known, outcome: str, trouble: str) -> RunStatus:
        """The status of a run that no known search writes: that of its last result."""
        how = command("nas", "search", "--resume", self._folder)
        if known.tally.heading.evaluations is None:
            how = f"nas.Study(..., out={str(self._folder)!r}, resume=True)"
        advice = f"; if it was killed, continue with: {how}" if trouble else ""
        return known.tally.status(
            known.last_tell[2],
            notes=known.notes,
            ticking=False,
            last_result=known.last_result,
            outcome=outcome,
            trouble=trouble + advice,
        )

    def _silence(self, pulse: Heartbeat) -> float:
        """Seconds since the last heartbeat, by this machine's clock once two different beats were seen."""
        if self._beat is None:
            self._beat = pulse.beat, time.monotonic() - max(0.0, time.time() - pulse.beat)
        elif self._beat[0] != pulse.beat:
            self._beat = pulse.beat, time.monotonic()
        return time.monotonic() - self._beat[1]

    def _outcome(self) -> str:
        """How the run ended, from its summary; "" when it has none."""
        try:
            summary = read_json((self._folder / "summary.json").read_text(encoding="utf-8"))
            return str(summary["state"])
        except (OSError, ValueError, TypeError, KeyError):
            return ""


def _goes_on(db: sqlite3.Connection, known: _Known) -> bool:
    """Whether the log still holds the last result read: a resumed search may drop some and continue differently."""
    if known.last_tell[0] == 0:
        return True
    row = db.execute("SELECT seq, trial, seconds FROM log WHERE seq = ?", (known.last_tell[0],)).fetchone()
    return row is not None and tuple(row) == tuple(known.last_tell)


def _meta(db: sqlite3.Connection, key: str, path: Path) -> Any:
    row = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    with well_formed(path):
        return None if row is None else read_json(row[0])


def _told(objectives: Sequence[Objective], row: Sequence[Any], reported: Mapping[str, Any]) -> Told:
    _, _, seconds, text, budget, _, status, _, error, _ = row
    point = _point(objectives, reported) if status == Status.OK.value else None
    return Told(text, budget, point, status, error, seconds)


def _point(objectives: Sequence[Objective], values: Mapping[str, Any]) -> np.ndarray:
    return np.array([o.sign * float(values[o.name]) for o in objectives])


def _arrival(asked: float, finished: float) -> float:
    """When a result came (Unix time): by its worker's clock unless that is virtual."""
    return max(asked, finished)
