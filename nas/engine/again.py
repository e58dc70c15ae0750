"""Repeat measurements that vary, such as latencies, for the networks on the front at the end of a search."""

from __future__ import annotations

import csv
import io
import logging
import statistics
from collections.abc import Iterable
from pathlib import Path

from nas.core.problem import Problem
from nas.core.records import Result
from nas.core.space import text_of
from nas.core.tracebacks import summarize_exception
from nas.runs.files import run_files

FILE = "repeated.csv"
TIMES = 2  # measurements of each network beside the first
COLUMNS = ("architecture", "objective", "unit", "measurements", "first", "median", "least", "largest")
_LOG = logging.getLogger("nas.data")


def repeat_measurements(problem: Problem, front: Iterable[Result], out: Path, times: int = TIMES) -> None:
    """Measure the front's networks `times` more, one after the other on this machine's device, and write `repeated.csv`.

    Only values that an evaluator with `nas.core.evaluator.HasMeasuredAgain`, or an objective's function with a spread, can measure again
    without a training. Networks in the file of an earlier session are not measured again. A failure or Ctrl-C leaves the rows that are there.
    """
    path = out / FILE
    rows = _rows(path)
    known = {row[0] for row in rows}
    members = [
        r for r in front if r.trial.id >= 0 and text_of(problem.space, r.trial.architecture) not in known
    ]
    measure, told = problem.measure(), False
    try:
        for member in members:
            found = [measure.again(member.trial) for _ in range(times)]
            names = [name for name in problem.names if all(name in values for values in found)]
            if not names:
                continue
            if not told:
                _LOG.warning("Measuring the latencies of the front's %d networks again", len(members))
                told = True
            text = text_of(problem.space, member.trial.architecture)
            units = {o.name: o.unit for o in problem.objectives}
            for name in names:
                values = [member.values[name], *(one[name] for one in found)]
                rows.append([text, name, units[name], str(len(values)), *_summary(values)])
    except KeyboardInterrupt:
        _LOG.warning("interrupted: the measurements of the front were not all repeated")
    except Exception as error:  # the results of the search are complete without
        _LOG.warning("the measurements of the front were not all repeated: %s", summarize_exception(error))
    finally:
        if told:
            _write(out, rows)


def _summary(values: list[float]) -> list[str]:
    numbers = (values[0], statistics.median(values), min(values), max(values))
    return [f"{number:.6g}" for number in numbers]


def _rows(path: Path) -> list[list[str]]:
    """The rows of an earlier session."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error):
        return []
    return [row for row in rows[1:] if len(row) == len(COLUMNS)]


def _write(out: Path, rows: list[list[str]]) -> None:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    run_files(out).write_text(FILE, lines.getvalue())
