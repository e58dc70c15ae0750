"""`repeated.csv`: measurements that vary, such as latencies, repeated for the networks on the front."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from nas.runs.files import run_files

FILE = "repeated.csv"


@dataclass(frozen=True)
class Repeated:
    """The measurements of one objective of one architecture; `first` is the value that the search used."""

    architecture: str
    objective: str
    unit: str
    measurements: int
    first: float
    median: float
    least: float
    largest: float

    @classmethod
    def of(cls, architecture: str, objective: str, unit: str, values: Sequence[float]) -> Repeated:
        """The summary of these values, in the order of their measurement."""
        numbers = (values[0], statistics.median(values), min(values), max(values))
        return cls(architecture, objective, unit, len(values), *(float(f"{n:.6g}") for n in numbers))


_COLUMNS = tuple(field.name for field in fields(Repeated))


def read_repeated(folder: Path) -> list[Repeated]:
    """The rows of a run's file; none without a file. Damaged rows are left out."""
    rows: list[Repeated] = []
    try:
        lines = list(csv.reader((folder / FILE).read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error):
        return rows
    for row in lines[1:]:
        if len(row) != len(_COLUMNS):
            continue
        with suppress(ValueError):
            numbers = [float(text) for text in row[4:]]
            if all(map(math.isfinite, numbers)):
                rows.append(Repeated(row[0], row[1], row[2], int(row[3]), *numbers))
    return rows


def write_repeated(folder: Path, rows: Sequence[Repeated]) -> None:
    """Write the whole file."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(
        [f"{value:g}" if isinstance(value, float) else value for value in astuple(row)] for row in rows
    )
    run_files(folder).write_text(FILE, lines.getvalue())
