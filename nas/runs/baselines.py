"""`baselines.csv`: networks that were trained for comparison with the front of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from nas.core.records import Status
from nas.core.tables import csv_text, read_csv
from nas.runs.files import run_files

FILE = "baselines.csv"
WEIGHTS = "baselines"  # folder of the weights
PLOT = "baselines.png"  # in the folder of plots
_TEXTS = ("network", "status", "reason", "changed", "code", "weights")
_COLUMNS = ("network", "status", "reason", "changed", "epochs", "seed", "seconds", "code", "weights")


@dataclass(frozen=True)
class Baseline:
    """One network: its name, and its values by name, empty unless it was trained.

    `status` is `ok`, `invalid` (outside a limit, or it does not fit the data: not trained), or why the training failed; `reason`
    says more. `changed` are the settings that differ from those of the run's own trainings, "" if none. `code` is a hash of the
    user's code that builds the network, and `weights` the name of its file.
    """

    network: str
    status: str = Status.OK.value
    reason: str = ""
    changed: str = ""
    epochs: int | None = None
    seed: int | None = None
    seconds: float = 0.0
    code: str = ""
    weights: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it was trained and evaluated."""
        return self.status == Status.OK.value

    @property
    def label(self) -> str:
        """The name, with the changes of its training."""
        return f"{self.network} ({self.changed})" if self.changed else self.network

    @property
    def key(self) -> tuple[str, str]:
        """A file has one row of these: the network, and the changes of its training."""
        return self.network, self.changed


def as_table(rows: Sequence[Baseline]) -> pd.DataFrame:
    """One row a network: the fields of `Baseline`, and a column for each value."""
    names = list(dict.fromkeys(name for row in rows for name in row.values if name not in _COLUMNS))
    first, last = _COLUMNS[:4], _COLUMNS[4:]
    plain = [
        {name: getattr(row, name) for name in first}
        | {name: row.values.get(name, math.nan) for name in names}
        | {name: getattr(row, name) for name in last}
        for row in rows
    ]
    return pd.DataFrame(plain, columns=[*first, *names, *last])


def read_baselines(folder: Path) -> list[Baseline]:
    """The rows of a run's file; none without one. Damaged rows are left out."""
    try:
        frame = read_csv(folder / FILE, texts=_TEXTS)
    except (OSError, ValueError):  # pandas' errors are ValueErrors
        return []
    if not set(_COLUMNS) <= set(frame.columns):
        return []
    found = (_row(dict(row)) for row in frame.to_dict("records"))
    return [row for row in found if row is not None]


def _row(cells: Mapping[Any, Any]) -> Baseline | None:
    texts = {name: _text(cells[name]) for name in _TEXTS}
    values = {str(name): _number(cell) for name, cell in cells.items() if name not in _COLUMNS}
    known = {name: value for name, value in values.items() if value is not None}
    epochs, seed, seconds = (_number(cells[name]) for name in ("epochs", "seed", "seconds"))
    if not texts["network"] or texts["status"] not in {s.value for s in Status}:
        return None
    whole = [None if number is None else int(number) for number in (epochs, seed)]
    return Baseline(**texts, epochs=whole[0], seed=whole[1], seconds=seconds or 0.0, values=known)


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else ""


def _number(cell: Any) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, (int, float)) or not math.isfinite(cell):
        return None
    return float(cell)


def write_baselines(folder: Path, rows: Sequence[Baseline]) -> None:
    """Write the whole file. Raises `OSError`, and `ForeignFileError` for a file that the run did not write."""
    table = as_table(rows)
    for name in ("epochs", "seed"):
        table[name] = table[name].astype("Int64")
    run_files(folder).write_text(FILE, csv_text(table))
