"""The files of a run, recorded in the table `files` of history.sqlite."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

from nas.core.errors import ConfigError, ForeignFileError, HistoryError
from nas.core.files import check_replaceable
from nas.core.json_text import read_json
from nas.core.owned import OwnedFiles, check_empty, present
from nas.core.text import shell_quoted
from nas.runs.log_file import (
    LOCK_FILE,
    LOCKS,
    connect_to_look,
    connect_to_write,
    explained,
    patiently,
    well_formed,
)
from nas.training.folder import is_training

LOG = "history.sqlite"
APPLICATION = (
    0x6E61736C  # SQLite's application_id: a log whose creation was interrupted is ours by this number alone
)
LOG_FILES = (LOG, f"{LOG}-wal", f"{LOG}-shm", f"{LOG}-journal")
TABLE = "CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY) STRICT"
# Files of versions that recorded no names; their runs are identified by the log alone.
_EARLIER = (
    *("config.json", "front.csv", "front_posterior.csv", "curves.csv", "surrogate.csv", "history.parquet"),
    *("summary.json", "report.html", "comparison.html", "live.json", "weights/index.json"),
    *("mlflow.json", "mlflow.db", "mlflow.db-wal", "mlflow.db-shm", "mlflow.db-journal"),
    *("plots/front_*.png", "plots/parallel.png", "plots/hypervolume.png", "plots/cloud.png"),
    *("plots/best.png", "plots/surrogate.png"),
)
REPORT = "report.html"
HEARTBEAT = "live.json"
SUMMARY = "summary.json"
HISTORY_CSV = "history.csv"
ORIGINAL = "original"  # folder of the network that a run shrinks
_WAIT_S = 30.0
_ADVICE = "choose another folder with --out (out= in Python)"


def run_files(folder: Path) -> OwnedFiles:
    """The files of the run in `folder`. Raises `HistoryError` when there is none, or it is damaged."""
    return OwnedFiles(folder, _Log(folder), "run")


class _Log:
    """The table of names; other processes, such as `nas report`, use it too, so each step opens it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: frozenset[str] = frozenset()

    def names(self) -> frozenset[str]:
        with (
            explained(self._folder / LOG),
            contextlib.closing(connect_to_look(self._folder / LOG, _WAIT_S)) as db,
        ):
            self._known |= recorded(db, self._folder)
        return self._known

    def add(self, names: Iterable[str]) -> None:
        path = self._folder / LOG
        check_log_is_file(self._folder)
        with explained(path), contextlib.closing(connect_to_write(path)) as db:
            patiently(path, lambda: db.execute("BEGIN IMMEDIATE"))
            make_table(db, self._folder)
            db.executemany("INSERT OR IGNORE INTO files VALUES (?)", [(name,) for name in names])
            db.execute("COMMIT")


def forget(folder: Path, name: str) -> None:
    """Remove the name of a deleted file from the record; a later file of this name is foreign."""
    path = folder / LOG
    with explained(path), contextlib.closing(connect_to_write(path)) as db:
        patiently(path, lambda: db.execute("BEGIN IMMEDIATE"))
        db.execute("DELETE FROM files WHERE name = ?", (name,))
        db.execute("COMMIT")


def recorded(db: sqlite3.Connection, folder: Path) -> frozenset[str]:
    """The names recorded in a log, including its own; the files of an earlier version if it has no table of names."""
    if not _has_table(db):
        return frozenset([*LOG_FILES, LOCK_FILE, *present(folder, _EARLIER)])
    return frozenset([*LOG_FILES, LOCK_FILE, *(str(row[0]) for row in db.execute("SELECT name FROM files"))])


def make_table(db: sqlite3.Connection, folder: Path) -> None:
    """Create the table within a transaction, with the files of an earlier version."""
    if not _has_table(db):
        db.execute(TABLE)
        names = present(folder, _EARLIER)
        db.executemany("INSERT OR IGNORE INTO files VALUES (?)", [(name,) for name in names])


def _has_table(db: sqlite3.Connection) -> bool:
    query = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'files'"
    return bool(db.execute(query).fetchone()[0])


def check_log_is_file(folder: Path) -> None:
    """Raise `ForeignFileError` when the log, or a file that SQLite keeps beside it, is a link."""
    for name in (*LOG_FILES, LOCK_FILE):
        if (folder / name).is_symlink():
            raise ForeignFileError(
                f"{folder / name} is a symbolic link, which is never followed for writing; remove or rename it"
            )


def check_new(folder: Path, *, runs: bool = False) -> None:
    """Check that a new run can start in `folder`; change nothing.

    It may be missing, or hold only the files of an earlier start that ended before its first ask. Raises `ForeignFileError`
    for foreign files, `HistoryError` for a run (unless `runs`), `ConfigError` when it is not a folder.
    """
    try:
        exists = folder.is_dir()
    except OSError as error:  # such as a name that is too long
        raise ConfigError(f"out: {str(folder)[:100]}...: {error.strerror}; choose another folder") from None
    if not exists:
        place = folder
        while not place.exists() and not place.is_symlink() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise ConfigError(f"out: {folder} is a file, or lies below one; expected a folder")
        return
    check_log_is_file(folder)
    with explained(folder / LOG):
        check_replaceable(folder / LOG)
    ours: frozenset[str] = frozenset()
    if is_training(folder / ORIGINAL):  # a network to shrink, which is trained before the search starts
        ours |= {f"{ORIGINAL}/"}
    lock = folder / LOCK_FILE
    if lock.is_file() and lock.stat().st_size == 0:
        ours |= {LOCK_FILE}
    if (folder / LOG).is_file():
        found = _names_of_unused(folder)
        if found is None and runs:
            return
        if found is None:
            raise HistoryError(
                f"{folder} already holds a run: continue it with --resume {shell_quoted(folder)} (resume=True in Python), or "
                "choose another --out"
            )
        ours |= found
    check_empty(folder, ours, "run", _ADVICE)


def asked(folder: Path) -> bool:
    """Whether a folder's log holds an ask: not when the log is missing or its creation was interrupted."""
    return (folder / LOG).is_file() and _names_of_unused(folder) is None


def _names_of_unused(folder: Path) -> frozenset[str] | None:
    """The files of a search that ended before its first ask; None if it asked."""
    path = folder / LOG
    with explained(path), contextlib.closing(connect_to_look(path, _WAIT_S)) as db:
        tables = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            begun = path.stat().st_size == 0 and (not LOCKS or (folder / LOCK_FILE).exists())
            marked = db.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
            return frozenset(LOG_FILES) if begun or marked else frozenset()
        if not {"meta", "trials", "results", "log"} <= tables:
            raise ForeignFileError(f"{path} is not the log of a run and was left unchanged; {_ADVICE}")
        if db.execute("SELECT COUNT(*) FROM trials").fetchone()[0]:
            return None
        return recorded(db, folder)


def check_resumable(folder: Path, names: Iterable[str] = ()) -> None:
    """Check, before work is spent, that a continued run can write its final files; change nothing."""
    check_log_is_file(folder)
    files = run_files(folder)
    try:
        table = [HISTORY_CSV] if files.owns(HISTORY_CSV) else []  # which is then kept up to date
        files.check([LOG, *_AT_THE_END, *table, *names, *_plots(folder)])
    except OSError as error:
        raise HistoryError(
            f"{error.filename}: {error.strerror}; it cannot be written: check the permissions of the folder and its files "
            "(chmod u+w allows writing)"
        ) from error


def _plots(folder: Path) -> list[str]:
    """The plots of the run by `nas.report.plots`."""
    path = folder / LOG
    with explained(path), contextlib.closing(connect_to_look(path, _WAIT_S)) as db:
        row = db.execute("SELECT value FROM meta WHERE key = 'objectives'").fetchone()
    with well_formed(path):
        objectives = [] if row is None else [str(item["name"]) for item in read_json(row[0])]
    drawn = (
        combinations(objectives, 2) if len(objectives) <= 5 else ((objectives[0], b) for b in objectives[1:])
    )
    pairs = [f"front_{a}_{b}" for a, b in drawn]
    rest = {0: [], 1: ["best"], 2: [], 3: ["front_3d"]}.get(len(objectives), ["parallel"])
    both = ["hypervolume", "cloud"] if len(objectives) > 1 else []
    return [f"plots/{name}.png" for name in [*pairs, *rest, *both, "surrogate", "sharing"]]


_AT_THE_END = (
    *("config.json", "front.csv", "curves.csv", "surrogate.csv", "sharing.csv", "history.parquet"),
    *("summary.json", "live.json", "plots/", "weights/", "weights/index.json"),
)
