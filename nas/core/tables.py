"""CSV tables that are safe to open in spreadsheets and read back unchanged."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas.core.text import from_spreadsheet_cell, spreadsheet_cell

_SEPARATORS = re.compile("[\r;\t|]")  # split an unquoted cell in some spreadsheets or readers
_MISSING = {"", "nan", "NaN"}


def csv_text(frame: pd.DataFrame, *, float_format: str | None = None) -> str:
    """A table as CSV without its index: texts and column names safe for spreadsheets, numbers unchanged."""
    safe = _texts_mapped(frame, spreadsheet_cell)
    safe.columns = pd.Index([spreadsheet_cell(str(name)) for name in frame.columns])
    texts = [*safe.columns, *(cell for _, column in safe.items() for cell in column if isinstance(cell, str))]
    file = io.StringIO(newline="")
    safe.to_csv(
        file,
        index=False,
        lineterminator="\n",
        float_format=float_format,
        quoting=csv.QUOTE_NONNUMERIC if any(map(_SEPARATORS.search, texts)) else csv.QUOTE_MINIMAL,
    )
    return file.getvalue()


def read_csv(source: Path | str, *, texts: tuple[str, ...] = ("architecture",)) -> pd.DataFrame:
    """Read a table from any CSV file. Columns of numbers become numbers, empty cells NaN; other columns are texts.

    The columns in `texts` stay texts even if they look like numbers. Raises the errors of `pandas.read_csv`.
    """
    content = io.StringIO(Path(source).read_bytes().decode("utf-8-sig"), newline="")
    frame = pd.read_csv(content, dtype=str, na_filter=False)
    names = [from_spreadsheet_cell(str(name)) for name in frame.columns]
    columns = {place: frame.iloc[:, place].to_list() for place in range(len(names))}
    plain = {p: cells if names[p] in texts else _as_numbers(cells) for p, cells in columns.items()}
    table = _texts_mapped(pd.DataFrame(plain, index=frame.index), from_spreadsheet_cell)
    table.columns = pd.Index(names)
    return table


def _as_numbers(cells: list[str]) -> list[Any]:
    if set(cells) <= {"True", "False"}:
        return [cell == "True" for cell in cells]
    for kind in (int, float):
        try:
            return [_number(cell, kind) for cell in cells]
        except ValueError:
            continue
    return [None if cell == "" else cell for cell in cells]


def _number(cell: str, kind: Callable[[str], Any]) -> Any:
    return float("nan") if cell in _MISSING and kind is float else kind(cell)


def _texts_mapped(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    """Return a copy with every text changed."""
    copy = frame.copy(deep=False)
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        if not pd.api.types.is_numeric_dtype(column):
            changed = np.empty(len(column), dtype=object)
            changed[:] = [change(cell) if isinstance(cell, str) else cell for cell in column]
            copy.isetitem(place, changed)
    return copy
