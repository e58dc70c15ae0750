"""The parameters of a run's architectures by name: columns of its tables."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas.core.errors import HistoryError
from nas.core.json_text import read_json
from nas.core.records import RESERVED, Architecture
from nas.core.space import HasChoices, SearchSpace, text_of
from nas.core.text import storable
from nas.core.tracebacks import called
from nas.runs.log_file import connect_to_read, explained, well_formed
from nas.spaces.parameters import plain_value, value_text

META = "parameters"  # key in the log's meta values: the names
Cell = float | int | bool | str | None  # None: inactive
_EXACT = 2**53  # larger whole numbers are texts, since columns with empty cells are floats


@dataclass(frozen=True)
class Parameters:
    """The names of a space's parameters, and their cells by the text form of the architecture."""

    names: tuple[str, ...] = ()
    cells: Mapping[str, Sequence[Cell]] = field(default_factory=dict)

    @classmethod
    def of(cls, space: SearchSpace, architectures: Iterable[Architecture]) -> Parameters:
        """Those of a space; none for a space whose parameters have no names. A mapping gives the text forms."""
        if not isinstance(space, HasChoices):
            return cls()
        if not isinstance(architectures, Mapping):
            architectures = {a: text_of(space, a) for a in architectures}
        cells = {text: cells_of(space, a) for a, text in architectures.items()}
        return cls(tuple(names_of(space)), cells)

    def added(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The table with one further column per parameter, last; `architecture` is its column of text forms.

        Numbers are numbers, True and False truth values, anything else (None, strings, tuples) its text in a text form; NaN
        while inactive. A column of this name gets the prefix ``reported_``.
        """
        if not self.names:
            return frame
        absent = [None] * len(self.names)
        rows = [self.cells.get(text, absent) for text in frame["architecture"]]
        cells = zip(*rows, strict=True) if rows else [()] * len(self.names)
        columns = {name: column(found) for name, found in zip(self.names, cells, strict=True)}
        taken = {name: f"reported_{name}" for name in self.names if name in frame.columns}
        new = pd.DataFrame(columns, index=frame.index)
        return pd.concat([frame.rename(columns=taken), new], axis=1)


def names_of(space: HasChoices) -> list[str]:
    """The names as a log holds them."""
    return [storable(name) for name in space.parameters]


def cells_of(space: Any, architecture: Architecture) -> list[Cell]:
    """The cells of one architecture, in the order of the space's parameters. Raises `ConfigError` with the cause."""

    def found() -> list[Cell]:
        names, values = space.parameters, dict(space.choices(architecture))
        return [cell(values[name]) if name in values else None for name in names]

    what = f"space {space.name!r}: choices() failed for {architecture.genes}"
    return called(what, found)  # type: ignore[no-any-return]


def cell(value: Any) -> Cell:
    """A value in a table: numbers and truth values as they are, others as in a text form. Raises `ConfigError`."""
    if type(value) is str:
        return _text(value)
    if type(value) is bool or (type(value) is int and abs(value) < _EXACT):
        return value
    plain = plain_value(value)
    exact = isinstance(plain, (bool, float)) or (isinstance(plain, int) and abs(plain) < _EXACT)
    return plain if exact else value_text(plain)


_text = lru_cache(maxsize=10_000)(value_text)


def column(cells: Sequence[Cell]) -> pd.Series[Any]:
    """A column: of whole numbers, of numbers, of truth values, or of mixed values; NaN for None."""
    kinds = {type(item) for item in cells}
    values: Sequence[Any] = cells
    if kinds <= {int, float, type(None)}:
        return pd.Series(values, dtype=np.int64 if kinds == {int} else np.float64)
    if kinds == {bool}:
        return pd.Series(values, dtype=bool)
    return pd.Series([np.nan if item is None else item for item in cells], dtype=object)


def plain_cell(value: Any) -> Cell:
    """A cell of a column for JSON: None for NaN, whole numbers without a point."""
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    return value  # type: ignore[no-any-return]


def as_written(frame: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """The table with the columns of parameters as files hold them: whole numbers without a point, mixed values as texts."""
    changed: dict[str, pd.Series[Any]] = {}
    for name in names:
        values = frame[name]
        known = values.dropna()
        if (
            values.dtype == np.float64
            and len(known)
            and (known % 1 == 0).all()
            and (known.abs() < _EXACT).all()
        ):
            changed[name] = values.astype("Int64")
        elif values.dtype == object and all(isinstance(value, bool) for value in known):
            changed[name] = values.astype("boolean")
        elif values.dtype == object:
            changed[name] = values.map(str, na_action="ignore")
    return frame.assign(**changed) if changed else frame


def read_parameters(path: Path, names: Any) -> Parameters:
    """Those of an open or finished log, given their names in its meta values. Raises `HistoryError` for a damaged log."""
    if names is None:
        return Parameters()
    with explained(path), contextlib.closing(connect_to_read(path)) as db:
        rows = db.execute("SELECT architecture, cells FROM parameters").fetchall()
    with well_formed(path):
        cells = read_json(f"[{','.join(row[1] for row in rows)}]")
    proper = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not proper or len(set(names)) < len(names) or RESERVED & set(names):
        raise HistoryError(f"{path} is damaged: the names of the parameters; restore it from a copy")
    if len(cells) != len(rows) or not all(_is_row(row, len(names)) for row in cells):
        raise HistoryError(f"{path} is damaged: the parameters of an architecture; restore it from a copy")
    return Parameters(tuple(names), {row[0]: found for row, found in zip(rows, cells, strict=True)})


def _is_row(found: Any, length: int) -> bool:
    kinds = (bool, int, float, str, type(None))
    return isinstance(found, list) and len(found) == length and all(isinstance(item, kinds) for item in found)
