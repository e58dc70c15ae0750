"""A run's log as a table, readable without the space and during the run."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas.core.errors import HistoryError
from nas.core.json_text import read_json
from nas.core.records import RESERVED, Architecture, Note, Result, Trial
from nas.core.space import SearchSpace, text_of
from nas.core.text import storable
from nas.runs.log_file import connect_to_read, explained, well_formed
from nas.runs.notes import notes_in

SCHEMA = 2
FILE = "history.sqlite"

_COLUMNS = [
    *("trial", "architecture", "status", "seconds", "reason", "worker", "seed", "budget"),
    *("asked_at", "started", "finished", "told", "told_seconds"),
]


def read_history(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a run's table, one row per trial, and its meta values, without the space; safe during the run.

    Columns: trial, architecture (text), status, one per reported value, seconds, reason, worker, seed, budget,
    asked_at, started, finished (Unix times), told (position in the order of telling) and told_seconds
        (seconds into the search, without pauses), both NaN when untold.
    Trials without a result have status ``running``. Raises `HistoryError` when there is no readable run.
    """
    path = folder / FILE
    check_readable(path)
    with explained(path):
        db = connect_to_read(path)
        try:
            entries = db.execute("SELECT key, value FROM meta").fetchall()
            # before the rows, so that during a run every told trial has its result among them
            tells = db.execute("SELECT trial, seq, seconds FROM log WHERE event = 'tell'").fetchall()
            rows = db.execute(
                'SELECT t.id, t.architecture, r.status, r."values", r.seconds, r.error, r.worker, t.seed, '
                "t.budget, t.asked_at, r.started, r.finished FROM trials t "
                "LEFT JOIN results r ON r.trial = t.id ORDER BY t.id"
            ).fetchall()
        finally:
            db.close()
    values = values_of([row[3] or "{}" for row in rows], path)
    if [row[0] for row in rows] != list(range(len(rows))):
        raise HistoryError(f"{path} is damaged: a trial is missing; restore it from a copy")
    told = {trial: when for trial, *when in tells}
    if told.keys() - {row[0] for row in rows if row[2] is not None}:
        raise HistoryError(f"{path} is damaged: a told trial has no result; restore it from a copy")
    untold = (None, None)
    with well_formed(path):
        frame = tabulate(
            [
                (*row[:3], reported, *row[4:], *told.get(row[0], untold))
                for row, reported in zip(rows, values, strict=True)
            ]
        )
        return frame, {key: read_json(value) for key, value in entries}


def values_of(texts: Sequence[str], path: Path) -> list[dict[str, Any]]:
    """Parse the values of results from the JSON of each; together, which takes a tenth of the time.

    Raises `HistoryError` for invalid JSON, or a value that is not a mapping.
    """
    with well_formed(path):
        values: list[dict[str, Any]] = read_json(f"[{','.join(texts)}]")
    if len(values) != len(texts) or not all(isinstance(reported, dict) for reported in values):
        raise HistoryError(f"{path} is damaged: a result is not a mapping; restore it from a copy")
    if "\\ud" in "".join(texts):  # names with lone surrogates, stored but unreadable by earlier versions
        return [{storable(name): value for name, value in reported.items()} for reported in values]
    return values


def read_notes(folder: Path) -> list[Note]:
    """The notes of a run's algorithm, oldest first; safe during the run.

    Raises `HistoryError` when there is no readable run.
    """
    path = folder / FILE
    check_readable(path)
    with explained(path):
        db = connect_to_read(path)
    with contextlib.closing(db):
        return notes_of(db, path)


def notes_of(db: sqlite3.Connection, path: Path) -> list[Note]:
    """The notes in an open log. Raises `HistoryError` when they are damaged."""
    with explained(path):
        try:
            return notes_in(db)
        except ValueError as error:
            raise HistoryError(f"{path} is damaged: {error}; restore it from a copy") from error


def tabulate(rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Build the table of `read_history` from its rows, whose fourth element maps names to reported values.

    A value whose name is also another column is prefixed with ``reported_``.
    """
    frame = pd.DataFrame([(*row[:3], *row[4:]) for row in rows], columns=_COLUMNS)
    names = dict.fromkeys(name for row in rows for name in row[3])
    values = pd.DataFrame(
        {name: [row[3].get(name) for row in rows] for name in names}, index=frame.index, dtype=float
    )
    values.columns = pd.Index(_unlike_columns(list(values.columns)))
    frame["status"] = frame["status"].fillna("running")
    frame["told"] = pd.to_numeric(frame["told"]).rank(method="first")
    frame["told_seconds"] = pd.to_numeric(frame["told_seconds"])
    if len(values.columns):
        frame = pd.concat([frame.iloc[:, :3], values, frame.iloc[:, 3:]], axis=1)
    return frame


def _unlike_columns(names: list[str]) -> list[str]:
    """Unique names for reported values, distinct from other columns."""
    taken = RESERVED | {name for name in names if name not in RESERVED}
    found = []
    for name in names:
        column = name
        while column in RESERVED or (column != name and column in taken):
            column = f"reported_{column}"
        taken |= {column}
        found.append(column)
    return found


def check_readable(path: Path) -> None:
    """Raise `HistoryError` unless this version can read the file as a history."""
    if not path.is_file():
        raise HistoryError(f"no run in {path.parent}: {path} is missing")
    with explained(path), contextlib.closing(connect_to_read(path)) as db:
        check_schema(db, path)


def check_schema(db: sqlite3.Connection, path: Path) -> None:
    """Raise `HistoryError` unless this version can read the format of an open log."""
    with explained(path):
        row = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    with well_formed(path):
        schema = read_json(row[0]) if row else None
    if schema is None:
        raise HistoryError(f"no run in {path.parent}: {path} is empty; start the search again")
    if not isinstance(schema, int) or not 1 <= schema <= SCHEMA:
        raise HistoryError(
            f"{path}: format version {schema}, but this version reads 1 to {SCHEMA}; update this package"
        )


_UNSOUND = {  # inconsistencies that this program never writes, and the query for each
    "a trial is missing": "SELECT 1 FROM (SELECT COUNT(*) n, MIN(id) low, MAX(id) high FROM trials) WHERE low != 0 OR high != n - 1",
    "a result has no trial": "SELECT 1 FROM results WHERE trial NOT IN (SELECT id FROM trials)",
    "an event is neither ask nor tell": "SELECT 1 FROM log WHERE event NOT IN ('ask', 'tell')",
    "an event is recorded twice": "SELECT 1 FROM log WHERE trial IS NOT NULL GROUP BY event, trial HAVING COUNT(*) > 1",
    "a trial was not asked for": "SELECT 1 FROM trials WHERE id NOT IN (SELECT trial FROM log WHERE event = 'ask' AND trial IS NOT NULL)",
    "an unknown trial was asked for": (  # without trials, NULL (nothing left to ask) is not in their ids either
        "SELECT 1 FROM log WHERE event = 'ask' AND trial IS NOT NULL AND trial NOT IN (SELECT id FROM trials)"
    ),
    "a trial was told without a result": (
        "SELECT 1 FROM log WHERE event = 'tell' AND (trial IS NULL OR trial NOT IN (SELECT trial FROM results))"
    ),
}


def check_sound(db: sqlite3.Connection, path: Path) -> None:
    """Raise `HistoryError` unless an open log is intact: its pages, and the references between its rows."""
    with explained(path):
        found = [str(row[0]) for row in db.execute("PRAGMA quick_check(1)")]
        wrong = [] if found == ["ok"] else found
        if not wrong:
            wrong = [what for what, query in _UNSOUND.items() if db.execute(f"{query} LIMIT 1").fetchone()]
    if wrong:
        raise HistoryError(f"{path} is damaged: {' '.join(wrong[0].split())}; restore it from a copy")


def frame_of(
    space: SearchSpace,
    told: Sequence[Result],
    running: Iterable[Trial] = (),
    texts: Mapping[Architecture, str] | None = None,
) -> pd.DataFrame:
    """The table of `read_history`: results in the order of telling, then trials without one, one row each.

    `texts` are known text forms.
    """
    texts = texts or {}
    rows: list[tuple[Any, ...]] = [
        (
            r.trial.id, texts.get(r.trial.architecture) or text_of(space, r.trial.architecture), r.status.value, r.values, r.seconds, r.error, r.worker,
            r.trial.seed, r.trial.budget, np.nan, r.started, r.finished, place, np.nan,
        )
        for place, r in enumerate(told)
    ]  # fmt: skip
    rows += [
        (t.id, text_of(space, t.architecture), None, {}, None, None, None, t.seed, t.budget, *5 * (None,))
        for t in running
    ]
    return tabulate(sorted(rows, key=lambda row: row[0]))
