"""Notes of algorithms in the log, and as a table."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nas.core.json_text import read_json
from nas.core.records import Note
from nas.core.text import MESSAGE_LIMIT, repr_of, storable

SURROGATE = "surrogate"


def values_as_text(values: Mapping[str, float | int | str | bool]) -> str:
    """A note's values as JSON, with null for numbers that are not finite."""
    return json.dumps({storable(str(key)): _plain(value) for key, value in values.items()}, allow_nan=False)


def _plain(value: Any) -> float | int | str | bool | None:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, (bool, int)) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return repr_of(value, MESSAGE_LIMIT)


def values_from_text(text: str) -> dict[str, float | int | str | bool]:
    """The inverse of `values_as_text`, null as NaN. Raises `ValueError` unless it is a JSON object."""
    values = read_json(text)
    if not isinstance(values, dict):
        raise ValueError(f"a note holds {text:.100}, expected a JSON object")
    return {key: math.nan if value is None else value for key, value in values.items()}


def notes_in(db: sqlite3.Connection) -> list[Note]:
    """All notes of a log, by number of tells; none in a log of the first format, which has no notes.

    Raises `ValueError` for invalid JSON.
    """
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'notes'").fetchone() is None:
        return []
    rows = db.execute('SELECT told, kind, "values" FROM notes ORDER BY told, rowid').fetchall()
    return [Note(told, kind, values_from_text(text)) for told, kind, text in rows]


def notes_table(notes: Sequence[Note], kind: str = SURROGATE) -> pd.DataFrame:
    """One row a note of this kind: `told`, then its values, a column each."""
    return pd.DataFrame([{"told": note.told, **note.values} for note in notes if note.kind == kind])
