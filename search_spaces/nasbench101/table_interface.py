"""The interface of a table of NASBench-101 results, for every file format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from nas.core.errors import ArchitectureError, ConfigError
from nas.core.records import Architecture
from search_spaces.nasbench101.cell import from_genes, parse_cell
from search_spaces.nasbench101.space import NASBench101
from search_spaces.nasbench101.table_cells import pack, text_of, unpack

Cell: TypeAlias = "Architecture | str"  # an architecture, its text form, or its module hash


@dataclass(frozen=True, slots=True)
class Measure:
    """One quantity that a table holds at one budget.

    `runs` is the largest number of separate values a cell has, `averaged` the number of trainings in each
    value (3: only their mean is on record), `known` the number of cells with at least one value.
    """

    metric: str
    budget: float  # epochs
    unit: str
    runs: int
    averaged: int
    known: int


class Table(Protocol):
    """Recorded results of cells. Values are fractions, seconds, counts or kWh; see `measures`."""

    @property
    def measures(self) -> Sequence[Measure]:
        """Everything the table holds, one entry a metric and budget."""

    def cells(self) -> Sequence[str]:
        """The text form of every cell, in a fixed order."""

    def __contains__(self, cell: object) -> bool:
        """Whether the table has the cell (or an isomorphic copy of it)."""

    def runs(self, cell: Cell, metric: str, budget: float = 108) -> tuple[float, ...]:
        """The separate values on record, empty when this cell's is unknown.

        Raises `ArchitectureError` for a cell outside the table, `ConfigError` for a metric or budget it lacks.
        """


class FolderTable(ABC):
    """A table read from the folder `path`, and equal to another of this kind from there."""

    path: Path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __contains__(self, cell: object) -> bool:
        try:
            self._row(cell)  # type: ignore[arg-type]
        except ArchitectureError:
            return False
        return True

    @abstractmethod
    def _row(self, cell: Cell) -> int:
        """The row of a cell. Raises `ArchitectureError` for one outside the table."""


def value(table: Table, cell: Cell, metric: str, budget: float = 108, run: int | None = None) -> float:
    """One run's value, or for `run=None` the mean of the runs on record.

    Raises as `Table.runs` does, and `ConfigError` for an unknown run or value.
    """
    values = table.runs(cell, metric, budget)
    if not values:
        raise ConfigError(
            f"cell={cell}: its {metric} at {budget:g} epochs is unknown in this table; ask for another "
            "metric or budget, or leave the cell out"
        )
    if run is None:
        return sum(values) / len(values)
    if not 0 <= run < len(values):
        raise ConfigError(
            f"run={run}: expected 0 to {len(values) - 1} (or None for the mean) for {metric} at {budget:g} epochs"
        )
    return values[run]


def look_up_key(cell: Cell) -> int | str:
    """The packed cell (vertex order kept), or the given module hash.

    Raises `ArchitectureError` for anything that is not a cell of NASBench-101.
    """
    if isinstance(cell, Architecture) and cell.space == NASBench101.name:
        return pack(from_genes(cell.genes))
    if not isinstance(cell, str):
        raise ArchitectureError(
            f"cell={cell!r}: expected an architecture of the space {NASBench101.name!r}, its text form or its "
            "module hash"
        )
    if len(cell) == 32 and "-" not in cell:
        try:
            bytes.fromhex(cell)
        except ValueError:
            raise ArchitectureError(f"module hash {cell!r}: expected 32 hex digits") from None
        return cell.lower()
    return pack(parse_cell(cell))


def not_in_table(key: int | str, count: int) -> ArchitectureError:
    """The error for a cell without a row."""
    text = key if isinstance(key, str) else text_of(unpack(key))
    return ArchitectureError(
        f"cell {text} is not in the table, which has {count:,} cells; search with `TabularNASBench101(table)` to "
        "stay inside it"
    )


def no_such_measure(metric: str, budget: float, measures: Sequence[Measure]) -> ConfigError:
    """The error for a metric or budget that the table lacks, naming the existing ones."""
    held: dict[str, list[str]] = {}
    for m in measures:
        held.setdefault(m.metric, []).append(f"{m.budget:g}")
    available = "; ".join(f"{name} at {', '.join(budgets)}" for name, budgets in held.items())
    return ConfigError(
        f"metric={metric!r}, budget={budget:g}: this table does not hold it; available (epochs): {available}"
    )
