"""The implementation of `nas data`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from nas.cli.console import output
from nas.config.schema import override
from nas.core.checks import check_known
from nas.core.text import command


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=output(), transient=True, disable=not output().is_terminal)


def _report_to(bar: Progress, what: str) -> Callable[[int, int], None]:
    task = bar.add_task(what, total=None)
    return lambda done, total: bar.update(task, completed=done, total=total)


def enumerate_space(space: str, out: Path) -> None:
    """`nas data enumerate`."""
    check_known("space", space, ("nasbench101",))
    from nas.cli.networks import check_file
    from search_spaces.nasbench101 import write_cells

    check_file(out)

    with _progress() as bar:
        count = write_cells(out, progress=_report_to(bar, "cells"))
    output().print(f"{count:,} cells written to {out}")


def import_benchmark(benchmark: str, file: Path, out: Path, partial: bool) -> None:
    """`nas data import`."""
    check_known("benchmark", benchmark, ("nasbench101",))
    from search_spaces.nasbench101.table_import import import_tfrecord

    with _progress() as bar:
        report = import_tfrecord(file, out, progress=_report_to(bar, "bytes"), partial=partial)
    output().print(
        f"{report.cells:,} cells ({report.records:,} records, {', '.join(map(str, report.budgets))} epochs) imported to "
        f"{report.out}; {report.hashes_checked:,} hashes checked"
    )
    if not report.whole:
        output().print(
            "Note: this is part of the benchmark's 423,624 cells; the others count as unknown.",
            style="yellow",
        )


def _described(kind: str, path: Path | None, more: dict[str, Any]) -> Any:
    """The report on a classification data set."""
    from nas.core.errors import ConfigError
    from nas.training import DATASETS, check, data_from_config

    settings: dict[str, Any] = {"name": kind} if path is None else {"name": kind, "path": str(path)}
    if path is None and kind in DATASETS and kind != "digits":
        raise ConfigError(f"data {kind} requires a path: {command('nas', 'data', 'check', kind)} PATH")
    return check(data_from_config(settings | more))


def check_data(kind: str, path: Path | None, task: str, settings: Sequence[str] = ()) -> None:
    """`nas data check`; exits with 3 if something is missing or damaged."""
    from nas.cli.tasks import TASKS, DataOptions

    check_known("--task", task, TASKS)
    given = override({}, settings)
    if task == "classification":
        report = _described(kind, path, given)
    else:
        report = TASKS[task].source(DataOptions(kind, path, given), None).check()
    for line in report.lines():
        output().print(line)
    if not report.ok:
        raise typer.Exit(3)
