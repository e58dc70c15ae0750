"""Results of earlier work as a table: a CSV file or a DataFrame with one evaluated architecture per row.

Columns: ``architecture`` (its text form), or one for each parameter by its full name; one for each measured objective in its own
unit; and any further ones, whose numbers are kept. Cells of parameters are those of `nas.runs.parameters`; an empty one is an
inactive parameter (in a DataFrame also the option None, as which pandas reads it). ``status``, ``seed`` and ``budget`` have the meaning of a run's history; without them every row is a success at the
search's budget. A run's history.csv and front.csv are such tables.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nas.core.checks import did_you_mean
from nas.core.errors import ArchitectureError, ConfigError, NasError
from nas.core.problem import Problem
from nas.core.records import RESERVED, Architecture, Result, Status, Trial
from nas.core.space import HasChoices, HasNamedArchitectures
from nas.core.text import from_spreadsheet_cell
from nas.spaces.parameters import plain_value, same_value, value_of_text

_SHOWN = 5  # most bad rows in a message
_EMPTY = {"", "nan", "na", "none", "null"}


@dataclass(frozen=True)
class Row:
    """One row of a table: its place, for messages, and its cells by column."""

    place: str
    cells: Mapping[str, Any]


def is_table(source: object) -> bool:
    """Whether this is a table rather than the folder of a run."""
    if isinstance(source, pd.DataFrame):
        return True
    path = Path(str(source))
    return path.is_file() or (path.suffix.lower() == ".csv" and not path.is_dir())


def name_of(source: str | Path | pd.DataFrame) -> str:
    """A table's name in the record: its path; for a DataFrame the number of rows and a hash of its content."""
    if not isinstance(source, pd.DataFrame):
        return str(source)
    content = hashlib.sha256(source.to_csv(index=False).encode("utf-8", "backslashreplace")).hexdigest()
    return f"a DataFrame of {len(source)} rows ({content[:12]})"


def read_table(source: str | Path | pd.DataFrame, problem: Problem, budget: float | None) -> list[Result]:
    """Read the successes of a table at this budget for `problem`, numbered from -n; exact objectives are completed.

    Raises `ConfigError` with the bad rows, by the line of the file or the number of the row.
    """
    named = f"warm_start: {name_of(source)}"
    columns, rows = _of_frame(source) if isinstance(source, pd.DataFrame) else _of_file(Path(source), named)
    _check_columns(columns, problem, named)
    found: list[tuple[Trial, dict[str, float]]] = []
    bad: list[str] = []
    budgets: set[str] = set()
    for row in rows:
        try:
            result = _read(row, problem, budget)
        except _Elsewhere as error:
            budgets.add(str(error))
        except NasError as error:
            bad.append(f"{row.place}: {error}")
        else:
            found += [] if result is None else [result]
    if bad:
        more = f"; and {len(bad) - _SHOWN} more rows" if len(bad) > _SHOWN else ""
        raise ConfigError(f"{named}: {'; '.join(bad[:_SHOWN])}{more}. Correct or remove these rows")
    if not found:
        others = f" (it has results of budget {', '.join(sorted(budgets))})" if budgets else ""
        here = "without a budget" if budget is None else f"at budget {budget:g}"
        raise ConfigError(f"{named}: no successful result {here}{others}; name another table")
    return [
        Result(Trial(i - len(found), trial.architecture, trial.seed, trial.budget), Status.OK, values)
        for i, (trial, values) in enumerate(found)
    ]


class _Elsewhere(Exception):
    """A row of another budget."""


def _of_frame(frame: pd.DataFrame) -> tuple[list[str], Iterator[Row]]:
    columns = [str(name) for name in frame.columns]
    records = zip(frame.index, frame.itertuples(index=False, name=None), strict=True)
    rows = (
        Row(
            f"row {i}{'' if label == i else f' (index {label!r:.60})'}",
            dict(zip(columns, cells, strict=True)),
        )
        for i, (label, cells) in enumerate(records)
    )
    return columns, rows


def _of_file(path: Path, named: str) -> tuple[list[str], Iterator[Row]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{named}: the file does not exist") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{named}: not a CSV file in UTF-8 ({error.reason} at byte {error.start})"
        ) from error
    except OSError as error:
        raise ConfigError(f"{named}: cannot be read: {error.strerror or error}") from error
    head = text.split("\n", 1)[0]
    separator = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        columns = [from_spreadsheet_cell(name.strip()) for name in next(reader, [])]
    except csv.Error as error:
        raise ConfigError(f"{named}, line 1: not CSV: {error}") from error
    return columns, _lines(reader, columns, named)


def _lines(reader: Any, columns: Sequence[str], named: str) -> Iterator[Row]:
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ConfigError(f"{named}, line {line}: not CSV: {error}") from error
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise ConfigError(
                f"{named}, line {line}: {len(cells)} cells, expected {len(columns)} as in line 1"
            )
        yield Row(f"line {line}", {c: from_spreadsheet_cell(v) for c, v in zip(columns, cells, strict=True)})


def _check_columns(columns: Sequence[str], problem: Problem, named: str) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ConfigError(f"{named}: column {twice[0]!r} appears twice; expected each once")
    measured = [o.name for o in problem.objectives if not o.cheap]
    parameters = _parameters(problem)
    by_name = any(name in columns for name in parameters)
    for name in [*([] if by_name else ["architecture"]), *measured]:
        if name not in columns:
            some = ", ".join(parameters[:5]) + ", ..." * (len(parameters) > 5)
            raise ConfigError(
                f"{named}: no column {name!r}{did_you_mean(name, columns)}; expected architecture"
                f"{f' or one column for each parameter ({some})' if parameters else ''} and one column for each "
                f"measured objective ({', '.join(measured)}), found {', '.join(columns[:12]) or 'nothing'}"
            )


def _parameters(problem: Problem) -> Sequence[str]:
    """The parameters by which the space finds architectures."""
    space = problem.space
    return (
        space.parameters if isinstance(space, HasChoices) and isinstance(space, HasNamedArchitectures) else ()
    )


def _read(row: Row, problem: Problem, wanted: float | None) -> tuple[Trial, dict[str, float]] | None:
    """A row as a trial and its values; None if its trial failed."""
    cells = row.cells
    if not _empty(cells.get("status")) and str(cells["status"]).strip() != Status.OK.value:
        if str(cells["status"]).strip() not in {status.value for status in Status} | {"running"}:
            raise ConfigError(
                f"status is {cells['status']!r:.60}; expected ok, failed or another of a run's history"
            )
        return None
    parameters = {name: cells[name] for name in _parameters(problem) if name in cells}
    text = cells.get("architecture")
    if parameters and not isinstance(text, Architecture) and (_empty(text) or not isinstance(text, str)):
        architecture = _by_name(parameters, problem)
    else:
        architecture = _architecture(text, problem, parameters)
    budget = (
        wanted
        if "budget" not in cells
        else None
        if _empty(cells["budget"])
        else _number("budget", cells["budget"])
    )
    if budget != wanted:
        raise _Elsewhere("the evaluator's own" if budget is None else f"{budget:g}")
    values = problem.cheap_values(architecture)
    for name, now in values.items():
        if not _empty(cells.get(name)):
            then = _number(name, cells[name])
            if not math.isclose(then, now, rel_tol=1e-9):
                raise ConfigError(
                    f"{name} is {then:.10g}, but {now:.10g} for this architecture here: another space, or other settings"
                )
    values |= {name: _number(name, cells[name]) for name in sorted(problem.measured)}
    for name, cell in cells.items():
        extra = None if name in RESERVED or name in values or name in parameters else _extra(cell)
        if extra is not None:
            values[name] = extra
    seed = 0 if _empty(cells.get("seed")) else int(_number("seed", cells["seed"]))
    return Trial(0, architecture, seed, budget), values


def _by_name(cells: Mapping[str, Any], problem: Problem) -> Architecture:
    space: Any = problem.space
    values = {name: _value(cell) for name, cell in cells.items() if not _blank(cell)}
    try:
        return problem.space.canonical(space.architecture(values))
    except NasError as error:
        raise ConfigError(f"not an architecture of space {space.name!r}: {error}") from error


def _blank(cell: Any) -> bool:
    """Whether a cell has no value; pandas reads the option None and an inactive parameter alike."""
    return isinstance(cell, str) and not cell.strip()


def _value(cell: Any) -> Any:
    """The value in a parameter's cell; None for a missing one."""
    if isinstance(cell, str):
        return value_of_text(cell.strip())
    return None if _empty(cell) else cell


def _check_agreement(cells: Mapping[str, Any], architecture: Architecture, space: Any) -> None:
    """Raise `ConfigError` for a parameter that has another value in the architecture of its row."""
    choices = dict(space.choices(architecture)) if cells else {}
    for name, cell in cells.items():
        known = not _blank(cell) and (isinstance(cell, str) or not _empty(cell))
        if known and not (name in choices and same_value(plain_value(_value(cell)), choices[name])):
            there = repr(choices[name]) if name in choices else "inactive"
            raise ConfigError(
                f"{name} is {cell!r:.60}, but {there} in the architecture of this row; correct one, or leave out a column"
            )


def _architecture(cell: Any, problem: Problem, parameters: Mapping[str, Any]) -> Architecture:
    space = problem.space
    if isinstance(cell, Architecture):
        if cell.space != space.name:
            raise ConfigError(
                f"architecture belongs to space {cell.space!r}; this search uses {space.name!r}"
            )
        cell = space.format(cell)
    if isinstance(cell, (int, np.integer)) and not isinstance(cell, bool):
        cell = str(cell)
    if not isinstance(cell, str) or not cell.strip():
        raise ConfigError(f"architecture is {cell!r:.60}; expected a text form of space {space.name!r}")
    try:
        try:
            found = space.parse(cell)
        except ArchitectureError:
            found = space.parse(cell.strip())  # a space after the separator
        canonical = space.canonical(found)
    except NasError as error:
        raise ConfigError(f"not an architecture of space {space.name!r}: {error}") from error
    except Exception as error:
        raise ConfigError(
            f"architecture {cell!r:.100} is not one of space {space.name!r} ({error})"
        ) from error
    _check_agreement(parameters, found, space)
    return canonical


def _empty(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.strip().lower() in _EMPTY
    return cell is None or cell is pd.NA or (isinstance(cell, (float, np.floating)) and bool(np.isnan(cell)))


def _number(name: str, cell: Any) -> float:
    number = _extra(cell)
    if number is None:
        raise ConfigError(f"{name} is {cell!r:.60}; expected a finite number")
    return number


def _extra(cell: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(cell, (bool, np.bool_)) or _empty(cell):
        return None
    try:
        number = float(cell)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
