"""The tables and plots that a search writes to its folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.core.errors import HistoryError
from nas.core.files import write_stream, write_text
from nas.core.tables import csv_text
from nas.core.text import command
from nas.runs.baselines import read_baselines
from nas.runs.files import run_files
from nas.runs.history import as_json
from nas.runs.notes import SURROGATE, notes_table
from nas.runs.parameters import as_written
from nas.runs.run_folder import HISTORY_CSV, RunTable, curves, summarise
from nas.runs.sharing_quality import SHARING


def write_tables(
    folder: Path, table: RunTable, extra: Mapping[str, Any], *, plots: bool = True, csv: bool = False
) -> dict[str, Any]:
    """Write front.csv, curves.csv, history.parquet, summary.json and (with `plots`) plots/; return the summary.

    Also surrogate.csv if the algorithm recorded the quality of its surrogates, sharing.csv if the search compared inherited values with own
    trainings, and history.csv with `csv` or if the run has one. Writes nothing if one of the names belongs to a file that the run did not
    write (`ForeignFileError`) or is read-only.
    """
    summary = summarise(table, extra)
    files = run_files(folder)
    history = as_written(table.frame, table.parameters)
    tables = {"front.csv": as_written(table.front, table.parameters), "curves.csv": curves(table)}
    for name, kind in (("surrogate.csv", SURROGATE), ("sharing.csv", SHARING)):
        if len(notes := notes_table(table.notes, kind)):
            tables[name] = notes
    if csv or files.owns(HISTORY_CSV):
        tables[HISTORY_CSV] = history
    names = [*tables, "history.parquet", "summary.json"]
    if plots:
        from nas.report.plots import (
            figures,
            write_baselines_plot,
            write_plots,
        )  # matplotlib is slow to import

        names += [f"plots/{name}" for name in figures(table)]
    try:
        files.claim(*names)
        files.remove("front_posterior.csv")  # of an earlier version
        for name, frame in tables.items():
            write_text(folder / name, csv_text(frame))
        write_stream(folder / "history.parquet", lambda file: history.to_parquet(file, index=False))
        write_text(folder / "summary.json", as_json(summary))
        if plots:
            write_plots(folder / "plots", table)
            if baselines := read_baselines(folder):  # of an earlier session, with the front as it is now
                write_baselines_plot(folder, table, baselines)
    except OSError as error:
        raise HistoryError(
            f"{folder}: cannot write the results: {error}. The log is complete; free disk space, then "
            f"write them with: {command('nas', 'search', '--resume', folder)}"
        ) from error
    return summary
