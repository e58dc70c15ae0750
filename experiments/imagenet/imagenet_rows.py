"""Shared by the scripts of this folder: the published rows, and small CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"


def published() -> list[dict[str, str]]:
    """The published table; `network` is the name of the network in this project, empty where it has none."""
    return read(HERE / "published.csv")


def chosen(names: Sequence[str]) -> list[str]:
    """The named networks, or all of the table's that this project has."""
    return list(names) or [row["network"] for row in published() if row["network"]]


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file; empty without a file."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Write rows that have the same keys; print the path."""
    kept = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(kept[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
    print(f"written: {path}")
