"""The log of a run: every ask, result and tell a committed row in one SQLite file.

A run resumes from it alone, by replaying it through a new algorithm. It holds text and numbers only; opening an untrusted log
runs no code.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.core.errors import ArchitectureError, HistoryError
from nas.core.files import check_no_links, remove_folders
from nas.core.json_text import read_json
from nas.core.records import Architecture, Note, Result, Status, Trial
from nas.core.space import HasChoices, SearchSpace, parsed, text_of
from nas.core.text import shell_quoted, storable
from nas.runs.files import APPLICATION, LOG_FILES, TABLE, check_log_is_file, check_new, make_table, run_files
from nas.runs.history_table import (
    FILE,
    SCHEMA,
    check_readable,
    check_sound,
    notes_of,
    read_history,
    read_notes,
    tabulate,
    values_of,
)
from nas.runs.log_file import (
    LOCK_FILE,
    connect_to_write,
    explained,
    identity,
    lock_folder,
    make_folder,
    patiently,
    rescue,
    well_formed,
)
from nas.runs.notes import values_as_text
from nas.runs.parameters import META as PARAMETERS
from nas.runs.parameters import cells_of, names_of

__all__ = ["FILE", "SCHEMA", "Event", "History", "as_json", "read_history", "read_notes", "tabulate"]

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE trials (
    id INTEGER PRIMARY KEY, architecture TEXT NOT NULL, seed INTEGER NOT NULL, budget REAL, asked_at REAL NOT NULL
) STRICT;
CREATE TABLE results (
    trial INTEGER PRIMARY KEY REFERENCES trials(id), status TEXT NOT NULL, "values" TEXT NOT NULL,
    seconds REAL NOT NULL, error TEXT NOT NULL, worker TEXT NOT NULL, started REAL NOT NULL, finished REAL NOT NULL
) STRICT;
CREATE TABLE log (seq INTEGER PRIMARY KEY, event TEXT NOT NULL, trial INTEGER, seconds REAL) STRICT;
"""
_SINCE_2 = """
CREATE TABLE IF NOT EXISTS notes (
    told INTEGER NOT NULL, kind TEXT NOT NULL, objective TEXT NOT NULL, "values" TEXT NOT NULL,
    PRIMARY KEY (told, kind, objective)
) STRICT;
CREATE TABLE IF NOT EXISTS parameters (architecture TEXT PRIMARY KEY, cells TEXT NOT NULL) STRICT;
"""


_INSERT_PARAMETERS = "INSERT OR IGNORE INTO parameters VALUES (?, ?)"


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a search: `ask` (trial is None when the space was exhausted) or `tell`."""

    kind: str
    trial: int | None


class History:
    """The append-only log of one run, in `folder/history.sqlite`.

    Every method that records commits before it returns, so its record survives the end of the process at any moment. One
    writer at a time: a second search on the same folder is refused.
    """

    def __init__(self, folder: Path, space: SearchSpace, *, create: bool) -> None:
        """Make the log of a new run (`create`) or open that of an earlier one, for writing.

        Raises `HistoryError` when the folder already holds a run (or holds none, to open), when another search writes to it,
        when the file is damaged or newer than this version, or on a disk error.
        """
        self.path = folder / FILE
        self._space = space
        self._lock: int | None = None
        self._gone: str | None = None  # the message about a missing folder, once noticed
        self._made: list[Path] = []  # folders made here
        self._kept: list[str] = []  # folders of callbacks, from an earlier start
        check_log_is_file(folder)
        if create:
            check_new(folder, runs=True)  # for an existing run, the lock gives a better message
        else:
            check_readable(self.path)
        with explained(self.path):
            self._made = make_folder(folder)
            self._lock = lock_folder(folder)
        try:
            if create:
                check_new(folder)  # again, now under the lock
                self._kept = self._remove_unused()
            with explained(self.path):
                self._open(create)
        except BaseException:
            self._unlock()
            raise

    def _open(self, create: bool) -> None:
        self._db = connect_to_write(self.path)
        if create:  # first, so that an interrupted creation leaves an empty file or this mark
            patiently(self.path, lambda: self._db.execute(f"PRAGMA application_id={APPLICATION}"))
        # WAL with NORMAL: a commit survives the end of the process; a power cut may lose the last commits but never
        # damages the file.
        patiently(self.path, lambda: self._db.execute("PRAGMA journal_mode=WAL"))
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._file = identity(self.path)
        if not create:
            check_sound(self._db, self.path)
        tables = (
            f"{_TABLES} {TABLE};" if create else ""
        )  # the log of an earlier version gets its missing tables
        with self._transaction() as db:
            for statement in filter(str.strip, f"{tables} {_SINCE_2}".split(";")):
                db.execute(statement)
            make_table(db, self.path.parent)
            db.executemany("INSERT INTO files VALUES (?)", [(name,) for name in self._kept])
            db.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(SCHEMA),))

    def _remove_unused(self) -> list[str]:
        """Remove the files of a search that ended before its first ask; return its remaining folders."""
        if not self.path.exists():
            return []
        with explained(self.path):
            return self._remove_files(run_files(self.path.parent).recorded())

    def _remove_files(self, names: Collection[str]) -> list[str]:
        """Remove these files, the log last; return the names of folders, which remain."""
        for name in [*sorted({*names} - {*LOG_FILES, LOCK_FILE}), *LOG_FILES]:
            path = self.path.parent / name
            if not name.endswith("/") and path.is_file() and not path.is_symlink():
                check_no_links(path.parent, self.path.parent)
                path.unlink()
        return [name for name in sorted(names) if name.endswith("/") and (self.path.parent / name).is_dir()]

    def write_meta(self, values: Mapping[str, Any]) -> None:
        """Store values beside the log as JSON, in one transaction."""
        with self._transaction() as db:
            rows = [(key, json.dumps(value)) for key, value in values.items()]
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)

    def meta(self, key: str) -> Any:
        """A value stored by `write_meta`, or None."""
        with explained(self.path):
            row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        with well_formed(self.path):
            return None if row is None else read_json(row[0])

    def record_ask(self, trial: Trial | None, notes: Sequence[Note] = ()) -> None:
        """Record an ask (None: the space was exhausted), the parameters of its architecture, and its notes."""
        text = "" if trial is None else text_of(self._space, trial.architecture)
        named = [] if trial is None else self._named({text: trial.architecture})
        with self._transaction() as db:
            if trial is not None:
                row = (trial.id, text, trial.seed, trial.budget, time.time())
                db.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?)", row)
            db.execute("INSERT INTO log (event, trial) VALUES ('ask', ?)", (trial.id if trial else None,))
            db.executemany(_INSERT_PARAMETERS, named)
            _insert_notes(db, notes)

    def name_parameters(self, known: Iterable[Architecture] = ()) -> None:
        """Record the names of the space's parameters, and their values for `known` and for the trials that lack them.

        Raises `HistoryError` when the log belongs to another space.
        """
        if not isinstance(self._space, HasChoices):
            return
        names = names_of(self._space)
        if self.meta(PARAMETERS) != names:  # a run of an earlier version, or renamed parameters
            with self._transaction() as db:
                db.execute("DELETE FROM parameters")
        with explained(self.path):
            query = "SELECT DISTINCT architecture FROM trials WHERE architecture NOT IN (SELECT architecture FROM parameters)"
            texts = [str(row[0]) for row in self._db.execute(query)]
        rows = self._named({text: self._parsed(text) for text in texts})
        rows += self._named({text_of(self._space, a): a for a in known})
        with self._transaction() as db:
            db.executemany(_INSERT_PARAMETERS, rows)
        self.write_meta({PARAMETERS: names})

    def _named(self, architectures: Mapping[str, Architecture]) -> list[tuple[str, str]]:
        """Rows of the table of parameters; none where they have no names."""
        space = self._space
        if not isinstance(space, HasChoices):
            return []
        return [(text, json.dumps(cells_of(space, a))) for text, a in architectures.items()]

    def record_result(self, result: Result) -> None:
        """Record a result on arrival; in ordered mode its tell may come later."""
        row = (
            result.trial.id,
            result.status.value,
            json.dumps({storable(name): value for name, value in result.values.items()}),
            result.seconds,
            result.error,
            result.worker,
            result.started,
            result.finished,
        )
        with self._transaction() as db:
            db.execute("INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)

    def record_tell(self, trial_id: int, seconds: float, notes: Sequence[Note] = ()) -> None:
        """Record the tell of a trial's result, its time in seconds into the search, and its notes."""
        with self._transaction() as db:
            db.execute("INSERT INTO log (event, trial, seconds) VALUES ('tell', ?, ?)", (trial_id, seconds))
            _insert_notes(db, notes)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self.check_in_place()
        with explained(self.path):
            patiently(self.path, lambda: self._db.execute("BEGIN IMMEDIATE"))
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def check_in_place(self) -> None:
        """Raise `HistoryError` when the folder was removed or replaced during the search, after saving the log elsewhere.

        The system keeps an open file after its removal, so SQLite would not notice.
        """
        if self._gone is None and identity(self.path) != self._file:
            folder, copy = self.path.parent, rescue(self._db, self.path)
            saved = "the log could not be saved"
            if copy is not None:
                saved = f"the log was saved in {copy}: continue with --resume {shell_quoted(copy)}"
            self._gone = f"{folder} was removed or replaced while the search ran; {saved}"
        if self._gone is not None:
            raise HistoryError(self._gone)

    def trials(self) -> list[Trial]:
        """All trials asked, in order."""
        with explained(self.path):
            rows = self._db.execute(
                "SELECT id, architecture, seed, budget FROM trials ORDER BY id"
            ).fetchall()
        return [Trial(i, self._parsed(text), seed, budget) for i, text, seed, budget in rows]

    def _parsed(self, text: str) -> Architecture:
        try:
            return parsed(self._space, text)
        except ArchitectureError as error:
            raise foreign(self.path, self._space, error) from error

    def results(self, trials: list[Trial]) -> dict[int, Result]:
        """All results, by trial id."""
        with explained(self.path):
            rows = self._db.execute("SELECT * FROM results").fetchall()
        values = values_of([row[2] for row in rows], self.path)
        with well_formed(self.path):
            return {
                row[0]: Result(trials[row[0]], Status(row[1]), reported, *row[3:])
                for row, reported in zip(rows, values, strict=True)
            }

    def events(self) -> list[Event]:
        """The asks and tells in chronological order."""
        with explained(self.path):
            return [Event(*r) for r in self._db.execute("SELECT event, trial FROM log ORDER BY seq")]

    def forget_events_after(self, count: int) -> None:
        """Delete all asks and tells after the first `count`; trials and results stay."""
        with self._transaction() as db:
            db.execute(
                "DELETE FROM log WHERE seq NOT IN (SELECT seq FROM log ORDER BY seq LIMIT ?)", (count,)
            )

    def notes(self) -> list[Note]:
        """The algorithm's notes, ordered by number of tells."""
        return notes_of(self._db, self.path)

    def forget_notes_after(self, told: int) -> None:
        """Delete the notes after `told` tells, when later tells were undone."""
        with self._transaction() as db:
            db.execute("DELETE FROM notes WHERE told > ?", (told,))

    def seconds(self) -> float:
        """Search time at the last tell, without pauses between sessions."""
        with explained(self.path):
            return float(self._db.execute("SELECT COALESCE(MAX(seconds), 0) FROM log").fetchone()[0])

    def evaluated(self) -> int:
        """Number of trials that a worker returned."""
        with explained(self.path):
            query = "SELECT COUNT(*) FROM results WHERE status != ?"
            return int(self._db.execute(query, (Status.INVALID.value,)).fetchone()[0])

    def succeeded(self) -> int:
        """Number of trials with a value."""
        with explained(self.path):
            query = "SELECT COUNT(*) FROM results WHERE status = ?"
            return int(self._db.execute(query, (Status.OK.value,)).fetchone()[0])

    def discard_if_empty(self) -> None:
        """Remove the files of a run without any evaluation, so that its folder can be reused."""
        with contextlib.suppress(sqlite3.Error, OSError):
            ours = identity(self.path) == self._file
            if ours and self._db.execute("SELECT COUNT(*) FROM results").fetchone()[0] == 0:
                names = run_files(self.path.parent).recorded()
                if any(name.endswith("/") and (self.path.parent / name).is_dir() for name in names):
                    return  # a callback's folder: the log stays to record it, and the next search reuses it
                self._db.close()
                self._remove_files(names)
                (self.path.parent / LOCK_FILE).unlink()  # while locked: see lock_folder
                remove_folders(self._made)

    def close(self) -> None:
        """Merge the write-ahead log into the file and release the folder; may be called twice."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def foreign(path: Path, space: SearchSpace, error: ArchitectureError) -> HistoryError:
    """The error of a log with an architecture that is not in the space."""
    if "forbids this combination" not in str(error):
        return HistoryError(f"{path} does not belong to space {space.name!r}: {error}")
    return HistoryError(
        f"the rules of space {space.name!r} changed since the run was started: {error}. Resume it with the original rules "
        f"(forbid), or start a new run in another folder with warm_start={str(path.parent)!r}, which keeps the results that fit"
    )


def _insert_notes(db: sqlite3.Connection, notes: Sequence[Note]) -> None:
    rows = [(*note.key, values_as_text(note.values)) for note in notes]
    db.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)", rows)


def as_json(values: Mapping[str, Any]) -> str:
    """Readable JSON with a final newline, the format of a run's files."""
    return json.dumps(values, indent=2, default=str) + "\n"
