"""The report: one page of HTML about one search, or several compared, that opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nas.errors import HistoryError
from nas.history import FILE
from nas.interfaces import SearchSpace
from nas.log_file import well_formed
from nas.report.gather import describe
from nas.report.records import Report
from nas.report.render import write
from nas.report.sources import Source, read_source

PAGE, COMPARISON = "report.html", "comparison.html"


def write_report(
    runs: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    space: SearchSpace | None = None,
) -> Path:
    """Write the page of a run, or of several compared, and return its path.

    Args:
        runs: folder of a run, finished or under way, or several.
        out: the file to write; None: ``report.html`` in the folder of a single run, ``comparison.html`` in the first of
            several.
        space: the space of the runs, so that the networks of one's own space are drawn; ours are known by their names.

    Raises:
        HistoryError: a folder holds no run, or the disk refuses. ConfigError: the runs cannot be compared.
    """
    folders = [Path(runs)] if isinstance(runs, (str, Path)) else [Path(run) for run in runs]
    sources = [read_source(folder, space) for folder in folders]
    with well_formed(folders[0] / FILE):
        described = describe(sources)
    return _write(described, _place(sources, None if out is None else Path(out)))


def write_page(sources: Sequence[Source], out: Path | None = None) -> Path:
    """`write_report` for runs that are at hand."""
    return _write(describe(sources), _place(sources, out))


def _place(sources: Sequence[Source], out: Path | None) -> Path:
    return out or sources[0].folder / (PAGE if len(sources) == 1 else COMPARISON)


def _write(described: Report, path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(described, path)
    except OSError as error:
        raise HistoryError(
            f"{path}: cannot be written ({error.strerror}); name another file by --out"
        ) from error
    return path


__all__ = ["PAGE", "Source", "read_source", "write_page", "write_report"]
